/** What has happened lately, and what is wrong now (docs/api.md). */
import { request } from "./http";
import type { Alarm, ServerEvent } from "./types";

/** The server keeps so many. */
export const EVENTS_KEPT = 1000;

/** Those that followed the event `after`, oldest first; the newest there are where it is `null` or forgotten. */
export async function readEvents(after: string | null, abort?: AbortSignal): Promise<ServerEvent[]> {
  const query = new URLSearchParams({ limit: String(EVENTS_KEPT) });
  if (after !== null) query.set("after", after);
  const answer = await request<{ events: ServerEvent[] }>("GET", `events?${query}`, undefined, abort);
  return answer.events;
}

export interface ConfigWarning {
  message: string;
  hint: string | null;
  /** The whole as one line: file, line, column, what is said and hardly meant. */
  text: string;
}

/** What the configuration that runs says and hardly means. */
export async function readConfigWarnings(abort?: AbortSignal): Promise<ConfigWarning[]> {
  return (await request<{ warnings?: ConfigWarning[] }>("GET", "config/stats", undefined, abort)).warnings ?? [];
}

/** The worst first. */
export async function readAlarms(abort?: AbortSignal): Promise<Alarm[]> {
  return (await request<{ alarms: Alarm[] }>("GET", "alarms", undefined, abort)).alarms;
}
