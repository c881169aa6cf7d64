/**
 * The part that is chosen, between two limiters.
 *
 *     bounds  |---------------------------|     begin never passes end, neither leaves the archive
 *                   [begin ===== end]
 *
 * With nothing chosen the limiters wait at the edges of the screen.
 */
import type { Span } from "../api/types";
import { clamp, type View } from "./view";

export type Limiter = "begin" | "end";

export const SHORTEST_SELECTION_MS = 1000;

/** Where the limiters are while nothing is chosen: as much of the archive as is on the screen. */
export function parked(view: View, [first, last]: Span): Span {
  const begin = clamp(view.begin, first, last);
  return [begin, clamp(view.end, begin, last)];
}

/** One limiter moved to `ms`, as far as it goes. */
export function limited([begin, end]: Span, limiter: Limiter, ms: number, [first, last]: Span): Span {
  if (limiter === "begin") return [clamp(ms, first, Math.max(first, end - SHORTEST_SELECTION_MS)), end];
  return [begin, clamp(ms, Math.min(last, begin + SHORTEST_SELECTION_MS), last)];
}

/** From one instant to another, whichever is first. */
export function between(one: number, other: number, [first, last]: Span): Span {
  const begin = clamp(Math.min(one, other), first, Math.max(first, last - SHORTEST_SELECTION_MS));
  return [begin, clamp(Math.max(one, other), begin + SHORTEST_SELECTION_MS, Math.max(last, begin))];
}

/** As exact as a pixel is, and not more: whole seconds where a pixel is longer than one. */
export function rounded(ms: number, msPerPixel: number): number {
  return msPerPixel >= 1000 ? Math.round(ms / 1000) * 1000 : Math.round(ms);
}
