/**
 * Moments and spans in words.
 *
 *     1795193103250   2026-11-20 17:45:03.250     5025000   1 h 24 min
 *
 * The date's order is ISO's, everywhere the same; in an hour that happens twice the zone is said too.
 */
import { isRepeated, wallClock, zoneTitle, type AnyZone, type Wall } from "./zone";

export { parseMoment } from "./parse-moment";
export { shownZone, zoneTitle, type AnyZone, type Zone } from "./zone";

export type Precision = "day" | "minute" | "second" | "ms";

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What `parseMoment` reads back, to the precision. */
export function formatMoment(ms: number, zone: AnyZone, precision: Precision = "second"): string {
  const wall = wallClock(ms, zone);
  const date = `${String(wall.year).padStart(4, "0")}-${two(wall.month)}-${two(wall.day)}`;
  if (precision === "day") return date;
  return `${date} ${clock(wall, precision)}${isRepeated(ms, zone) ? ` ${zoneTitle(ms, zone)}` : ""}`;
}

/** The time without its day: "17:45:03". */
export function formatClock(ms: number, zone: AnyZone, precision: Exclude<Precision, "day"> = "second"): string {
  return `${clock(wallClock(ms, zone), precision)}${isRepeated(ms, zone) ? ` ${zoneTitle(ms, zone)}` : ""}`;
}

/** "Fri 20 Nov 2026". */
export function formatDay(ms: number, zone: AnyZone): string {
  const { weekday, day, month, year } = wallClock(ms, zone);
  return `${WEEKDAYS[weekday]} ${day} ${MONTHS[month - 1]} ${year}`;
}

export const monthTitle = (month: number): string => MONTHS[month - 1] ?? "";

/** The two largest units that are not zero: "1 h 05 min", "3 d 4 h", "12 s"; less than 10 s with tenths. */
export function formatSpan(ms: number): string {
  if (ms < 0) return `-${formatSpan(-ms)}`;
  if (ms < 10 * SECOND_MS) return `${Number((Math.floor(ms / 100) / 10).toFixed(1))} s`;
  const seconds = Math.floor(ms / SECOND_MS);
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return pair(minutes, "min", seconds % 60, "s");
  if (days === 0) return pair(hours, "h", minutes % 60, "min");
  return pair(days, "d", hours % 24, "h", false);
}

function pair(large: number, unit: string, small: number, smallUnit: string, padded = true): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${padded ? two(small) : small} ${smallUnit}`;
}

function clock({ hour, minute, second, ms }: Wall, precision: Exclude<Precision, "day">): string {
  const minutes = `${two(hour)}:${two(minute)}`;
  if (precision === "minute") return minutes;
  const seconds = `${minutes}:${two(second)}`;
  return precision === "second" ? seconds : `${seconds}.${String(ms).padStart(3, "0")}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
