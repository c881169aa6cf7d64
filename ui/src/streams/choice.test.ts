import { describe, expect, it } from "vitest";

import { choose, readChoice, turned, writeChoice, type Choice } from "./choice";
import type { Row } from "./row";

const row = (name: string, more: Partial<Row> = {}): Row => ({
  name,
  title: "",
  state: "recording",
  reason: "",
  bitrate: 0,
  codecs: "",
  depth: 0,
  recorded: 0,
  bytes: 0,
  viewers: 0,
  openedAt: null,
  picture: null,
  ...more,
});
const ALL: Choice = { q: "", show: "all", column: "name", descending: false };
const names = (rows: Row[], choice: Partial<Choice>) => choose(rows, { ...ALL, ...choice }).map(({ name }) => name);

describe("the choice", () => {
  it("goes into the address and comes back", () => {
    const choice: Choice = { q: "a b&", show: "errors", column: "bitrate", descending: true };
    expect(readChoice(new URLSearchParams(writeChoice(choice)))).toEqual(choice);
    expect(writeChoice(ALL)).toEqual({});
    expect(readChoice(new URLSearchParams("sort=nonsense&show=toString"))).toEqual(ALL);
  });

  it("turns with clicks on columns", () => {
    const first = turned(ALL, "bitrate");
    expect(first).toMatchObject({ column: "bitrate", descending: true });
    expect(turned(first, "bitrate").descending).toBe(false);
    expect(turned(first, "state").descending).toBe(false);
  });
});

describe("chosen streams", () => {
  it("have every word of the search somewhere", () => {
    const rows = [row("cam1", { title: "North gate" }), row("cam2", { title: "South gate" })];
    expect(names(rows, { q: "GATE cam2" })).toEqual(["cam2"]);
    expect(names(rows, { q: "  " })).toEqual(["cam1", "cam2"]);
  });

  it("are filtered by state", () => {
    const rows = [row("a"), row("b", { state: "error" }), row("c", { state: "off" })];
    expect(names(rows, { show: "recording" })).toEqual(["a"]);
    expect(names(rows, { show: "down" })).toEqual(["b", "c"]);
    expect(names(rows, { show: "errors" })).toEqual(["b"]);
  });

  it("are in the order of numbers inside names, both ways", () => {
    const rows = [row("cam10"), row("cam9"), row("Cam1")];
    expect(names(rows, {})).toEqual(["Cam1", "cam9", "cam10"]);
    expect(names(rows, { descending: true })).toEqual(["cam10", "cam9", "Cam1"]);
  });

  it("are ordered by a figure, then by name, whichever way", () => {
    const rows = [row("b", { viewers: 1 }), row("a", { viewers: 1 }), row("c", { viewers: 5 })];
    expect(names(rows, { column: "viewers", descending: true })).toEqual(["c", "a", "b"]);
    expect(names(rows, { column: "viewers" })).toEqual(["a", "b", "c"]);
  });

  it("that do not run have run for less than any other", () => {
    const rows = [row("off2"), row("young", { openedAt: 9 }), row("off1"), row("old", { openedAt: 1 })];
    expect(names(rows, { column: "uptime", descending: true })).toEqual(["old", "young", "off1", "off2"]);
  });
});
