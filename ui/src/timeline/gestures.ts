/**
 * What pointers mean: a state machine without a screen.
 *
 *     down on the bar      press --moves--> scrub --up--> seek        shift: choose
 *     down on the ruler    press --moves--> move  --up--> fling
 *     down on a limiter    limit
 *     a second finger      pinch, until one goes; then the other moves
 *
 *     step(hands, touch, stage) -> hands, deeds
 */
import type { Span } from "../api/types";
import { between, limited, parked, rounded, type Limiter } from "./selection";
import { clamp, move, msAt, spanOf, xOf, zoom, type View } from "./view";

export type Part = "ruler" | "bar" | Limiter;

/** One thing that a pointer does; `x` from the left edge in pixels, `time` in ms. */
export interface Touch {
  kind: "down" | "move" | "up" | "cancel";
  id: number;
  x: number;
  time: number;
  part: Part;
  /** With shift held: a press on the bar chooses. */
  choose?: boolean;
}

/** What the deeds are worked out for. */
export interface Stage {
  view: View;
  width: number;
  selection: Span | null;
  /** What can be chosen and sought. */
  bounds: Span;
}

export type Deed =
  | { do: "seek"; ms: number }
  /** The playhead is dragged; `null`: no longer. */
  | { do: "scrub"; ms: number | null }
  | { do: "view"; view: View }
  | { do: "choose"; selection: Span }
  /** Let go while moving, pixels per ms. */
  | { do: "fling"; speed: number };

export type Hands =
  | { is: "idle" }
  | { is: "press"; id: number; x: number; part: "ruler" | "bar" }
  | { is: "scrub"; id: number; x: number }
  | { is: "move"; id: number; x: number; from: View; trail: readonly (readonly [x: number, time: number])[] }
  /** `hold`: how far beside the limiter it was taken. */
  | { is: "limit"; id: number; limiter: Limiter; hold: number; chosen: Span; moved: boolean }
  | { is: "choose"; id: number; x: number; anchor: number }
  | {
      is: "pinch";
      ids: readonly [number, number];
      xs: readonly [number, number];
      begun: readonly [number, number];
      from: View;
    };

export const IDLE: Hands = { is: "idle" };

/** Less is a trembling hand. */
const SLACK_PX = 4;
const CLOSEST_PX = 24;
/** What counts for the speed at the end. */
const TRAIL_MS = 100;
const FLING_PX_PER_MS = 0.3;

type Outcome = readonly [hands: Hands, deeds: readonly Deed[]];

export function step(hands: Hands, touch: Touch, stage: Stage): Outcome {
  if (touch.kind === "down") return down(hands, touch, stage);
  if (!isHolding(hands, touch.id)) return [hands, []];
  if (touch.kind === "move") return moved(hands, touch, stage);
  return touch.kind === "up" ? up(hands, touch, stage) : cancelled(hands);
}

function isHolding(hands: Hands, id: number): boolean {
  if (hands.is === "idle") return false;
  return hands.is === "pinch" ? hands.ids.includes(id) : hands.id === id;
}

function down(hands: Hands, { id, x, part, choose }: Touch, stage: Stage): Outcome {
  if (hands.is === "pinch") return [hands, []];
  if (hands.is !== "idle") return pinched(hands, id, x, stage);
  if (part === "begin" || part === "end") {
    const chosen = stage.selection ?? parked(stage.view, stage.bounds);
    const hold = x - xOf(stage.view, stage.width, part === "begin" ? chosen[0] : chosen[1]);
    return [{ is: "limit", id, limiter: part, hold, chosen, moved: false }, []];
  }
  if (choose === true && part === "bar") return [{ is: "choose", id, x, anchor: at(x, stage) }, []];
  return [{ is: "press", id, x, part }, []];
}

/** The second finger comes. */
function pinched(hands: Exclude<Hands, { is: "idle" | "pinch" }>, id: number, x: number, stage: Stage): Outcome {
  if (hands.is === "limit" || hands.is === "choose") return [hands, []];
  const first = hands.is === "move" ? (hands.trail.at(-1)?.[0] ?? hands.x) : hands.x;
  const deeds: Deed[] = hands.is === "scrub" ? [{ do: "scrub", ms: null }] : [];
  const xs = [first, x] as const;
  return [{ is: "pinch", ids: [hands.id, id], xs, begun: xs, from: stage.view }, deeds];
}

