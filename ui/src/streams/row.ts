/**
 * A stream as a line of the list.
 *
 *     stream of the API --toRow--> { name, state, bitrate, codecs, ... }
 */
import type { Stream, Track } from "../api/types";

/** `recording` is running, too; `off`: nothing of it runs. */
export type State = "recording" | "running" | "waiting" | "error" | "off";

export interface Row {
  name: string;
  title: string;
  state: State;
  /** Why it is so, where that is worth a word. */
  reason: string;
  /** kbit/s */
  bitrate: number;
  codecs: string;
  /** From the oldest recording to the newest, s. */
  depth: number;
  /** Of that, what is recorded, s. */
  recorded: number;
  /** On the disk. */
  bytes: number;
  viewers: number;
  /** UTC ms; null: does not run. */
  openedAt: number | null;
  /** How the newest picture can be had. */
  picture: "jpg" | "mp4" | null;
}

/** What `toRow` reads. */
export const SELECTED = [
  "title",
  "named_by",
  "disabled",
  "thumbnails.enabled",
  ...["alive", "running", "status", "error", "bitrate", "online_clients", "opened_at", "dvr_enabled"].map(inStats),
  ...["dvr_info.depth", "dvr_info.duration", "dvr_info.bytes", "dvr_write.error", "media_info.tracks"].map(inStats),
].join(",");

function inStats(name: string): string {
  return `stats.${name}`;
}

export function toRow(stream: Stream): Row {
  const { stats } = stream;
  const [state, reason] = stateOf(stream);
  const tracks = stats.media_info?.tracks ?? [];
  return {
    name: stream.name,
    title: stream.title ?? "",
    state,
    reason,
    bitrate: stats.bitrate,
    codecs: codecs(tracks),
    depth: stats.dvr_info?.depth ?? 0,
    recorded: stats.dvr_info?.duration ?? 0,
    bytes: stats.dvr_info?.bytes ?? 0,
    viewers: stats.online_clients,
    openedAt: stats.running ? (stats.opened_at ?? null) : null,
    picture: stats.alive ? picture(stream, tracks) : null,
  };
}

export function stateOf({ disabled, named_by, stats }: Stream): [State, reason: string] {
  if (!stats.running) return ["off", disabled ? "switched off" : named_by === "user" ? "only recordings are left" : ""];
  if (stats.dvr_write?.error !== undefined) return ["error", `not recorded: ${inWords(stats.dvr_write.error)}`];
  if (stats.status === "error") return ["error", stats.error ?? ""];
  if (stats.alive) return [stats.dvr_enabled ? "recording" : "running", ""];
  return ["waiting", stats.error ?? ""];
}

const inWords = (code: string): string => code.replaceAll("_", " ");

/** Key frames of H.264 can be shown as they are, pictures of others only where the server may make them. */
function picture({ thumbnails }: Stream, tracks: readonly Track[]): Row["picture"] {
  const video = tracks.find((track) => track.content === "video");
  if (video === undefined) return null;
  if (thumbnails?.enabled) return "jpg";
  return video.codec === "h264" ? "mp4" : null;
}

const CODECS: Record<string, string> = { h264: "H.264", hevc: "H.265", av1: "AV1", mp3: "MP3", mp2: "MP2" };

/** "H.264 1280x720 · AAC"; of more audio tracks of a kind how many. */
export function codecs(tracks: readonly Track[]): string {
  const counts = new Map<string, number>();
  for (const { codec = "?", width, height } of tracks) {
    const title = CODECS[codec] ?? codec.toUpperCase();
    const spelled = width === undefined ? title : `${title} ${width}×${height}`;
    counts.set(spelled, (counts.get(spelled) ?? 0) + 1);
  }
  return [...counts].map(([title, count]) => (count === 1 ? title : `${count} ${title}`)).join(" · ");
}

export function sameRow(one: Row, other: Row): boolean {
  return (Object.keys(one) as (keyof Row)[]).every((key) => one[key] === other[key]);
}
