/**
 * What is loaded at a time: hours around a moment, never the whole archive; or the live list.
 *
 *     |----- 1 h -----| moment |---------- 4 h ----------|      VOD; up to the present it grows
 */
import { inPath } from "../api/http";

/** A window of the archive, UTC ms. One that `grows` has no end yet. */
export interface Reel {
  readonly begin: number;
  readonly end: number;
  readonly grows: boolean;
}

const BEFORE_MS = 3_600_000;
const AFTER_MS = 4 * 3_600_000;
/** What ends this near to the present may still be written. */
const FRESH_MS = 60_000;

export function reelAround(ms: number, now: number): Reel {
  const begin = Math.max(0, Math.floor(ms - BEFORE_MS));
  const end = Math.ceil(ms + AFTER_MS);
  return { begin, end, grows: end > now - FRESH_MS };
}

/** The playlist of a reel, or of live (`null`). */
export function playlistOf(name: string, reel: Reel | null, token?: string): string {
  const query = token === undefined ? "" : `?token=${encodeURIComponent(token)}`;
  if (reel === null) return `/${inPath(name)}/index.m3u8${query}`;
  const duration = reel.grows ? "now" : seconds(reel.end - reel.begin);
  return `/${inPath(name)}/index-${seconds(reel.begin)}-${duration}.m3u8${query}`;
}

/** Seconds as the server's URLs have them: a fraction only where there is one. */
export const seconds = (ms: number): string => (ms / 1000).toFixed(3).replace(/\.?0+$/, "");