function moved(hands: Hands, { id, x, time }: Touch, stage: Stage): Outcome {
  switch (hands.is) {
    case "idle":
      return [hands, []];
    case "press":
      if (Math.abs(x - hands.x) < SLACK_PX) return [hands, []];
      if (hands.part === "bar") return [{ is: "scrub", id, x }, [{ do: "scrub", ms: sought(x, stage) }]];
      return [{ is: "move", id, x, from: stage.view, trail: [[x, time]] }, []];
    case "scrub":
      return [{ ...hands, x }, [{ do: "scrub", ms: sought(x, stage) }]];
    case "move": {
      const trail = [...hands.trail.filter(([, then]) => time - then < TRAIL_MS), [x, time] as const];
      const by = ((hands.x - x) / stage.width) * spanOf(hands.from);
      return [{ ...hands, trail }, [{ do: "view", view: move(hands.from, by) }]];
    }
    case "limit": {
      const selection = limited(hands.chosen, hands.limiter, at(x - hands.hold, stage), stage.bounds);
      return [{ ...hands, chosen: selection, moved: true }, [{ do: "choose", selection }]];
    }
    case "choose":
      if (Math.abs(x - hands.x) < SLACK_PX) return [hands, []];
      return [hands, [{ do: "choose", selection: between(hands.anchor, at(x, stage), stage.bounds) }]];
    case "pinch": {
      const xs = hands.ids[0] === id ? ([x, hands.xs[1]] as const) : ([hands.xs[0], x] as const);
      return [{ ...hands, xs }, [{ do: "view", view: stretched(hands.from, hands.begun, xs, stage.width) }]];
    }
  }
}

/** What was between the fingers stays between them. */
function stretched(
  from: View,
  [a, b]: readonly [number, number],
  [c, d]: readonly [number, number],
  width: number,
): View {
  const factor = Math.max(Math.abs(b - a), CLOSEST_PX) / Math.max(Math.abs(d - c), CLOSEST_PX);
  const view = zoom(from, factor, msAt(from, width, (a + b) / 2));
  return move(view, (((a + b) / 2 - (c + d) / 2) / width) * spanOf(view));
}

function up(hands: Hands, { id, x, time }: Touch, stage: Stage): Outcome {
  switch (hands.is) {
    case "press":
      return [IDLE, [{ do: "seek", ms: sought(x, stage) }]];
    case "scrub":
      return [
        IDLE,
        [
          { do: "seek", ms: sought(x, stage) },
          { do: "scrub", ms: null },
        ],
      ];
    case "choose":
      return [IDLE, Math.abs(x - hands.x) < SLACK_PX ? [{ do: "seek", ms: sought(x, stage) }] : []];
    case "move": {
      const [x0, since] = hands.trail.find(([, then]) => time - then < TRAIL_MS) ?? [x, time];
      const speed = time > since ? (x - x0) / (time - since) : 0;
      return [IDLE, Math.abs(speed) > FLING_PX_PER_MS ? [{ do: "fling", speed }] : []];
    }
    case "pinch": {
      const rest = hands.ids[0] === id ? 1 : 0;
      const place = hands.xs[rest];
      return [{ is: "move", id: hands.ids[rest], x: place, from: stage.view, trail: [[place, time]] }, []];
    }
    default:
      return [IDLE, []];
  }
}

function cancelled(hands: Hands): Outcome {
  return [IDLE, hands.is === "scrub" ? [{ do: "scrub", ms: null }] : []];
}

function at(x: number, { view, width }: Stage): number {
  return rounded(msAt(view, width, clamp(x, 0, width)), spanOf(view) / width);
}

function sought(x: number, stage: Stage): number {
  const [first, last] = stage.bounds;
  return clamp(Math.round(msAt(stage.view, stage.width, clamp(x, 0, stage.width))), first, last);
}
