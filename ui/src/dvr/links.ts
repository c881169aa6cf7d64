/** Signed links: what is asked for, and how they are spoken of. */
import type { Link, Span } from "../api/types";

export const FORMATS = [
  ["mp4", "MP4 file"],
  ["hls", "stream (HLS)"],
  ["ts", "TS file"],
  ["jpg", "picture"],
] as const;

export const TERMS = [
  [3600, "an hour"],
  [86_400, "a day"],
  [604_800, "a week"],
  [30 * 86_400, "30 days"],
  [365 * 86_400, "a year"],
] as const;

/** The body of `POST dvr/links`. */
export function orderOf([begin, end]: Span, form: FormData): Record<string, unknown> {
  const order: Record<string, unknown> = {
    from: begin / 1000,
    duration: (end - begin) / 1000,
    expires_in: Number(form.get("expires_in")),
  };
  const formats = form.getAll("formats");
  if (formats.length > 0) order.formats = formats;
  const [title, uses] = [String(form.get("title") ?? "").trim(), String(form.get("max_uses") ?? "")];
  if (title !== "") order.title = title;
  if (uses !== "") order.max_uses = Number(uses);
  return order;
}

export function usesOf({ uses, max_uses }: Pick<Link, "uses" | "max_uses">): string {
  return max_uses === null ? String(uses) : `${uses} of ${max_uses}`;
}
