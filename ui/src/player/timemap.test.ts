import { describe, expect, it } from "vitest";

import { gapBefore, reach, spotOf, utcOf, type Piece } from "./timemap";

const T = 1_795_194_000_000;
/** Two pieces, a gap of a minute, a piece of another codec: media time goes on, UTC jumps. */
const PIECES: Piece[] = [
  { start: 0, duration: 6, programDateTime: T },
  { start: 6, duration: 4.48, programDateTime: T + 6_000 },
  { start: 10.48, duration: 6, programDateTime: T + 70_480 },
];

describe("UTC of media time", () => {
  it("is counted from the piece", () => {
    expect(utcOf(PIECES, 0)).toBe(T);
    expect(utcOf(PIECES, 7.04)).toBe(T + 7_040);
    expect(utcOf(PIECES, 12.48)).toBe(T + 72_480);
  });

  it("belongs to the later piece where two meet, though a float is off", () => {
    expect(utcOf(PIECES, 10.48)).toBe(T + 70_480);
    expect(utcOf(PIECES, 10.479_999_9)).toBe(T + 70_480);
    expect(utcOf(PIECES, 10.44)).toBe(T + 10_440);
  });

  it("is unknown far away and without dates", () => {
    expect(utcOf(PIECES, 30)).toBeNull();
    expect(utcOf([], 0)).toBeNull();
    expect(utcOf([{ start: 0, duration: 6, programDateTime: null }], 1)).toBeNull();
  });
});

describe("the spot of a moment", () => {
  it("is inside the picture that it names, and names it again", () => {
    for (const utc of [T, T + 40, T + 5_960, T + 6_000, T + 10_440, T + 70_480, T + 76_440]) {
      const spot = spotOf(PIECES, utc);
      expect(spot?.utc).toBe(utc);
      expect(Math.abs((utcOf(PIECES, spot?.time ?? 0) ?? 0) - utc)).toBeLessThanOrEqual(1);
    }
  });

  it("is the next piece in a gap and before the first", () => {
    expect(spotOf(PIECES, T + 20_000)).toEqual({ time: 10.481, utc: T + 70_480 });
    expect(spotOf(PIECES, T - 5)).toEqual({ time: 0.001, utc: T });
  });

  it("is nowhere behind the last", () => {
    expect(spotOf(PIECES, T + 76_480)).toBeNull();
    expect(spotOf([], T)).toBeNull();
  });
});

describe("gaps", () => {
  it("are seen at the piece behind them only", () => {
    expect(gapBefore(PIECES, 11)).toEqual([T + 10_480, T + 70_480]);
    expect(gapBefore(PIECES, 7)).toBeNull();
    expect(gapBefore(PIECES, 1)).toBeNull();
  });
});

it("reaches from the first to the last", () => {
  expect(reach(PIECES)).toEqual([T, T + 76_480]);
  expect(reach([])).toBeNull();
});
