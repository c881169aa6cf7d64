/**
 * What is recorded, as a viewer may know it: without an account, with the viewer's own token.
 *
 *     GET /{name}/recording_status.json?request=ranges   ->   a `Timeline` without gaps' reasons and locks
 */
import { inPath, send } from "../api/http";
import type { Span, Timeline } from "../api/types";

interface Status {
  stream: string;
  ranges: { from: number; duration: number }[];
}

/** A range that reaches this near to the present grows. */
const GROWING_MS = 15_000;

export const nothing = (name: string, now: number): Timeline => ({
  ...{ name, now, recording: false, opened_at: null, closed_at: null, bytes: 0, ranges: [], locks: [], gaps: [] },
});

/** Raises `ApiError`. Also says by how many ms the server's clock is ahead of this browser's, to a second. */
export async function readRecorded(
  name: string,
  token: string | undefined,
  abort: AbortSignal,
): Promise<{ timeline: Timeline; aheadMs: number }> {
  const query = new URLSearchParams({ request: "ranges" });
  if (token !== undefined) query.set("token", token);
  const response = await send("GET", `/${inPath(name)}/recording_status.json?${query}`, undefined, abort);
  const aheadMs = ahead(response.headers.get("Date"));
  const [status] = (await response.json()) as Status[];
  return { timeline: timelineOf(name, status?.ranges ?? [], Date.now() + aheadMs), aheadMs };
}

export function timelineOf(name: string, listed: Status["ranges"], now: number): Timeline {
  const ranges = listed.map(({ from, duration }) => [from * 1000, (from + duration) * 1000] as const);
  const last = ranges.at(-1);
  const recording = last !== undefined && now - last[1] < GROWING_MS;
  return {
    ...nothing(name, now),
    ranges,
    recording,
    opened_at: ranges[0]?.[0] ?? null,
    closed_at: last?.[1] ?? null,
  };
}

/** A part of it as a file, exact to the millisecond. */
export function fileUrl(name: string, [begin, end]: Span, token: string | undefined): string {
  const [from, duration] = [begin, end - begin].map((ms) => (Math.round(ms) / 1000).toFixed(3));
  const query = token === undefined ? "" : `?${new URLSearchParams({ token })}`;
  return `/${inPath(name)}/archive-${from}-${duration}.mp4${query}`;
}

/** `Date` is whole seconds: what is within two of them is no difference. */
function ahead(date: string | null): number {
  const difference = date === null ? 0 : Date.parse(date) - Date.now();
  return Math.abs(difference) > 2000 ? difference : 0;
}
