/** The documents of the API, as far as the page reads them (docs/api.md). */

export interface Track {
  id: string;
  content: "video" | "audio" | string;
  codec?: string;
  width?: number;
  height?: number;
  fps?: number;
  bitrate?: number;
}

export interface DvrInfo {
  from: number;
  depth: number;
  duration: number;
  bytes: number;
}

export interface StreamStats {
  alive: boolean;
  running: boolean;
  status: "running" | "waiting" | "error";
  error?: string;
  online_clients: number;
  bytes_in: number;
  bytes_out: number;
  bitrate: number;
  opened_at?: number;
  lifetime?: number;
  ts_delay?: number;
  dvr_enabled: boolean;
  dvr_info?: DvrInfo;
  media_info?: { tracks: Track[]; title?: string };
  dvr_write?: { segments_failed: number; error?: string };
}

export interface Dvr {
  root?: string;
  reference?: string;
  expiration?: number;
  storage_limit?: number;
  disk_usage_limit?: number;
  copy?: string;
}

export interface Input {
  url: string;
  priority?: number;
  stats?: Record<string, unknown> | null;
}

export interface Stream {
  name: string;
  title?: string;
  comment?: string;
  named_by: "config" | "user";
  disabled?: boolean;
  inputs?: Input[];
  dvr?: Dvr;
  thumbnails?: { enabled?: boolean | "ondemand" };
  segment_duration?: number;
  stats: StreamStats;
}

/** Begin and end, UTC ms, half-open. */
export type Span = readonly [begin: number, end: number];

export interface Timeline {
  name: string;
  now: number;
  recording: boolean;
  opened_at: number | null;
  closed_at: number | null;
  bytes: number;
  ranges: Span[];
  locks: Span[];
  gaps: [begin: number, end: number, reason: GapReason][];
  /** Recorded while the clock was wrong; `shift` is what to add to the date, where that is known. */
  misdated?: [begin: number, end: number, shift: number | null][];
}

export type GapReason = "source_lost" | "disk" | "clock" | "restart" | "deleted" | "schedule" | "tracks_changed";

export interface Link {
  id: string;
  stream: string;
  from: number;
  duration: number;
  formats: string[];
  expires_at: number;
  max_uses: number | null;
  uses: number;
  title: string | null;
  created_by: string;
  created_at: number;
  urls: Record<string, string>;
}

/** `from` and `duration` in ms, `progress` in percent. */
export interface ExportJob {
  id: string;
  name: string;
  from: number;
  duration: number;
  path: string;
  status: "running" | "succeeded" | "failed" | "canceled";
  progress: number;
  error: string | null;
  started_at: number | null;
  finished_at: number | null;
  size: number | null;
}

export interface ServerEvent {
  event: string;
  event_id: string;
  utc_ms: number;
  media?: string;
  [field: string]: unknown;
}

export interface Alarm {
  id: string;
  severity: "critical" | "warning";
  code: string;
  media?: string | null;
  root?: string | null;
  since: number;
  title: string;
}
