import { describe, expect, it } from "vitest";

import {
  around,
  isAtNow,
  keepWithin,
  LONGEST_MS,
  move,
  msAt,
  reveal,
  SHORTEST_MS,
  spanOf,
  upToNow,
  xOf,
  zoom,
} from "./view";

const HOUR = 3_600_000;
const NOW = Date.parse("2026-11-21T14:00:00Z");
const view = { begin: NOW - HOUR, end: NOW };

describe("a view", () => {
  it("goes from time to pixels and back", () => {
    expect(xOf(view, 1200, NOW - HOUR / 2)).toBe(600);
    for (const x of [0, 1, 599.5, 1200]) expect(xOf(view, 1200, msAt(view, 1200, x))).toBeCloseTo(x, 3);
  });

  it("zooms around a point that stays where it is", () => {
    const at = NOW - HOUR / 4;
    for (const factor of [0.1, 0.5, 0.99, 1.5, 20]) {
      expect(xOf(zoom(view, factor, at), 1000, at)).toBeCloseTo(xOf(view, 1000, at), 3);
    }
  });

  it("is never shorter than a minute nor longer than a year", () => {
    expect(spanOf(zoom(view, 1e-9))).toBe(SHORTEST_MS);
    expect(spanOf(zoom(view, 1e9))).toBe(LONGEST_MS);
    expect(spanOf(around(NOW, 1))).toBe(SHORTEST_MS);
  });

  it("stays where the archive is", () => {
    const first = NOW - 10 * HOUR;
    expect(keepWithin(view, first, NOW)).toEqual(view);
    expect(keepWithin(move(view, 99 * HOUR), first, NOW).end).toBe(NOW + HOUR / 10);
    expect(keepWithin(move(view, -99 * HOUR), first, NOW).begin).toBe(first - HOUR / 10);
    // more than the archive: the present stays on the right
    const year = keepWithin(upToNow(NOW, LONGEST_MS), first, NOW);
    expect(isAtNow(year, NOW)).toBe(true);
  });

  it("knows the present at its right edge", () => {
    expect(isAtNow(upToNow(NOW, HOUR), NOW)).toBe(true);
    expect(isAtNow(move(upToNow(NOW, HOUR), -HOUR / 10), NOW)).toBe(false);
    expect(isAtNow(around(NOW, HOUR), NOW)).toBe(false);
  });

  it("moves only to what is not on the screen", () => {
    expect(reveal(view, NOW - HOUR / 2)).toBe(view);
    expect(reveal(view, NOW - 9 * HOUR)).toEqual(around(NOW - 9 * HOUR, HOUR));
  });
});
