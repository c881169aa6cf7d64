/**
 * A moment as people type it.
 *
 *     2026-11-20 17:45:03.250    20.11.2026 17:45    11/20/2026 5:45 pm    17:45    yesterday 20:00    -5m    now
 *     1795193103    1795193103250    2026-11-20T17:45:03Z    2026-11-20 17:45 UTC+1
 *
 * A time without a day is the most recent one. 3/4/2026 could be read two ways and is not read. A wall time that
 * happens twice is the first one, one that does not happen is an hour later (see zone.ts); who means the other one
 * says the zone.
 */
import { fromWall, wallClock, type AnyZone, type Wall } from "./zone";

const UNITS: Record<string, number> = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
/** Digits alone: so many are unix seconds, more are milliseconds. */
const SECONDS = /^\d{9,10}(\.\d{1,3})?$/;
const MILLISECONDS = /^\d{12,13}$/;
const AGO = /^-\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)$/;
/** Without its name an offset stands behind a time only: 2026-11-20 is no time of a place eleven hours west. */
const OFFSET = /(?:\s*(?:utc|gmt)\s*|(?<=:.*))([+-])(\d{1,2})(?::?(\d{2}))?$|\s*(?:z|utc|gmt)$/;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,3})\d*)?)?\s*(am|pm)?$/;
const HOUR_ONLY = /^(\d{1,2})\s*(am|pm)$/;

type Clock = Pick<Wall, "hour" | "minute" | "second" | "ms">;
type Day = Pick<Wall, "year" | "month" | "day">;

const MIDNIGHT: Clock = { hour: 0, minute: 0, second: 0, ms: 0 };

/** UTC ms, or `null`: can't be read. `now` is what "now", "yesterday" and "-5m" count from. */
export function parseMoment(text: string, zone: AnyZone, now: number = Date.now()): number | null {
  const said = text.trim().toLowerCase();
  if (said === "now") return now;
  if (SECONDS.test(said)) return Math.round(Number(said) * 1000);
  if (MILLISECONDS.test(said)) return Number(said);
  const ago = AGO.exec(said);
  if (ago !== null) return Math.round(now - Number(ago[1]) * (UNITS[ago[2] ?? ""] ?? 0));
  const bare = readParts(said, zone, now);
  if (bare !== null) return fromWall(bare, zone);
  const offset = OFFSET.exec(said);
  if (offset === null) return null;
  const rest = said.slice(0, offset.index).trim();
  const shift = offsetOf(offset);
  // a wall that far from Greenwich is UTC's, shifted
  const there = shift === null ? null : readParts(rest, "utc", now + shift);
  return there === null || shift === null ? null : fromWall(there, "utc") - shift;
}

function offsetOf([, sign, hours = "0", minutes = "0"]: RegExpExecArray): number | null {
  const total = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) > 59 || total > 14 * 60) return null;
  return (sign === "-" ? -total : total) * 60_000;
}

function readParts(said: string, zone: AnyZone, now: number): (Day & Clock) | null {
  const alone = readClock(said);
  if (alone !== null) return mostRecent(alone, zone, now);
  const [first = "", ...others] = said.split(/[\s,]+|(?<=\d)t(?=\d)/);
  const day = readDay(first, zone, now);
  const clock = others.length === 0 ? MIDNIGHT : readClock(others.join(" "));
  return day === null || clock === null ? null : { ...day, ...clock };
}

/** Today, or yesterday if that is still to come. */
function mostRecent(clock: Clock, zone: AnyZone, now: number): Day & Clock {
  const today = { ...dayOf(now, zone, 0), ...clock };
  return fromWall(today, zone) <= now ? today : { ...dayOf(now, zone, -1), ...clock };
}

function readClock(said: string): Clock | null {
  const short = HOUR_ONLY.exec(said);
  const [, hour = "", minute = "0", second = "0", fraction = "", half] = short
    ? [, short[1], "0", "0", "", short[2]]
    : (CLOCK.exec(said) ?? []);
  if (hour === "" || Number(minute) > 59 || Number(second) > 59) return null;
  const number = Number(hour);
  if (half !== undefined ? number < 1 || number > 12 : number > 23) return null;
  return {
    hour: half === undefined ? number : (number % 12) + (half === "pm" ? 12 : 0),
    minute: Number(minute),
    second: Number(second),
    ms: Number(fraction.padEnd(3, "0")),
  };
}

function readDay(said: string, zone: AnyZone, now: number): Day | null {
  if (said === "today") return dayOf(now, zone, 0);
  if (said === "yesterday") return dayOf(now, zone, -1);
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(said);
  if (iso !== null) return real(iso[1], iso[2], iso[3]);
  const dots = /^(\d{1,2})\.(\d{1,2})\.(\d{4})?$/.exec(said);
  if (dots !== null) return real(dots[3] ?? String(wallClock(now, zone).year), dots[2], dots[1]);
  const slashes = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(said);
  if (slashes === null) return null;
  const [, one, other, year] = slashes;
  const [monthFirst, dayFirst] = [real(year, one, other), real(year, other, one)];
  if (monthFirst !== null && dayFirst !== null && one !== other) return null;
  return monthFirst ?? dayFirst;
}

/** A day that is in the calendar. */
function real(year = "", month = "", day = ""): Day | null {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const kept = date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day);
  return kept ? { year: Number(year), month: Number(month), day: Number(day) } : null;
}

function dayOf(now: number, zone: AnyZone, later: number): Day {
  const { year, month, day } = wallClock(now, zone);
  const date = new Date(Date.UTC(year, month - 1, day + later));
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}
