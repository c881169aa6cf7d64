/** Addresses of parts of the archive, and what files of them are called. */
import { inPath } from "../api/http";
import type { Span } from "../api/types";
import { seconds } from "../player/reel";

export function fileUrl(name: string, [begin, end]: Span, kind: "mp4" | "ts"): string {
  return `/${inPath(name)}/archive-${seconds(begin)}-${seconds(end - begin)}.${kind}`;
}

/** As the server names downloads, with the time in UTC so that it is read easily: "a_b_2026-11-20_17-45-03_90s.mp4". */
export function fileName(name: string, [begin, end]: Span): string {
  const moment = new Date(begin).toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
  return `${name.replace(/[^\p{L}\p{N}.-]+/gu, "_")}_${moment}_${Math.round((end - begin) / 1000)}s.mp4`;
}

/** A picture of that moment: a JPEG where the stream has `thumbnails`, otherwise a film of one picture. */
export function pictureUrl(name: string, ms: number, width: number, thumbnails: boolean): string {
  if (!thumbnails) return `/${inPath(name)}/${Math.floor(ms / 1000)}-preview.mp4`;
  return `/${inPath(name)}/${Math.floor(ms / 1000)}-preview.jpg?width=${Math.min(3840, Math.max(16, Math.round(width)))}`;
}
