/**
 * Which events are shown. It is in the address, so that it can be kept and sent.
 *
 *     #/events?family=dvr,source&stream=ort&q=disk
 */
import type { ServerEvent } from "../api/types";
import { FAMILIES, familyOf, type Family } from "./families";
import { searched } from "./sentences";

export interface Chosen {
  /** None: all. */
  families: readonly Family[];
  stream: string;
  words: string;
}

export function readChosen(query: URLSearchParams): Chosen {
  const named = (query.get("family") ?? "").split(",");
  return {
    families: FAMILIES.filter((family) => named.includes(family)),
    stream: query.get("stream") ?? "",
    words: query.get("q") ?? "",
  };
}

export function spellChosen({ families, stream, words }: Chosen): Record<string, string> {
  return {
    ...(families.length > 0 && { family: families.join(",") }),
    ...(stream !== "" && { stream }),
    ...(words !== "" && { q: words }),
  };
}

/** Every word must be found. */
export function choose(events: readonly ServerEvent[], { families, stream, words }: Chosen): ServerEvent[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return events.filter((event) => {
    if (families.length > 0 && !families.includes(familyOf(event))) return false;
    if (stream !== "" && event.media !== stream) return false;
    if (wanted.length === 0) return true;
    const text = searched(event);
    return wanted.every((word) => text.includes(word));
  });
}

/** The streams that are named, in order. */
export function streamsOf(events: readonly ServerEvent[]): string[] {
  return [...new Set(events.flatMap(({ media }) => media ?? []))].sort((a, b) => a.localeCompare(b));
}
