/**
 * Time zones: how far a clock on the wall is from UTC, and back.
 *
 *     UTC ms  --wallClock-->  2026-10-25 02:30 in Berlin  --fromWall-->  UTC ms
 *
 * Where clocks go back, a wall time happens twice: the first one is meant. Where they go forward, a wall time does not
 * happen: it is counted from before the change, so that 02:30 becomes 03:30.
 */
import { effect, signal } from "@preact/signals";

import { keep, kept } from "./kept";

/** What the page shows: the browser's own time, or UTC. */
export type Zone = "local" | "utc";
/** The same, or a zone by its IANA name ("Europe/Berlin"). */
export type AnyZone = Zone | (string & {});

export interface Wall {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
  /** 0 is Sunday. */
  weekday: number;
}

/** Of a Date: what is later, or earlier than its negative, is no instant. */
const LAST_MS = 8.64e15;
const DAY_MS = 86_400_000;
/** Clocks change on quarters of an hour: one answer is good for all of it. */
const QUARTER_MS = 900_000;
const REMEMBERED = 4096;

const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, Map<number, number>>();

/** East of Greenwich is positive. RangeError: no such zone. */
export function offsetMs(ms: number, zone: AnyZone): number {
  if (!(Math.abs(ms) <= LAST_MS)) return 0;
  if (zone === "utc") return 0;
  if (zone === "local") return -new Date(ms).getTimezoneOffset() * 60_000;
  let known = offsets.get(zone);
  if (known === undefined || known.size > REMEMBERED) offsets.set(zone, (known = new Map<number, number>()));
  const quarter = Math.floor(ms / QUARTER_MS);
  let offset = known.get(quarter);
  if (offset === undefined) known.set(quarter, (offset = askIntl(quarter * QUARTER_MS, zone)));
  return offset;
}

function askIntl(ms: number, zone: string): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

export function wallClock(ms: number, zone: AnyZone): Wall {
  const shifted = new Date(ms + offsetMs(ms, zone));
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    ms: shifted.getUTCMilliseconds(),
    weekday: shifted.getUTCDay(),
  };
}

/** Parts over their ends run on, as in `Date.UTC`: day 32 is in the next month. */
export function fromWall(wall: Partial<Wall> & { year: number }, zone: AnyZone): number {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0 } = wall;
  const reading = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const before = offsetMs(reading - DAY_MS, zone);
  const after = offsetMs(reading + DAY_MS, zone);
  const found = [before, after].filter((offset) => offsetMs(reading - offset, zone) === offset);
  return found.length > 0 ? Math.min(...found.map((offset) => reading - offset)) : reading - before;
}

/** Whether the wall shows this time twice, an hour (Lord Howe: half an hour) apart. */
export function isRepeated(ms: number, zone: AnyZone): boolean {
  const offset = offsetMs(ms, zone);
  return [offsetMs(ms - DAY_MS, zone), offsetMs(ms + DAY_MS, zone)].some((other) => {
    const twin = ms + offset - other;
    return other !== offset && offsetMs(twin, zone) === other;
  });
}

/** The instants in (`begin`, `end`] at which clocks change. */
export function clockChanges(begin: number, end: number, zone: AnyZone): number[] {
  if (zone === "utc") return [];
  const found: number[] = [];
  for (let from = begin; from < end; from += 7 * DAY_MS) {
    let low = from;
    let high = Math.min(from + 7 * DAY_MS, end);
    const offset = offsetMs(low, zone);
    if (offsetMs(high, zone) === offset) continue;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetMs(middle, zone) === offset) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found;
}

/** "UTC", "UTC+1", "UTC-3:30": what the zone is called at that instant. */
export function zoneTitle(ms: number, zone: AnyZone): string {
  const minutes = Math.round(offsetMs(ms, zone) / 60_000);
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60;
  return `UTC${minutes < 0 ? "-" : "+"}${Math.floor(size / 60)}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}

const KEY = "flussdvr.zone";

/** The zone that times are shown in; kept in this browser. */
export const shownZone = signal<Zone>(kept(KEY) === "utc" ? "utc" : "local");

effect(() => {
  keep(KEY, shownZone.value);
});
