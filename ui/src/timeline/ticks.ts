/**
 * What is written on the ruler: labelled marks as dense as fits, and above them the days (months, years) they are in.
 *
 *     Fri 20 Nov 2026            | Sat 21 Nov 2026
 *     21:00    22:00    23:00    00:00    01:00    02:00
 *
 * Marks up to 12 h stand on round wall times, also where clocks change: the hour that happens twice is there twice, with
 * its zone, the one that does not is not. Days and longer are the calendar's own: 23, 24 or 25 h.
 */
import { monthTitle } from "../common/time";
import { clockChanges, fromWall, isRepeated, offsetMs, wallClock, zoneTitle, type AnyZone } from "../common/zone";
import { spanOf, type View } from "./view";

export interface Tick {
  ms: number;
  /** Empty: a small mark between. */
  label: string;
}

/** A day, month or year; its labels from the longest to the shortest. */
export interface Period {
  begin: number;
  end: number;
  labels: readonly string[];
}

export interface Ruler {
  ticks: readonly Tick[];
  periods: readonly Period[];
  /** Where clocks change, and what they do. */
  changes: readonly { ms: number; note: string }[];
}

type Unit = "ms" | "day" | "month";
interface Step {
  unit: Unit;
  /** ms, days or months. */
  size: number;
  /** Marks between, in the same unit; days may have marks of ms. */
  minor: number;
  /** About as long, ms. */
  span: number;
  /** Pixels that a label of it wants. */
  room: number;
}

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const STEPS: readonly Step[] = [
  ...(
    [
      [1 * S, S / 2],
      [2 * S, 1 * S],
      [5 * S, 1 * S],
      [10 * S, 2 * S],
      [15 * S, 5 * S],
      [30 * S, 5 * S],
      [1 * M, 10 * S],
      [2 * M, 30 * S],
      [5 * M, 1 * M],
      [10 * M, 2 * M],
      [15 * M, 5 * M],
      [30 * M, 10 * M],
      [1 * H, 15 * M],
      [2 * H, 30 * M],
      [3 * H, 1 * H],
      [6 * H, 1 * H],
      [12 * H, 3 * H],
    ] as const
  ).map(([size, minor]): Step => ({ unit: "ms", size, minor, span: size, room: size < M ? 84 : 64 })),
  { unit: "day", size: 1, minor: 6 * H, span: D, room: 60 },
  { unit: "day", size: 2, minor: 12 * H, span: 2 * D, room: 60 },
  { unit: "day", size: 7, minor: D, span: 7 * D, room: 60 },
  { unit: "day", size: 14, minor: D, span: 14 * D, room: 60 },
  { unit: "month", size: 1, minor: 7, span: 30 * D, room: 52 },
  { unit: "month", size: 3, minor: 1, span: 91 * D, room: 52 },
  { unit: "month", size: 12, minor: 1, span: 366 * D, room: 0 },
];

export function rulerOf(view: View, width: number, zone: AnyZone): Ruler {
  const perPixel = spanOf(view) / width;
  const step = STEPS.find(({ span, room }) => span / perPixel >= room) ?? (STEPS.at(-1) as Step);
  const changes = clockChanges(view.begin, view.end, zone);
  return {
    ticks: step.unit === "ms" ? timeTicks(view, step, changes, zone) : calendarTicks(view, step, changes, zone),
    periods: periods(view, step.unit === "ms" ? "day" : step.unit === "day" ? "month" : "year", zone),
    changes: changes.map((ms) => ({ ms, note: changeNote(ms, zone) })),
  };
}

/** Small steps for keys: a round part of what is on the screen. */
export function roundStep(ms: number): number {
  return STEPS.findLast(({ span }) => span <= ms)?.span ?? S;
}

/** Between two changes of the clock marks are equally far apart. */
function timeTicks(view: View, { size, minor }: Step, changes: readonly number[], zone: AnyZone): Tick[] {
  const edges = [view.begin, ...changes, view.end];
  const ticks: Tick[] = [];
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const [from, to] = [edges[i] as number, edges[i + 1] as number];
    const offset = offsetMs(from, zone);
    for (let wall = Math.ceil((from + offset) / minor) * minor; wall - offset < to; wall += minor) {
      const ms = wall - offset;
      ticks.push({ ms, label: wall % size === 0 ? timeLabel(ms, size, zone) : "" });
    }
  }
  return ticks;
}

