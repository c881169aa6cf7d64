/**
 * Events as sentences: words, and in between what a screen shows its own way.
 *
 *     {event: "source_lost", media: "ort", reason: "timeout"}   ->   [{stream: "ort"}, " has lost its source: timeout"]
 *
 * An event of a name that is not known here is its name and its stream; a field that is missing is left out.
 */
import { formatBytes } from "../common/bytes";
import { formatSpan } from "../common/time";
import type { ServerEvent } from "../api/types";

export type Part = string | { stream: string } | { moment: number };

type Say = (event: ServerEvent) => (Part | Part[] | false | undefined)[];

const SENTENCES: Record<string, Say> = {
  catalog_failed: ({ error }) => ["The catalog can't be written", because(error)],
  catalog_rebuilt: ({ error }) => ["The catalog was made anew", because(error)],
  catalog_recovered: () => ["The catalog can be written again"],
  catalog_rows_set_aside: ({ source, count, reason }) => [
    counted(count, `# rows of the catalog's ${words(source)} make no sense and are set aside`),
    because(reason),
  ],
  clock_contradicted: ({ difference_ms: difference }) =>
    typeof difference === "number"
      ? [
          `Several sources agree that the server's time is ${formatSpan(Math.abs(difference))} `,
          difference > 0 ? "behind" : "ahead",
        ]
      : ["Sources contradict the server's time no more"],
  clock_held: ({ shift_ms: shift }) =>
    typeof shift === "number"
      ? [`The machine's clock is ${formatSpan(Math.abs(shift))} ${shift > 0 ? "ahead" : "behind"} and is not followed`]
      : ["The machine's clock is where it is expected again, or is followed now"],
  clock_stepped: (event) => [
    "The server's time has stepped",
    from(event.from_ms),
    typeof event.to_ms === "number" && [" to ", { moment: event.to_ms }],
    typeof event.doubtful_ms === "number" && [
      ": what was recorded since ",
      { moment: event.doubtful_ms },
      " has wrong dates",
    ],
  ],
  config_reload_failed: ({ error }) => ["The configuration was not taken", because(error)],
  config_reloaded: ({ streams }) => ["The configuration was read again", counted(streams, ": # streams")],
  dvr_blob_closed: (event) => ["Recorded ", of(event), from(event.begin_ms), much(event.duration_ms, event.size)],
  dvr_blob_deleted: (event) => [
    "Deleted the recording of ",
    of(event),
    from(beginOf(event.blob)),
    ...[` (${DELETED[text(event.reason)] ?? words(event.reason)})`, much(undefined, event.disk_size)],
  ],
  dvr_drop_write: (event) => [
    "A second of ",
    of(event),
    " was not written",
    at(event.begin_ms),
    `: the disk of ${text(event.path)} ${DROPPED[text(event.reason)] ?? "does not keep up"}`,
  ],
  dvr_deleted_fragments: (event) => [
    "Deleted parts of ",
    of(event),
    Array.isArray(event.utcs) && counted(event.utcs.length, ": # fragments"),
  ],
  dvr_export_finished: (event) => [
    text(event.error) === "" ? "Exported " : "Could not export ",
    of(event),
    from(event.begin_ms),
    much(event.duration_ms, event.size),
    ` to ${text(event.path)}`,
    because(words(event.error)),
  ],
  dvr_link_made: (event) => [
    `${text(event.author)} made a link to `,
    of(event),
    from(event.begin_ms),
    much(event.duration_ms, undefined),
  ],
  dvr_link_revoked: (event) => [
    `${text(event.author)} revoked a link to `,
    of(event),
    counted(event.uses, ", used # times"),
  ],
  dvr_deletion_failed: ({ path, error }) => [
    `Nothing can be deleted${text(path) === "" ? "" : ` on ${text(path)}`}`,
    because(error),
  ],
  dvr_deletion_resumed: ({ path }) => [
    `What is too old can be deleted again${text(path) === "" ? "" : ` on ${text(path)}`}`,
  ],
  dvr_locks_damaged: (event) => [
    "The locks of ",
    of(event),
    ` on ${text(event.path)} made no sense and are kept as ${text(event.kept)}`,
    because(event.error),
  ],
  dvr_stream_in_use: (event) => [
    "Nothing is deleted of ",
    of(event),
    ` on ${text(event.path)}: another process has it`,
    because(event.error),
  ],
  dvr_misdated: (event) => [
    "A recording of ",
    of(event),
    from(event.begin_ms),
    " has a wrong date and is set aside",
    typeof event.shift_ms === "number" && typeof event.begin_ms === "number"
      ? [": it is really of ", { moment: event.begin_ms + event.shift_ms }]
      : undefined,
  ],
  dvr_root_failed: ({ path, error }) => [`Nothing can be recorded on ${text(path)}`, because(error)],
  dvr_root_imported: (event) => [
    `On ${text(event.path)} something has changed without the server`,
    counted(event.found, ": # recordings found"),
    counted(event.gone, ", # gone"),
    counted(event.skipped, ", # things skipped"),
    because(Array.isArray(event.reasons) ? event.reasons[0] : undefined),
  ],
  dvr_root_recovered: ({ path }) => [`${text(path)} can be recorded on again`],
  dvr_write_failed: (event) => [of(event), ` can't be recorded on ${text(event.path)}`, because(event.error)],
  dvr_write_resumed: (event) => [of(event), ` is recorded on ${text(event.path)} again`],
  events_dropped: ({ sink, count }) => [`${text(count)} events are lost to the sink ${text(sink)}`],
  play_closed: (event) => [
    viewer(event),
    " has left ",
    of(event),
    ` (${LEFT[text(event.reason)] ?? words(event.reason)})`,
    much(number(event.closed_at) - number(event.opened_at), event.bytes),
  ],
  play_opened: (event) => [
    viewer(event),
    " watches ",
    of(event),
    event.dvr === true && ", from the archive",
    by(event),
  ],
  play_started: (event) => [viewer(event), " gets ", of(event), by(event)],
  server_started: ({ version }) => ["The server has started", version !== undefined && `, version ${text(version)}`],
  server_starting: ({ version }) => ["The server is starting", version !== undefined && `, version ${text(version)}`],
  server_stopped: () => ["The server was stopped"],
  source_closed: (event) => [text(event.url), " of ", of(event), " is closed", because(words(event.reason))],
  source_connected: (event) => [text(event.url), " of ", of(event), " is connected", publisher(event)],
  source_lost: (event) => [of(event), " has lost its source", because(words(event.reason))],
  source_opened: (event) => [text(event.url), " of ", of(event), " is being opened"],
  source_ready: (event) => [of(event), " has a source"],
  source_started: (event) => [text(event.url), " of ", of(event), " delivers"],
  stream_closed: (event) => [of(event), " was stopped", counted(event.bytes_in, " after #", formatBytes)],
  stream_opened: (event) => [of(event), " was started"],
  thumbnail_failed: (event) => ["No thumbnail of ", of(event), at(event.begin_ms), because(words(event.reason))],
};

