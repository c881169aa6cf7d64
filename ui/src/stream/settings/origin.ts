/**
 * Where the settings of a stream come from: the file, and what the API has changed over it.
 *
 *     GET streams/{name}?part=config_on_disk   ?part=config_override
 */
import type { Dvr } from "../../api/types";
import { PUBLISH } from "./draft";
import { DURATIONS, formatAmount, SIZES } from "./units";

export type Part = Record<string, unknown>;

export type Origin =
  /** As the file (or a template in it) has it; `changed`: keys that the API has changed. */
  | { kind: "file"; changed: readonly string[] }
  /** Made by the API. */
  | { kind: "api" }
  /** Nothing configures it: it is there because it was recorded. */
  | { kind: "recordings" };

export function originOf(disk: Part, override: Part): Origin {
  const changed = keys(override);
  if (keys(disk).length > 0) return { kind: "file", changed };
  return { kind: changed.length > 0 ? "api" : "recordings" };
}

const keys = (part: Part): string[] => Object.keys(part).filter((key) => key !== "name" && key !== "$reset");

/** What the stream itself says of its recording: the file's words with those of the API over them. */
export function ownDvr(disk: Part, override: Part): Dvr {
  const over = override.dvr;
  if (override.$reset === true || (isObject(over) && over.$reset === true)) return known(isObject(over) ? over : {});
  return known({ ...(isObject(disk.dvr) ? disk.dvr : {}), ...(isObject(over) ? over : {}) });
}

function known(dvr: Part): Dvr {
  return Object.fromEntries(Object.entries(dvr).filter(([, value]) => value !== null && value !== false)) as Dvr;
}

/** What the file says of one key, in a few words. */
export function inFile(key: string, disk: Part): string {
  const value = disk[key];
  if (value === undefined || value === null || value === false) return "nothing";
  if (key === "inputs" && Array.isArray(value))
    return value.map((one: { url: string }) => one.url).join(", ") || PUBLISH;
  if (key === "segment_duration") return `${Number(value) / 1000} s`;
  if (key === "password") return "another one";
  if (key === "thumbnails") return isObject(value) && value.enabled === "ondemand" ? "when asked for" : "on";
  if (key === "dvr" && isObject(value)) return dvrInWords(value as Dvr);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function dvrInWords({ root, reference, expiration, storage_limit, disk_usage_limit }: Dvr): string {
  const words = [reference === undefined ? (root ?? "") : `@${reference}`];
  if (expiration !== undefined) words.push(formatAmount(expiration, DURATIONS));
  if (storage_limit !== undefined) words.push(formatAmount(storage_limit, SIZES));
  if (disk_usage_limit !== undefined) words.push(`${disk_usage_limit} %`);
  return words.join(", ");
}

function isObject(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