function timeLabel(ms: number, size: number, zone: AnyZone): string {
  const { hour, minute, second } = wallClock(ms, zone);
  const time = `${two(hour)}:${two(minute)}${size < M ? `:${two(second)}` : ""}`;
  return isRepeated(ms, zone) ? `${time} ${zoneTitle(ms, zone)}` : time;
}

function calendarTicks(view: View, step: Step, changes: readonly number[], zone: AnyZone): Tick[] {
  const labelled = step.unit === "day" ? dayTicks(view, step.size, zone) : monthTicks(view, step.size, zone);
  return [...labelled, ...between(view, step, changes, zone)];
}

function between(view: View, { unit, minor }: Step, changes: readonly number[], zone: AnyZone): Tick[] {
  if (unit === "day" && minor < D) {
    const size = Infinity;
    const marks = timeTicks(view, { unit, size, minor, span: minor, room: 0 }, changes, zone);
    return marks.map(({ ms }) => ({ ms, label: "" }));
  }
  const ticks = unit === "day" || minor > 1 ? dayTicks(view, unit === "day" ? 1 : 7, zone) : monthTicks(view, 1, zone);
  return ticks.map(({ ms }) => ({ ms, label: "" }));
}

/** The 1st of each month, and every `size` days after it; not a last one that is too near to the next 1st. */
function dayTicks(view: View, size: number, zone: AnyZone): Tick[] {
  const ticks: Tick[] = [];
  for (const { year, month } of months(view, 1, zone)) {
    const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
    for (let day = 1; day <= days && (day === 1 || days + 1 - day >= size * 0.6); day += size) {
      const ms = fromWall({ year, month, day }, zone);
      if (ms < view.begin || ms >= view.end) continue;
      const weekday = WEEKDAYS[new Date(Date.UTC(year, month - 1, day)).getUTCDay()] ?? "";
      ticks.push({ ms, label: `${weekday} ${day}` });
    }
  }
  return ticks;
}

function monthTicks(view: View, size: number, zone: AnyZone): Tick[] {
  return months(view, size, zone)
    .map(({ year, month }) => ({ ms: fromWall({ year, month }, zone), label: monthTitle(month) }))
    .filter(({ ms }) => ms >= view.begin && ms < view.end);
}

/** The months that touch the view, every `size` from January. */
function months(view: View, size: number, zone: AnyZone): { year: number; month: number }[] {
  const { year, month } = wallClock(view.begin, zone);
  const last = wallClock(view.end, zone);
  const found: { year: number; month: number }[] = [];
  const end = last.year * 12 + last.month - 1;
  for (let at = year * 12 + month - 1; at <= end; at += 1) {
    if (at % size === 0) found.push({ year: Math.floor(at / 12), month: (at % 12) + 1 });
  }
  return found;
}

function periods(view: View, unit: "day" | "month" | "year", zone: AnyZone): Period[] {
  const found: Period[] = [];
  let { year, month, day } = wallClock(view.begin, zone);
  if (unit !== "day") day = 1;
  if (unit === "year") month = 1;
  for (;;) {
    const begin = fromWall({ year, month, day }, zone);
    if (!(begin < view.end)) return found; // also where no calendar goes: NaN
    const labels = periodLabels(begin, unit, zone);
    if (unit === "year") year += 1;
    else if (unit === "month") month += 1;
    else day += 1;
    const end = fromWall({ year, month, day }, zone);
    const hours = (end - begin) / H;
    const odd = unit === "day" && hours !== 24 ? [`${labels[0]} (${hours} h)`] : [];
    found.push({ begin, end, labels: [...odd, ...labels] });
  }
}

function periodLabels(ms: number, unit: "day" | "month" | "year", zone: AnyZone): string[] {
  const { year, month, day, weekday } = wallClock(ms, zone);
  const name = monthTitle(month);
  if (unit === "year") return [String(year)];
  if (unit === "month") return [`${name} ${year}`, name];
  return [`${WEEKDAYS[weekday]} ${day} ${name} ${year}`, `${WEEKDAYS[weekday]} ${day} ${name}`, `${day} ${name}`];
}

function changeNote(ms: number, zone: AnyZone): string {
  const minutes = (offsetMs(ms, zone) - offsetMs(ms - 1, zone)) / M;
  const size = Math.abs(minutes) === 60 ? "1 h" : `${Math.abs(minutes)} min`;
  return `clocks go ${minutes > 0 ? "forward" : "back"} ${size}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
