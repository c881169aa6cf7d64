import { describe, expect, it } from "vitest";

import type { ServerEvent } from "../api/types";
import { choose, readChosen, spellChosen, streamsOf } from "./chosen";

const event = (name: string, media?: string): ServerEvent => ({
  event: name,
  event_id: name,
  utc_ms: 0,
  ...(media !== undefined && { media }),
});
const EVENTS = [
  event("dvr_root_failed"),
  event("source_lost", "b"),
  event("thumbnail_failed", "a"),
  event("play_opened", "b"),
];
const ALL = { families: [], stream: "", words: "" };
const names = (found: ServerEvent[]) => found.map((one) => one.event);

describe("chosen events", () => {
  it("are all where nothing is said", () => {
    expect(choose(EVENTS, ALL)).toEqual(EVENTS);
  });

  it("are of a family, of a stream, and have every word", () => {
    expect(names(choose(EVENTS, { ...ALL, families: ["dvr"] }))).toEqual(["dvr_root_failed", "thumbnail_failed"]);
    expect(names(choose(EVENTS, { ...ALL, stream: "b" }))).toEqual(["source_lost", "play_opened"]);
    expect(names(choose(EVENTS, { ...ALL, words: "LOST source" }))).toEqual(["source_lost"]);
    expect(names(choose(EVENTS, { families: ["source"], stream: "a", words: "" }))).toEqual([]);
  });

  it("are in the address", () => {
    const chosen = { families: ["source", "dvr"] as const, stream: "a/b", words: "x y" };
    expect(readChosen(new URLSearchParams(spellChosen(chosen)))).toEqual(chosen);
    expect(spellChosen(readChosen(new URLSearchParams("family=nonsense")))).toEqual({});
  });

  it("name their streams once", () => {
    expect(streamsOf(EVENTS)).toEqual(["a", "b"]);
  });
});
