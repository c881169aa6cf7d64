import { describe, expect, it } from "vitest";

import { clockChanges, fromWall, isRepeated, wallClock } from "./zone";

const at = (iso: string): number => Date.parse(iso);
const YEAR = [at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")] as const;

describe("changes of the clock", () => {
  it.each([
    ["utc", []],
    ["Asia/Kolkata", []],
    ["Europe/Berlin", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]],
    ["America/New_York", ["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"]],
    ["Australia/Lord_Howe", ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]],
  ])("in %s", (zone, changes) => {
    expect(clockChanges(...YEAR, zone)).toEqual(changes.map(at));
  });
});

describe("wall clocks", () => {
  it("make days of 23 and 25 hours", () => {
    const hours = (day: number, month: number): number =>
      (fromWall({ year: 2026, month, day: day + 1 }, "Europe/Berlin") -
        fromWall({ year: 2026, month, day }, "Europe/Berlin")) /
      3_600_000;
    expect([hours(28, 3), hours(29, 3), hours(25, 10)]).toEqual([24, 23, 25]);
  });

  it("begin a day that has no midnight an hour later", () => {
    const begin = fromWall({ year: 2026, month: 9, day: 6 }, "America/Santiago");
    expect(wallClock(begin, "America/Santiago")).toMatchObject({ day: 6, hour: 1, minute: 0 });
  });

  it.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "utc"])(
    "go back in %s",
    (zone) => {
      for (let ms = YEAR[0]; ms < YEAR[1]; ms += 1_777_777) {
        const back = fromWall(wallClock(ms, zone), zone);
        if (back !== ms) expect(isRepeated(ms, zone) && back < ms).toBe(true);
      }
    },
  );

  it("repeat half an hour on Lord Howe", () => {
    const zone = "Australia/Lord_Howe";
    const change = at("2026-04-04T15:00:00Z");
    const repeated = [-31, -30, -1, 0, 29, 30].map((minutes) => isRepeated(change + minutes * 60_000, zone));
    expect(repeated).toEqual([false, true, true, true, true, false]);
  });
});
