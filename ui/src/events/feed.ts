/** Pages of events, joined: the newest first, as many as the server keeps, none twice. */
import { EVENTS_KEPT } from "../api/events";
import type { ServerEvent } from "../api/types";

export type Events = readonly ServerEvent[];

/** `page` is oldest first, as the server gives it. The same list comes back where nothing is new. */
export function joined(shown: Events, page: Events): Events {
  const known = new Set(shown.map((event) => event.event_id));
  const news = page.filter((event) => !known.has(event.event_id));
  return news.length === 0 ? shown : [...news.reverse(), ...shown].slice(0, EVENTS_KEPT);
}

/** How many of `all` are newer than those of `shown`. */
export function newer(all: Events, shown: Events): number {
  const newest = shown[0];
  if (newest === undefined) return all.length;
  const at = all.findIndex((event) => event.event_id === newest.event_id);
  return at < 0 ? all.length : at;
}
