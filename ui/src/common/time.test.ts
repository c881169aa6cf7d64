import { describe, expect, it } from "vitest";

import { formatMoment, formatSpan, parseMoment, zoneTitle } from "./time";

const BERLIN = "Europe/Berlin";
const at = (iso: string): number => Date.parse(iso);
const NOW = at("2026-11-21T14:00:00Z");

describe("a moment in words", () => {
  it("has the precision that is asked for", () => {
    const ms = at("2026-11-20T17:45:03.250Z");
    expect(formatMoment(ms, "utc", "day")).toBe("2026-11-20");
    expect(formatMoment(ms, "utc", "minute")).toBe("2026-11-20 17:45");
    expect(formatMoment(ms, "utc")).toBe("2026-11-20 17:45:03");
    expect(formatMoment(ms, BERLIN, "ms")).toBe("2026-11-20 18:45:03.250");
    expect(formatMoment(at("2026-11-20T23:30:00Z"), "Asia/Kolkata", "minute")).toBe("2026-11-21 05:00");
  });

  it("names the zone in the hour that happens twice", () => {
    expect(formatMoment(at("2026-10-25T00:30:00Z"), BERLIN, "minute")).toBe("2026-10-25 02:30 UTC+2");
    expect(formatMoment(at("2026-10-25T01:30:00Z"), BERLIN, "minute")).toBe("2026-10-25 02:30 UTC+1");
    expect(formatMoment(at("2026-10-25T02:00:00Z"), BERLIN, "minute")).toBe("2026-10-25 03:00");
    expect(formatMoment(at("2026-10-24T23:59:00Z"), BERLIN, "minute")).toBe("2026-10-25 01:59");
  });

  it.each([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "utc"])("is read back in %s", (zone) => {
    for (let ms = at("2026-01-01T00:00:00.125Z"); ms < at("2027-01-01T00:00:00Z"); ms += 1_234_567) {
      expect(parseMoment(formatMoment(ms, zone, "ms"), zone, NOW)).toBe(ms);
    }
  });
});

describe("a span in words", () => {
  it.each([
    [0, "0 s"],
    [2_400, "2.4 s"],
    [9_999, "9.9 s"],
    [59_999, "59 s"],
    [209_000, "3 min 29 s"],
    [3_600_000, "1 h"],
    [3_900_000, "1 h 05 min"],
    [86_400_000 - 1, "23 h 59 min"],
    [90_000_000, "1 d 1 h"],
    [-60_000, "-1 min"],
  ])("%i ms is %s", (ms, words) => {
    expect(formatSpan(ms)).toBe(words);
  });
});

describe("a zone's title", () => {
  it.each([
    ["utc", "UTC"],
    [BERLIN, "UTC+1"],
    ["Asia/Kolkata", "UTC+5:30"],
    ["America/St_Johns", "UTC-3:30"],
    ["Europe/London", "UTC"],
  ])("of %s is %s", (zone, title) => {
    expect(zoneTitle(NOW, zone)).toBe(title);
  });
});
