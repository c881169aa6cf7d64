import { describe, expect, it } from "vitest";

import type { Span } from "../api/types";
import { between, limited, parked, rounded, SHORTEST_SELECTION_MS } from "./selection";

const BOUNDS: Span = [1_000_000, 9_000_000];

describe("limiters", () => {
  it("never cross and never leave the archive", () => {
    const chosen: Span = [3_000_000, 5_000_000];
    for (const limiter of ["begin", "end"] as const) {
      for (let ms = 0; ms < 12_000_000; ms += 77_777) {
        const [begin, end] = limited(chosen, limiter, ms, BOUNDS);
        expect(end - begin).toBeGreaterThanOrEqual(SHORTEST_SELECTION_MS);
        expect(begin).toBeGreaterThanOrEqual(BOUNDS[0]);
        expect(end).toBeLessThanOrEqual(BOUNDS[1]);
        expect(limiter === "begin" ? end : begin).toBe(limiter === "begin" ? chosen[1] : chosen[0]);
      }
    }
  });

  it("go where they are put", () => {
    expect(limited([3_000_000, 5_000_000], "begin", 4_000_000, BOUNDS)).toEqual([4_000_000, 5_000_000]);
    expect(limited([3_000_000, 5_000_000], "end", 4_000_000, BOUNDS)).toEqual([3_000_000, 4_000_000]);
  });

  it("choose from one to the other, whichever is first", () => {
    expect(between(5_000_000, 2_000_000, BOUNDS)).toEqual([2_000_000, 5_000_000]);
    expect(between(5_000_000, 5_000_000, BOUNDS)).toEqual([5_000_000, 5_001_000]);
    expect(between(0, 99_000_000, BOUNDS)).toEqual(BOUNDS);
    expect(between(9_000_000, 9_000_000, BOUNDS)).toEqual([8_999_000, 9_000_000]);
  });

  it("wait at the edges of the screen, inside the archive", () => {
    expect(parked({ begin: 2_000_000, end: 3_000_000 }, BOUNDS)).toEqual([2_000_000, 3_000_000]);
    expect(parked({ begin: 0, end: 99_000_000 }, BOUNDS)).toEqual(BOUNDS);
    expect(parked({ begin: 9_500_000, end: 9_600_000 }, BOUNDS)).toEqual([9_000_000, 9_000_000]);
  });

  it("are as exact as a pixel", () => {
    expect(rounded(1234.5678, 40)).toBe(1235);
    expect(rounded(1734.5678, 5000)).toBe(2000);
  });
});
