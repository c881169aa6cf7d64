/**
 * Which streams are shown, and in which order: what is said in the address.
 *
 *     ?q=cam&show=down&sort=-bitrate  <-->  Choice    choose(rows, choice)
 */
import type { Row } from "./row";

export const SHOWN = {
  all: "All",
  recording: "Recording",
  down: "Not alive",
  errors: "With errors",
} as const;
export type Shown = keyof typeof SHOWN;

export const COLUMNS = {
  name: "Stream",
  state: "State",
  bitrate: "Bitrate",
  depth: "Recorded",
  bytes: "On disk",
  viewers: "Viewers",
  uptime: "Runs for",
} as const;
export type Column = keyof typeof COLUMNS;

export interface Choice {
  q: string;
  show: Shown;
  column: Column;
  descending: boolean;
}

export function readChoice(query: URLSearchParams): Choice {
  const sort = query.get("sort") ?? "";
  const column = sort.replace(/^-/, "");
  const show = query.get("show") ?? "";
  return {
    q: query.get("q") ?? "",
    show: Object.hasOwn(SHOWN, show) ? (show as Shown) : "all",
    column: Object.hasOwn(COLUMNS, column) ? (column as Column) : "name",
    descending: sort.startsWith("-"),
  };
}

/** Only what is not as usual. */
export function writeChoice({ q, show, column, descending }: Choice): Record<string, string> {
  const query: Record<string, string> = {};
  if (q !== "") query.q = q;
  if (show !== "all") query.show = show;
  if (column !== "name" || descending) query.sort = (descending ? "-" : "") + column;
  return query;
}

/** The choice after a click on a column: numbers begin with the largest, names with A; then the other way round. */
export function turned(choice: Choice, column: Column): Choice {
  const descending = choice.column === column ? !choice.descending : !["name", "state"].includes(column);
  return { ...choice, column, descending };
}

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const STATES = ["error", "waiting", "off", "running", "recording"];

const TESTS: Record<Shown, (row: Row) => boolean> = {
  all: () => true,
  recording: ({ state }) => state === "recording",
  down: ({ state }) => state === "waiting" || state === "error" || state === "off",
  errors: ({ state }) => state === "error",
};

const KEYS: Record<Exclude<Column, "name">, (row: Row) => number> = {
  state: ({ state }) => STATES.indexOf(state),
  bitrate: ({ bitrate }) => bitrate,
  depth: ({ recorded }) => recorded,
  bytes: ({ bytes }) => bytes,
  viewers: ({ viewers }) => viewers,
  uptime: ({ openedAt }) => (openedAt === null ? -Infinity : -openedAt),
};

/** Every word of `q` must be in the name, the title, the codecs or the reason. */
export function choose(rows: readonly Row[], { q, show, column, descending }: Choice): Row[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = rows.filter((row) => {
    if (!TESTS[show](row)) return false;
    if (words.length === 0) return true;
    const text = `${row.name}\n${row.title}\n${row.codecs}\n${row.reason}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const sign = descending ? -1 : 1;
  const byName = (one: Row, other: Row) => order.compare(one.name, other.name);
  if (column === "name") return wanted.sort((one, other) => sign * byName(one, other));
  const key = KEYS[column];
  return wanted.sort((one, other) => compare(key(one), key(other)) * sign || byName(one, other));
}

/** Not by the difference, which two infinities do not have. */
function compare(one: number, other: number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