const DROPPED: Record<string, string> = {
  disk_failed: "fails",
  disk_full: "is full",
  disk_not_mounted: "is not mounted",
};

const DELETED: Record<string, string> = {
  deleted: "by request",
  disk_full: "the disk was full",
  disk_usage_limit: "the disk was too full",
  expiration: "expired",
  storage_limit: "over its storage limit",
};

const LEFT: Record<string, string> = {
  denied: "no longer allowed",
  kicked: "sent away",
  limit: "too many viewers",
  silence: "asked for nothing more",
  too_many_sessions: "watches elsewhere",
};

const PROTOCOLS: Record<string, string> = {
  download: "as a download",
  hls: "by HLS",
  jpeg: "in pictures",
  mp4: "in pictures",
  tshttp: "as MPEG-TS",
};

export function sentence(event: ServerEvent): Part[] {
  const say = Object.hasOwn(SENTENCES, event.event) ? SENTENCES[event.event] : undefined;
  if (say === undefined) return unknown(event);
  return say(event)
    .flat()
    .filter((part): part is Part => part !== undefined && part !== false && part !== "");
}

function unknown(event: ServerEvent): Part[] {
  const said = words(event.event);
  const name = said.charAt(0).toUpperCase() + said.slice(1);
  return event.media === undefined ? [name] : [`${name}: `, of(event)];
}

/** What a search looks through: the sentence's words and every field. */
export function searched(event: ServerEvent): string {
  const said = sentence(event).map((part) => (typeof part === "string" ? part : "stream" in part ? part.stream : ""));
  return `${said.join("")} ${JSON.stringify(event)}`.toLowerCase();
}

const of = ({ media }: ServerEvent): Part => (media === undefined ? "a stream" : { stream: media });
const because = (why: unknown) => (text(why) === "" ? undefined : `: ${text(why)}`);
const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const words = (value: unknown): string => text(value).replaceAll("_", " ");
const number = (value: unknown): number => (typeof value === "number" ? value : NaN);

function counted(value: unknown, said: string, shown: (count: number) => string = String): string | undefined {
  return typeof value === "number" ? said.replace("#", () => shown(value)) : undefined;
}

function viewer({ user_id, ip }: ServerEvent): string {
  return text(user_id) === "" ? text(ip) || "A viewer" : `${text(user_id)} (${text(ip)})`;
}

function publisher({ peer }: ServerEvent): string | undefined {
  return text(peer) === "" ? undefined : `: ${text(peer)} publishes`;
}

function by({ proto }: ServerEvent): string | undefined {
  return PROTOCOLS[text(proto)] && ` ${PROTOCOLS[text(proto)]}`;
}

const from = (ms: unknown): Part[] => (typeof ms === "number" ? [" from ", { moment: ms }] : []);
const at = (ms: unknown): Part[] => (typeof ms === "number" ? [" at ", { moment: ms }] : []);

/** ", 59 min 58 s, 1.2 GB". */
function much(ms: unknown, bytes: unknown): string {
  const span = Number.isFinite(ms) ? `, ${formatSpan(number(ms))}` : "";
  return span + (typeof bytes === "number" ? `, ${formatBytes(bytes)}` : "");
}

/** A blob is called by its beginning: `.../17/1795193103250.mp4`. */
function beginOf(blob: unknown): number | undefined {
  const name = /(?:^|\/)(\d+)\.mp4$/.exec(text(blob));
  return name === null ? undefined : Number(name[1]);
}
