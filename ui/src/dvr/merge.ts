/** What is recorded, kept up to date: the whole at first, then what has changed lately. */
import type { Span, Timeline } from "../api/types";
import { merged } from "../timeline/zones";

/** `old` up to `from`, then what `news` says, which was asked for from there on. */
export function updated(old: Timeline, news: Timeline, from: number): Timeline {
  return {
    ...news,
    ranges: joined(old.ranges, news.ranges, from),
    locks: joined(old.locks, news.locks, from),
    gaps: [
      ...old.gaps.filter(([begin, end]) => end <= from && !news.gaps.some((gap) => gap[0] === begin)),
      ...news.gaps,
    ],
  };
}

/** Spans that touch or overlap become one. */
function joined(old: readonly Span[], news: readonly Span[], from: number): Span[] {
  const kept = old.filter(([begin]) => begin < from).map(([begin, end]): Span => [begin, Math.min(end, from)]);
  const spans: Span[] = [];
  for (const [begin, end] of [...kept, ...news].sort((one, other) => one[0] - other[0])) {
    const last = spans[spans.length - 1];
    if (last !== undefined && begin <= last[1]) spans[spans.length - 1] = [last[0], Math.max(last[1], end)];
    else spans.push([begin, end]);
  }
  return spans;
}

/** How much (ms) of `span` is recorded, and how much of that is locked: each moment once, however many locks it has. */
export function amounts({ ranges, locks }: Timeline, span: Span): { recorded: number; locked: number } {
  const recorded = inside(ranges, span);
  const locked = merged(locks).map((lock) => lengthOf(inside(recorded, lock)));
  return { recorded: lengthOf(recorded), locked: locked.reduce((sum, one) => sum + one, 0) };
}

/** The parts of `spans` inside of `within`. */
export function inside(spans: readonly Span[], [begin, end]: Span): Span[] {
  return spans
    .map((span): Span => [Math.max(span[0], begin), Math.min(span[1], end)])
    .filter((span) => span[0] < span[1]);
}

export const lengthOf = (spans: readonly Span[]): number => spans.reduce((sum, [begin, end]) => sum + end - begin, 0);
