/** What the address of the DVR tab wishes: `?at=SECONDS` the moment to open at, `?from=&to=` what is chosen. */
import type { Span } from "../api/types";
import { seconds } from "../player/reel";

export interface Wish {
  /** UTC ms. */
  at: number | null;
  chosen: Span | null;
}

export function readWish(query: URLSearchParams): Wish {
  const [from, to] = [moment(query.get("from")), moment(query.get("to"))];
  return { at: moment(query.get("at")), chosen: from !== null && to !== null && from < to ? [from, to] : null };
}

export function spellWish({ at, chosen }: Wish): Record<string, string> {
  const query: Record<string, string> = {};
  if (at !== null) query.at = seconds(at);
  if (chosen !== null) [query.from, query.to] = [seconds(chosen[0]), seconds(chosen[1])];
  return query;
}

function moment(text: string | null): number | null {
  return text !== null && /^\d{1,11}(\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : null;
}
