/** What the server says of a PUT, laid beside the fields that it is about. */
import { ApiError } from "../../api/http";

/** JSON pointers that the form has a field for; what is said of anything below belongs to that field. */
const FIELDS = [
  "/title",
  "/disabled",
  "/inputs",
  "/password",
  "/dvr/root",
  "/dvr/reference",
  "/dvr/expiration",
  "/dvr/storage_limit",
  "/dvr/disk_usage_limit",
  "/dvr",
  "/thumbnails",
  "/segment_duration",
  "name",
] as const;
export type Told = (typeof FIELDS)[number];

export interface Refusals {
  /** By field. */
  fields: ReadonlyMap<Told, string>;
  /** By the place of an input among the inputs. */
  inputs: ReadonlyMap<number, string>;
  /** What no field is to blame for. */
  others: readonly string[];
}

export const NONE: Refusals = { fields: new Map(), inputs: new Map(), others: [] };

export function refusals(error: ApiError): Refusals {
  if (error.problems.length === 0) return { ...NONE, others: [sentence(error.message)] };
  const fields = new Map<Told, string>();
  const inputs = new Map<number, string>();
  const others: string[] = [];
  for (const { title, code, source } of error.problems) {
    const at = source?.pointer ?? source?.parameter ?? (code === "bad_stream_name" ? "name" : "");
    const input = /^\/inputs\/(\d+)(?:\/|$)/.exec(at)?.[1];
    if (input !== undefined && !inputs.has(Number(input))) {
      inputs.set(Number(input), sentence(withoutPointer(title, at)));
      continue;
    }
    const field = FIELDS.find((field) => at === field || at.startsWith(`${field}/`));
    if (field === undefined || fields.has(field)) others.push(sentence(title));
    else fields.set(field, sentence(withoutPointer(title, at)));
  }
  return { fields, inputs, others };
}

/** The server begins with the place; beside the field that would be said twice. */
function withoutPointer(title: string, pointer: string): string {
  const place = `${pointer.replace(/^\//, "")}: `;
  return pointer !== "" && title.startsWith(place) ? title.slice(place.length) : title;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
