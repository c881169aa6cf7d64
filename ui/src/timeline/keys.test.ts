import { describe, expect, it } from "vitest";

import { barKey, limiterKey, type Key, type KeyDeed } from "./keys";
import { zonesOf } from "./zones";

const T = Date.parse("2026-11-20T12:00:00Z");
const H = 3_600_000;
const zones = zonesOf({
  name: "a",
  now: T + 10 * H,
  recording: false,
  opened_at: null,
  closed_at: null,
  bytes: 0,
  ranges: [
    [T, T + H],
    [T + 2 * H, T + 3 * H],
  ],
  locks: [],
  gaps: [],
});
const stage = {
  place: T + H / 2,
  hasCursor: true,
  view: { begin: T, end: T + H },
  zones,
  bounds: [T, T + 10 * H] as const,
};

function press(key: string, more: Partial<Key> = {}, place = stage.place): KeyDeed | null {
  return barKey({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more }, { ...stage, place });
}

describe("keys on the bar", () => {
  it("step by a round part of the view", () => {
    expect(press("ArrowRight")).toEqual({ do: "point", ms: stage.place + 30_000 });
    expect(press("ArrowLeft", { shiftKey: true })).toEqual({ do: "point", ms: stage.place - 300_000 });
  });

  it("step from edge to edge of what is recorded", () => {
    const walk: number[] = [];
    let place = stage.place;
    for (let i = 0; i < 4; i += 1) {
      const deed = press("ArrowRight", { ctrlKey: true }, place);
      if (deed?.do === "point") walk.push((place = deed.ms));
    }
    expect(walk).toEqual([T + H, T + 2 * H, T + 3 * H, T + 3 * H]);
    expect(press("ArrowLeft", { ctrlKey: true }, T + 2 * H)).toEqual({ do: "point", ms: T + H });
  });

  it("stay within the archive", () => {
    expect(press("ArrowLeft", {}, T)).toEqual({ do: "point", ms: T });
    expect(press("Home")).toEqual({ do: "point", ms: T });
    expect(press("End")).toEqual({ do: "point", ms: T + 10 * H });
  });

  it("go, zoom, choose and give up", () => {
    expect(press("Enter")).toEqual({ do: "seek", ms: stage.place });
    expect(press("+")).toEqual({ do: "zoom", factor: 0.5, at: stage.place });
    expect(press("-")).toEqual({ do: "zoom", factor: 2, at: stage.place });
    expect(press("i")).toEqual({ do: "limit", limiter: "begin", ms: stage.place });
    expect(press("Escape")).toEqual({ do: "unpoint" });
  });

  it("leave the browser what is its own", () => {
    expect(press("ArrowLeft", { altKey: true })).toBeNull();
    expect(press("Tab")).toBeNull();
  });
});

describe("keys on a limiter", () => {
  it("move it", () => {
    const key = { key: "ArrowRight", shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };
    const held = { chosen: [T + 1000, T + 9000] as const, view: stage.view, bounds: stage.bounds };
    expect(limiterKey(key, "end", held)).toEqual({ do: "limit", limiter: "end", ms: T + 39_000 });
    expect(limiterKey({ ...key, key: "Home" }, "begin", held)).toEqual({ do: "limit", limiter: "begin", ms: T });
  });
});
