/**
 * The archive as zones, and as columns of pixels.
 *
 *     first            last  now
 *     |####....####....##|~~~|          # recorded   . not recorded   ~ the present: on its way to the archive
 *
 * A column of pixels may hold a thousand gaps: it knows its shares, and costs the same.
 */
import type { GapReason, Span, Timeline } from "../api/types";
import { formatClock, formatMoment, formatSpan, type AnyZone } from "../common/time";
import { wallClock } from "../common/zone";
import { spanOf, type View } from "./view";

import { Spans } from "./spans";

/** What is newer than that is on its way and not missing. */
const ON_ITS_WAY_MS = 15_000;
/** Less of a column than this is the arithmetic's noise. */
const NOISE_MS = 0.02;

const REASONS: Record<GapReason, string> = {
  source_lost: "source lost",
  disk: "the disk did not keep up",
  clock: "the clock jumped",
  restart: "the server was restarted",
  deleted: "deleted",
  schedule: "not scheduled",
  tracks_changed: "the tracks changed",
};

export interface Gap {
  begin: number;
  end: number;
  reason: string | null;
}

export interface Zones {
  recorded: Spans;
  locked: Spans;
  /** The gaps whose reason is known. */
  reasoned: Spans;
  reasons: readonly GapReason[];
  /** Begin of the archive, or `null`: nothing is recorded. */
  first: number | null;
  /** Until when it is known what is missing; `null`: until now. */
  last: number | null;
}

export function zonesOf(archive: Timeline): Zones {
  const recorded = new Spans(archive.ranges);
  const newest = recorded.length > 0 ? recorded.end(recorded.length - 1) : null;
  const growing = archive.recording && newest !== null && archive.now - newest < ON_ITS_WAY_MS;
  return {
    recorded,
    locked: new Spans(merged(archive.locks)),
    reasoned: new Spans(archive.gaps),
    reasons: archive.gaps.map(([, , reason]) => reason),
    first: recorded.length > 0 ? recorded.begin(0) : null,
    last: growing ? newest : null,
  };
}

/** Sorted and disjoint, whatever order locks were made in. */
export function merged(spans: readonly Span[]): Span[] {
  const found: Span[] = [];
  for (const [begin, end] of spans.toSorted(([a], [b]) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && begin <= last[1]) found[found.length - 1] = [last[0], Math.max(last[1], end)];
    else found.push([begin, end]);
  }
  return found;
}

/** What the archive could hold: [its first instant, now), cut where the present begins. */
export function extentOf(zones: Zones, now: number): Span {
  const end = Math.min(zones.last ?? now, now);
  return [Math.min(zones.first ?? end, end), end];
}

/** Shares of each column, 0 to 1: recorded and missing. Neither: before the archive, or to come. */
export interface Columns {
  recorded: Float32Array;
  missing: Float32Array;
}

export function newColumns(count: number): Columns {
  return { recorded: new Float32Array(count), missing: new Float32Array(count) };
}

/** Fills `columns` for the view. What is missing at all is not 0. */
export function aggregate(zones: Zones, view: View, now: number, columns: Columns): void {
  const count = columns.recorded.length;
  const [first, end] = extentOf(zones, now);
  const step = spanOf(view) / count;
  let from = Math.min(Math.max(view.begin, first), end);
  let before = zones.recorded.upTo(from);
  for (let i = 0; i < count; i += 1) {
    const to = Math.min(Math.max(view.begin + (i + 1) * step, first), end);
    const upTo = zones.recorded.upTo(to);
    const recorded = upTo - before;
    const missing = to - from - recorded;
    columns.recorded[i] = recorded > NOISE_MS ? recorded / step : 0;
    columns.missing[i] = missing > NOISE_MS ? missing / step : 0;
    from = to;
    before = upTo;
  }
}

/** The gaps that touch [`from`, `to`), the archive's own ends being none. */
export function gapsIn(zones: Zones, from: number, to: number, now: number): { count: number; longest: Gap | null } {
  const { recorded } = zones;
  const [first, end] = extentOf(zones, now);
  let count = 0;
  let longest: Gap | null = null;
  if (zones.first === null || to <= first || from >= end) return { count, longest };
  // gap i lies before span i, the last one before the archive's end
  for (let i = Math.max(1, recorded.after(from)); i <= recorded.length; i += 1) {
    const begin = recorded.end(i - 1);
    const until = i < recorded.length ? recorded.begin(i) : end;
    if (begin >= to) break;
    if (until <= Math.max(begin, from)) continue;
    count += 1;
    if (longest === null || until - begin > longest.end - longest.begin) longest = { begin, end: until, reason: null };
  }
  return { count, longest: longest === null ? null : { ...longest, reason: reasonOf(zones, longest) } };
}

function reasonOf(zones: Zones, gap: Gap): string | null {
  const i = zones.reasoned.after(gap.begin);
  const reason = zones.reasons[i];
  return reason !== undefined && zones.reasoned.begin(i) < gap.end ? (REASONS[reason] ?? reason) : null;
}

/** What is to say of [`from`, `to`): "not recorded 14:02:11-14:05:40 (3 min 29 s): source lost". */
export function noteOn(zones: Zones, from: number, to: number, now: number, zone: AnyZone): string | null {
  const middle = (from + to) / 2;
  const { count, longest } = gapsIn(zones, from, to, now);
  if (longest !== null && count > 1) {
    const missing = to - from - zones.recorded.covered(from, to);
    return `${count} gaps here, ${formatSpan(missing)} not recorded`;
  }
  if (longest !== null) {
    const why = longest.reason === null ? "" : `: ${longest.reason}`;
    const size = formatSpan(longest.end - longest.begin);
    return `not recorded ${formatPeriod(longest.begin, longest.end, zone)} (${size})${why}`;
  }
  if (middle >= now) return "to come";
  if (zones.last !== null && middle >= zones.last) return "being recorded";
  if (zones.first === null || middle < zones.first) return "before the archive begins";
  return zones.locked.at(middle) >= 0 ? "locked" : null;
}

/** "14:02:11-14:05:40", with the days where they differ. */
export function formatPeriod(begin: number, end: number, zone: AnyZone): string {
  const [one, other] = [wallClock(begin, zone), wallClock(end, zone)];
  if (one.day === other.day && end - begin < 86_400_000) {
    return `${formatClock(begin, zone)}-${formatClock(end, zone)}`;
  }
  return `${formatMoment(begin, zone)} - ${formatMoment(end, zone)}`;
}

/** "recorded 23 h 12 min of 24 h, 3 gaps": what is on the screen, in a sentence. */
export function summary(zones: Zones, view: View, now: number): string {
  const [first, end] = extentOf(zones, now);
  const [from, to] = [Math.max(view.begin, first), Math.min(view.end, end)];
  if (zones.first === null) return "nothing is recorded";
  if (to <= from) return view.begin >= end ? "the future" : "before the archive begins";
  const recorded = zones.recorded.covered(from, to);
  const { count } = gapsIn(zones, from, to, now);
  const gaps = count === 0 ? "no gaps" : count === 1 ? "1 gap" : `${count} gaps`;
  return `recorded ${formatSpan(recorded)} of ${formatSpan(to - from)}, ${gaps}`;
}
