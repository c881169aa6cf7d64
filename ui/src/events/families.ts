/** Events by what they are about, and how bad they are. */
import type { ServerEvent } from "../api/types";

export const FAMILIES = ["stream", "source", "play", "dvr", "config"] as const;
export type Family = (typeof FAMILIES)[number];

export const FAMILY_TITLES: Record<Family, string> = {
  stream: "Streams",
  source: "Sources",
  play: "Viewers",
  dvr: "Recordings",
  config: "Server",
};

/** By the name's first word; what has no family of its own is the server's. */
const OTHERS: Record<string, Family> = { thumbnail: "dvr", session: "play" };

export function familyOf({ event }: ServerEvent): Family {
  const first = event.split("_", 1)[0] ?? "";
  return FAMILIES.find((family) => family === first) ?? OTHERS[first] ?? "config";
}

export type Tone = "bad" | "warn" | "good" | "plain";

const TONES: Record<string, Tone> = {
  catalog_failed: "bad",
  catalog_rebuilt: "bad",
  catalog_recovered: "good",
  catalog_rows_set_aside: "warn",
  clock_contradicted: "warn",
  clock_held: "warn",
  clock_stepped: "warn",
  config_reload_failed: "bad",
  dvr_deletion_failed: "bad",
  dvr_deletion_resumed: "good",
  dvr_drop_write: "bad",
  dvr_locks_damaged: "bad",
  dvr_misdated: "warn",
  dvr_root_failed: "bad",
  dvr_root_recovered: "good",
  dvr_stream_in_use: "warn",
  dvr_write_failed: "bad",
  dvr_write_resumed: "good",
  events_dropped: "bad",
  source_lost: "warn",
  source_started: "good",
  thumbnail_failed: "warn",
};

export const toneOf = ({ event }: ServerEvent): Tone => TONES[event] ?? "plain";
