import { expect, it } from "vitest";

import { formatBitrate, formatDepth, formatRecorded } from "./figures";

it("depths have two units", () => {
  expect([0, 59, 60, 3660, 273_600, 8_640_000].map(formatDepth)).toEqual([
    "–",
    "59 s",
    "1 min",
    "1 h 01 min",
    "3 d 04 h",
    "100 d 00 h",
  ]);
});

it("bitrates grow", () => {
  expect([0, 502, 2449, 99_949, 120_000, 1_500_000].map(formatBitrate)).toEqual([
    "–",
    "502 kbit/s",
    "2.4 Mbit/s",
    "99.9 Mbit/s",
    "120 Mbit/s",
    "1.50 Gbit/s",
  ]);
});

it("says over what span, where gaps make a difference", () => {
  expect(formatRecorded(3600, 3640)).toBe("1 h 00 min");
  expect(formatRecorded(12_000, 187_200)).toBe("3 h 20 min in 2 d 04 h");
  expect(formatRecorded(86_400, 87_000)).toBe("1 d 00 h");
});
