import { describe, expect, it } from "vitest";

import { offsetMs, wallClock } from "../common/zone";
import { roundStep, rulerOf, type Ruler } from "./ticks";

const M = 60_000;
const H = 60 * M;
const D = 24 * H;
const at = (iso: string): number => Date.parse(iso);
const labels = (ruler: Ruler): string[] => ruler.ticks.map(({ label }) => label).filter((label) => label !== "");

/** `span` from that instant on, over so many pixels. */
function ruler(iso: string, span: number, zone: string, width = 1200): Ruler {
  return rulerOf({ begin: at(iso), end: at(iso) + span }, width, zone);
}

describe("marks", () => {
  it.each([
    ["a minute", M, 8, "12:00:05"],
    ["an hour", H, 10, "12:05"],
    ["a day", D, 8, "16:00"],
    ["a week", 7 * D, 7, "00:00"],
    ["a month", 30 * D, 10, "Sat 21"],
    ["a year", 365 * D, 12, "Dec"],
  ])("fit %s", (_, span, fewest, one) => {
    const found = ruler("2026-11-20T12:00:00Z", span, "utc");
    expect(labels(found)).toContain(one);
    expect(labels(found).length).toBeGreaterThanOrEqual(fewest);
    expect(labels(found).length).toBeLessThanOrEqual(1200 / 50);
  });

  it("are inside the view, sparse enough on a telephone", () => {
    for (let span = M; span < 366 * D; span *= 1.37) {
      const found = ruler("2026-02-27T11:11:11Z", span, "Europe/Berlin", 360);
      const labelled = found.ticks.filter(({ label }) => label !== "");
      for (const { ms } of found.ticks) expect(ms - at("2026-02-27T11:11:11Z")).toBeGreaterThanOrEqual(0);
      expect(found.ticks.length).toBeLessThan(360);
      expect(labelled.length).toBeGreaterThanOrEqual(span > 20 * D ? 1 : 2);
      labelled.slice(1).forEach(({ ms }, i) => {
        expect(((ms - (labelled[i]?.ms ?? 0)) / span) * 360).toBeGreaterThan(20);
      });
    }
  });

  it("have the leap day", () => {
    expect(labels(ruler("2028-02-28T00:00:00Z", 3 * D, "utc", 260))).toEqual(["Mon 28", "Tue 29", "Wed 1"]);
  });

  it("do not crowd at a month's end", () => {
    const days = labels(ruler("2026-10-25T00:00:00Z", 14 * D, "utc", 450));
    expect(days).toEqual(["Sun 25", "Tue 27", "Thu 29", "Sun 1", "Tue 3", "Thu 5", "Sat 7"]);
  });
});

describe("marks where clocks change", () => {
  it("leave out the hour that is not, in Berlin", () => {
    expect(labels(ruler("2026-03-28T23:00:00Z", 6 * H, "Europe/Berlin", 600))).toEqual([
      "00:00",
      "01:00",
      "03:00",
      "04:00",
      "05:00",
      "06:00",
    ]);
  });

  it("have the hour that is there twice, with its zones", () => {
    expect(labels(ruler("2026-10-24T22:00:00Z", 6 * H, "Europe/Berlin", 600))).toEqual([
      "00:00",
      "01:00",
      "02:00 UTC+2",
      "02:00 UTC+1",
      "03:00",
      "04:00",
    ]);
    expect(labels(ruler("2026-11-01T04:00:00Z", 4 * H, "America/New_York", 400))).toEqual([
      "00:00",
      "01:00 UTC-4",
      "01:00 UTC-5",
      "02:00",
    ]);
  });

  it("stay on whole hours after the half hour of Lord Howe", () => {
    const found = ruler("2026-04-04T13:00:00Z", 5 * H, "Australia/Lord_Howe", 500);
    expect(labels(found)).toEqual(["00:00", "01:00", "02:00", "03:00", "04:00"]);
    expect(found.changes).toEqual([{ ms: at("2026-04-04T15:00:00Z"), note: "clocks go back 30 min" }]);
  });

  it("are round times of the wall in every zone, on every scale", () => {
    for (const zone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "utc"]) {
      for (const begin of ["2026-03-28T20:17:00Z", "2026-10-24T20:17:00Z", "2026-04-04T03:00:00Z"]) {
        for (const span of [20 * M, 5 * H, 30 * H, 60 * H]) {
          for (const { ms, label } of ruler(begin, span, zone).ticks) {
            const { hour, minute, second } = wallClock(ms, zone);
            const [shownHour, shownMinute] = label.split(/[: ]/).map(Number);
            if (/^\d\d:/.test(label)) expect([hour, minute]).toEqual([shownHour, shownMinute]);
            if (span > 30 * M) expect(second).toBe(0);
          }
        }
      }
    }
  });
});

describe("days", () => {
  const hours = (iso: string, zone: string): number[] =>
    ruler(iso, 3 * D, zone)
      .periods.slice(1, -1)
      .map(({ begin, end }) => (end - begin) / H);

  it("have 23, 24 or 25 hours", () => {
    expect(hours("2026-03-28T12:00:00Z", "Europe/Berlin")).toEqual([23, 24]);
    expect(hours("2026-10-24T12:00:00Z", "Europe/Berlin")).toEqual([25, 24]);
    expect(hours("2026-10-24T12:00:00Z", "utc")).toEqual([24, 24]);
    expect(hours("2026-04-04T00:00:00Z", "Australia/Lord_Howe")).toEqual([24.5, 24]);
  });

  it("begin at midnight of the zone and say when they are odd", () => {
    const { periods } = ruler("2026-10-24T12:00:00Z", 3 * D, "Europe/Berlin");
    expect(periods.map(({ labels: [longest] }) => longest)).toEqual([
      "Sat 24 Oct 2026",
      "Sun 25 Oct 2026 (25 h)",
      "Mon 26 Oct 2026",
      "Tue 27 Oct 2026",
    ]);
    for (const { begin } of periods) expect((begin + offsetMs(begin, "Europe/Berlin")) % D).toBe(0);
  });

  it("become months, then years", () => {
    expect(ruler("2026-11-20T00:00:00Z", 30 * D, "utc").periods.map(({ labels }) => labels[0])).toEqual([
      "Nov 2026",
      "Dec 2026",
    ]);
    expect(ruler("2026-06-01T00:00:00Z", 365 * D, "utc").periods.map(({ labels }) => labels[0])).toEqual([
      "2026",
      "2027",
    ]);
  });
});

describe("where no calendar goes", () => {
  it.each(["utc", "Europe/Berlin"])("they end, in %s", (zone) => {
    const last = 8.64e15; // the last instant of a Date
    for (const span of [60_000, 7 * 86_400_000, 400 * 86_400_000, 30 * 400 * 86_400_000]) {
      expect(rulerOf({ begin: last - span, end: last + span }, 800, zone).periods.length).toBeLessThan(400);
    }
  });
});

describe("steps of keys", () => {
  it("are round", () => {
    expect([1, 999, 1000, 61_000, 35 * M, 2 * D].map(roundStep)).toEqual([1000, 1000, 1000, M, 30 * M, 2 * D]);
  });
});
