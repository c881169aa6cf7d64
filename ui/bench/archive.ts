/** An archive that never was: `gaps` gaps in `days` days, the same each time. */
import type { GapReason, Span, Timeline } from "../src/api/types";

const DAY_MS = 86_400_000;
const REASONS: readonly GapReason[] = ["source_lost", "restart", "disk"];

export function archiveOf(now: number, days: number, gaps: number): Timeline {
  const first = now - days * DAY_MS;
  const apart = (days * DAY_MS) / (gaps + 1);
  const random = generator(4711);
  const ranges: Span[] = [];
  const lost: Timeline["gaps"] = [];
  let begin = first;
  for (let i = 0; i < gaps; i += 1) {
    const at = Math.round(first + (i + 0.2 + 0.6 * random()) * apart);
    // most are short, some are hours
    const size = Math.round(500 + (0.3 * apart - 500) * random() ** 6);
    ranges.push([begin, at]);
    lost.push([at, at + size, REASONS[i % REASONS.length] as GapReason]);
    begin = at + size;
  }
  ranges.push([begin, now - 1200]);
  const locks: Span[] = [
    [now - 3 * 3_600_000, now - 2.2 * 3_600_000],
    [now - 40 * DAY_MS, now - 33 * DAY_MS],
  ];
  return {
    name: "bench",
    now,
    recording: true,
    opened_at: first,
    closed_at: null,
    bytes: 0,
    ranges,
    locks,
    gaps: lost,
  };
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}
