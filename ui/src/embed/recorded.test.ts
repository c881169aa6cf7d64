import { describe, expect, it } from "vitest";

import { timelineOf } from "./recorded";

const T = 1_795_194_000;

describe("what a viewer knows of the archive", () => {
  it("is in milliseconds", () => {
    const { ranges, opened_at, closed_at } = timelineOf(
      "a",
      [
        { from: T, duration: 10 },
        { from: T + 20, duration: 5 },
      ],
      T,
    );
    expect(ranges).toEqual([
      [T * 1000, (T + 10) * 1000],
      [(T + 20) * 1000, (T + 25) * 1000],
    ]);
    expect([opened_at, closed_at]).toEqual([T * 1000, (T + 25) * 1000]);
  });

  it("grows if it reaches the present", () => {
    const grows = (now: number) => timelineOf("a", [{ from: T, duration: 60 }], now).recording;
    expect(grows((T + 63) * 1000)).toBe(true);
    expect(grows((T + 600) * 1000)).toBe(false);
    expect(timelineOf("a", [], 0).recording).toBe(false);
  });
});
