import { describe, expect, it } from "vitest";

import type { Span, Timeline } from "../api/types";
import { aggregate, extentOf, gapsIn, newColumns, noteOn, summary, zonesOf } from "./zones";

const T = Date.parse("2026-11-20T13:00:00Z");
const M = 60_000;

function archive(ranges: Span[], rest: Partial<Timeline> = {}): Timeline {
  const now = rest.now ?? T + 60 * M;
  return {
    name: "a",
    now,
    recording: false,
    opened_at: null,
    closed_at: null,
    bytes: 0,
    ranges,
    locks: [],
    gaps: [],
    ...rest,
  };
}

/** The same archive each time: odd spans, some of one ms, gaps of one ms. */
function scattered(count: number): Span[] {
  let state = 7;
  const next = (most: number): number => (state = (state * 48_271) % 2_147_483_647) % most;
  const spans: Span[] = [];
  let at = T;
  for (let i = 0; i < count; i += 1) {
    const begin = at + 1 + (next(3) === 0 ? 0 : next(20_000));
    at = begin + 1 + (next(4) === 0 ? 0 : next(60_000));
    spans.push([begin, at]);
  }
  return spans;
}

function overlap(spans: readonly Span[], from: number, to: number): number {
  return spans.reduce((sum, [begin, end]) => sum + Math.max(0, Math.min(end, to) - Math.max(begin, from)), 0);
}

describe("columns", () => {
  it.each([1, 3, 50, 400])("of %i spans are what counting each gives", (count) => {
    const spans = scattered(count);
    const zones = zonesOf(archive(spans));
    const now = (spans.at(-1)?.[1] ?? T) + 5000;
    const [first, end] = extentOf(zones, now);
    for (const view of [
      { begin: T - 1000, end: now + 10_000 },
      { begin: T + 12_345.678, end: T + 72_345.1 },
      { begin: now - 90_000.5, end: now + 1 },
      { begin: now + 1, end: now + 90_000 },
    ]) {
      const columns = newColumns(97);
      aggregate(zones, view, now, columns);
      const step = (view.end - view.begin) / 97;
      columns.recorded.forEach((share, i) => {
        const [from, to] = [view.begin + i * step, view.begin + (i + 1) * step];
        const recorded = overlap(spans, from, to);
        const possible = Math.max(0, Math.min(to, end) - Math.max(from, first));
        expect(share * step).toBeCloseTo(recorded, -1);
        expect((columns.missing[i] ?? NaN) * step).toBeCloseTo(possible - recorded, -1);
      });
    }
  });

  it("of a year still have a gap of one ms, in one of them", () => {
    const year = 365 * 86_400_000;
    const zones = zonesOf(
      archive([
        [T - year, T - year / 3],
        [T - year / 3 + 1, T],
      ]),
    );
    const columns = newColumns(1000);
    aggregate(zones, { begin: T - year, end: T }, T, columns);
    expect([...columns.missing].filter((share) => share > 0)).toHaveLength(1);
    expect([...columns.recorded].every((share) => share > 0.99)).toBe(true);
  });

  it("are neither recorded nor missing before the archive and after now", () => {
    const columns = newColumns(4);
    aggregate(zonesOf(archive([[T, T + M]])), { begin: T - M, end: T + 3 * M }, T + 2 * M, columns);
    expect([...columns.recorded]).toEqual([0, 1, 0, 0]);
    expect([...columns.missing]).toEqual([0, 0, 1, 0]);
  });

  it("of nothing are empty", () => {
    const columns = newColumns(3);
    aggregate(zonesOf(archive([])), { begin: T, end: T + M }, T + M, columns);
    expect([...columns.recorded, ...columns.missing]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe("what is on its way to the archive", () => {
  const ranges: Span[] = [[T, T + 10 * M]];

  it("is not missing while recording goes on", () => {
    const zones = zonesOf(archive(ranges, { recording: true, now: T + 10 * M + 2000 }));
    expect(gapsIn(zones, T, T + 20 * M, T + 10 * M + 3000).count).toBe(0);
    expect(noteOn(zones, T + 10 * M + 500, T + 10 * M + 600, T + 10 * M + 3000, "utc")).toBe("being recorded");
  });

  it("is missing when it is late, or nothing is recorded", () => {
    for (const rest of [
      { recording: true, now: T + 12 * M },
      { recording: false, now: T + 10 * M + 2000 },
    ]) {
      const zones = zonesOf(archive(ranges, rest));
      expect(gapsIn(zones, T, T + 20 * M, T + 12 * M).count).toBe(1);
    }
  });
});

describe("gaps in words", () => {
  const zones = zonesOf(
    archive(
      [
        [T, T + 62 * M + 11_000],
        [T + 65 * M + 40_000, T + 70 * M],
        [T + 71 * M, T + 80 * M],
      ],
      { gaps: [[T + 62 * M + 11_000, T + 65 * M + 40_000, "source_lost"]], locks: [[T, T + M]], now: T + 80 * M },
    ),
  );
  const now = T + 80 * M;
  const note = (minute: number, reach = 1000): string | null =>
    noteOn(zones, T + minute * M - reach, T + minute * M + reach, now, "utc");

  it("say when, how long and why", () => {
    expect(note(63)).toBe("not recorded 14:02:11-14:05:40 (3 min 29 s): source lost");
    expect(note(70.5)).toBe("not recorded 14:10:00-14:11:00 (1 min)");
    expect(note(69.99)).toBe("not recorded 14:10:00-14:11:00 (1 min)");
  });

  it("are counted where they can't be told apart", () => {
    expect(note(68, 10 * M)).toBe("2 gaps here, 4 min 29 s not recorded");
  });

  it("say what else is there", () => {
    expect(note(30)).toBeNull();
    expect(note(0.5)).toBe("locked");
    expect(note(-5)).toBe("before the archive begins");
    expect(note(90)).toBe("to come");
  });

  it("are summed up", () => {
    expect(summary(zones, { begin: T - M, end: T + 99 * M }, now)).toBe("recorded 1 h 15 min of 1 h 20 min, 2 gaps");
    expect(summary(zones, { begin: T, end: T + M }, now)).toBe("recorded 1 min of 1 min, no gaps");
    expect(summary(zones, { begin: T + 70 * M, end: T + 71 * M }, now)).toBe("recorded 0 s of 1 min, 1 gap");
    expect(summary(zonesOf(archive([])), { begin: T, end: T + M }, now)).toBe("nothing is recorded");
  });
});
