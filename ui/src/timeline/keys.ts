/**
 * What keys mean on the band.
 *
 *     arrows        a step; with shift a large one, with control to the next edge of what is recorded
 *     page          a screen        home, end   the archive's beginning, now
 *     enter         goes there      + -         zoom        i o   limiters here        escape   never mind
 */
import type { Span } from "../api/types";
import type { Limiter } from "./selection";
import { roundStep } from "./ticks";
import { clamp, move, spanOf, type View } from "./view";
import type { Zones } from "./zones";

export type KeyDeed =
  | { do: "point"; ms: number; view?: View }
  | { do: "seek"; ms: number }
  | { do: "zoom"; factor: number; at: number }
  | { do: "limit"; limiter: Limiter; ms: number }
  | { do: "unpoint" }
  | { do: "clear" };

export type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "altKey" | "metaKey">;

interface Stage {
  /** Where the line is, or the playhead. */
  place: number;
  hasCursor: boolean;
  view: View;
  zones: Zones;
  bounds: Span;
}

const FINE = 1 / 120;
const COARSE = 1 / 12;
const PAGE = 0.8;
export const ZOOM = 2;

export function barKey(key: Key, { place, hasCursor, view, zones, bounds }: Stage): KeyDeed | null {
  if (key.altKey || key.metaKey) return null;
  const [first, last] = bounds;
  const to = (ms: number): KeyDeed => ({ do: "point", ms: clamp(ms, first, last) });
  switch (key.key) {
    case "ArrowLeft":
    case "ArrowRight": {
      const sign = key.key === "ArrowLeft" ? -1 : 1;
      return to(key.ctrlKey ? nextEdge(zones, place, sign) : place + sign * stepOf(key, view));
    }
    case "PageUp":
    case "PageDown": {
      const by = (key.key === "PageUp" ? -PAGE : PAGE) * spanOf(view);
      return { do: "point", ms: clamp(place + by, first, last), view: move(view, by) };
    }
    case "Home":
      return to(first);
    case "End":
      return to(last);
    case "Enter":
      return { do: "seek", ms: clamp(place, first, last) };
    case "+":
    case "=":
      return { do: "zoom", factor: 1 / ZOOM, at: place };
    case "-":
      return { do: "zoom", factor: ZOOM, at: place };
    case "i":
      return { do: "limit", limiter: "begin", ms: place };
    case "o":
      return { do: "limit", limiter: "end", ms: place };
    case "Escape":
      return hasCursor ? { do: "unpoint" } : { do: "clear" };
    default:
      return null;
  }
}

export function limiterKey(
  key: Key,
  limiter: Limiter,
  { chosen, view, bounds: [first, last] }: { chosen: Span; view: View; bounds: Span },
): KeyDeed | null {
  if (key.altKey || key.metaKey || key.ctrlKey) return null;
  const at = limiter === "begin" ? chosen[0] : chosen[1];
  switch (key.key) {
    case "ArrowLeft":
      return { do: "limit", limiter, ms: at - stepOf(key, view) };
    case "ArrowRight":
      return { do: "limit", limiter, ms: at + stepOf(key, view) };
    case "Home":
      return { do: "limit", limiter, ms: first };
    case "End":
      return { do: "limit", limiter, ms: last };
    case "Escape":
    case "Delete":
      return { do: "clear" };
    default:
      return null;
  }
}

function stepOf(key: Key, view: View): number {
  return roundStep(spanOf(view) * (key.shiftKey ? COARSE : FINE));
}

/** The nearest begin or end of something recorded, `place` itself not being one. */
function nextEdge({ recorded }: Zones, place: number, sign: -1 | 1): number {
  const i = recorded.after(place);
  const candidates = [i - 1, i, i + 1].flatMap((k) =>
    k >= 0 && k < recorded.length ? [recorded.begin(k), recorded.end(k)] : [],
  );
  const ahead = candidates.filter((edge) => (edge - place) * sign > 0);
  return ahead.length === 0 ? place : sign > 0 ? Math.min(...ahead) : Math.max(...ahead);
}
