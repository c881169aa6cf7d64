/**
 * What is on the screen of the archive: a span of time over so many pixels.
 *
 *     begin            at              end
 *     |----------------|---------------|        x = (at - begin) / (end - begin) * width
 *
 * Never shorter than a minute nor longer than a year.
 */
import type { Span } from "../api/types";
import { DAY_MS, MINUTE_MS } from "../common/time";

/** UTC ms, `begin` < `end`; not necessarily whole. */
export interface View {
  readonly begin: number;
  readonly end: number;
}

export const SHORTEST_MS = MINUTE_MS;
export const LONGEST_MS = 366 * DAY_MS;
/** How much of a view that follows is future. */
const AHEAD = 0.07;
/** How far one can look past the archive's ends, in views. */
const BEYOND = 0.1;

export const spanOf = (view: View): number => view.end - view.begin;

export function xOf(view: View, width: number, ms: number): number {
  return ((ms - view.begin) / (view.end - view.begin)) * width;
}

export function msAt(view: View, width: number, x: number): number {
  return view.begin + (x / width) * (view.end - view.begin);
}

/** `factor` < 1 shows less. What was at `at` stays where it is. */
export function zoom(view: View, factor: number, at: number = (view.begin + view.end) / 2): View {
  const span = clamp(spanOf(view) * factor, SHORTEST_MS, LONGEST_MS);
  const share = (at - view.begin) / spanOf(view);
  return { begin: at - share * span, end: at + (1 - share) * span };
}

export function move(view: View, ms: number): View {
  return { begin: view.begin + ms, end: view.end + ms };
}

/** `ms` in the middle. */
export function around(ms: number, span: number): View {
  const within = clamp(span, SHORTEST_MS, LONGEST_MS);
  return { begin: ms - within / 2, end: ms + within / 2 };
}

/** The newest `span`, with a little of what is to come. */
export function upToNow(now: number, span: number): View {
  const within = clamp(span, SHORTEST_MS, LONGEST_MS);
  return { begin: now - within * (1 - AHEAD), end: now + within * AHEAD };
}

/** All of [`begin`, `end`), with a margin. */
export function showing([begin, end]: Span): View {
  return around((begin + end) / 2, (end - begin) * 1.1);
}

/** Whether the present is at the right edge. */
export function isAtNow(view: View, now: number): boolean {
  return now <= view.end && now >= view.end - BEYOND * 1.2 * spanOf(view);
}

/** Moved back to where there is something to see: from the archive's first instant to now. */
export function keepWithin(view: View, first: number, now: number): View {
  const span = spanOf(view);
  const latest = now + BEYOND * span - span;
  const earliest = Math.min(first - BEYOND * span, latest);
  return move(view, clamp(view.begin, earliest, latest) - view.begin);
}

/** Moved just so far that `ms` is well inside; the same view if it is on the screen. */
export function reveal(view: View, ms: number): View {
  return ms >= view.begin && ms <= view.end ? view : around(ms, spanOf(view));
}

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
