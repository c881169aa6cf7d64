/**
 * The settings of a stream as they are typed.
 *
 *     stream of the API --toDraft--> Draft --typing--> Draft --changes--> what PUT is given
 *
 * Only what has been changed is sent: what the file says goes on to hold where the page has nothing to say.
 */
import type { Dvr, Input, Stream } from "../../api/types";
import { DURATIONS, fromAmount, SIZES, toAmount, type Amount } from "./units";

export const PUBLISH = "publish://";

export interface InputDraft {
  /** Tells lines apart while they are moved. */
  id: number;
  url: string;
  /** Options that the form has no field for. */
  rest: Readonly<Record<string, unknown>>;
}

export interface Draft {
  title: string;
  disabled: boolean;
  inputs: readonly InputDraft[];
  password: string;
  /** Where it is recorded to: nowhere, a storage of the configuration, a directory of its own. */
  recorded: "off" | "reference" | "root";
  reference: string;
  root: string;
  expiration: Amount;
  storageLimit: Amount;
  /** Percent. */
  diskUsage: Amount;
  thumbnails: "off" | "on" | "ondemand";
  /** Seconds. */
  segment: Amount;
}

export type Patch = Record<string, unknown>;

export const PERCENT = [[1, "%"]] as const;

let last = 0;

export const newInput = (url: string, rest: InputDraft["rest"] = {}): InputDraft => ({ id: (last += 1), url, rest });

/** `own` is what is said of the recording by the stream itself, without what its storage says. */
export function toDraft(stream: Partial<Stream>, own: Dvr): Draft {
  const { dvr } = stream;
  const limits = dvr?.reference === undefined ? (dvr ?? {}) : own;
  const enabled = stream.thumbnails?.enabled ?? stream.thumbnails !== undefined;
  return {
    title: stream.title ?? "",
    disabled: stream.disabled ?? false,
    inputs: (stream.inputs ?? []).map(({ url, priority: _, stats: __, ...rest }: Input) => newInput(url, rest)),
    password: (stream as { password?: string }).password ?? "",
    recorded: dvr === undefined ? "off" : dvr.reference !== undefined ? "reference" : "root",
    reference: dvr?.reference ?? "",
    root: dvr?.reference === undefined ? (dvr?.root ?? "") : "",
    expiration: toAmount(limits.expiration, DURATIONS),
    storageLimit: toAmount(limits.storage_limit, SIZES),
    diskUsage: toAmount(limits.disk_usage_limit, PERCENT),
    thumbnails: enabled === "ondemand" ? "ondemand" : enabled ? "on" : "off",
    segment: { text: stream.segment_duration === undefined ? "" : String(stream.segment_duration / 1000), unit: 1000 },
  };
}

/** What PUT has to be given to make `after` of `before`; empty where they say the same. */
export function changes(before: Draft, after: Draft): Patch {
  const patch: Patch = {};
  if (after.title !== before.title) patch.title = after.title.trim() || null;
  if (after.disabled !== before.disabled) patch.disabled = after.disabled;
  if (spelled(after.inputs) !== spelled(before.inputs)) patch.inputs = toInputs(after.inputs);
  if (after.password !== before.password) patch.password = after.password || null;
  if (differs(after.segment, before.segment)) patch.segment_duration = fromAmount(after.segment);
  if (after.thumbnails !== before.thumbnails) {
    patch.thumbnails = after.thumbnails === "off" ? false : { enabled: after.thumbnails === "on" || "ondemand" };
  }
  const dvr = dvrChanges(before, after);
  if (dvr !== undefined) patch.dvr = dvr;
  return patch;
}

export function isSame(before: Draft, after: Draft): boolean {
  return Object.keys(changes(before, after)).length === 0;
}

/** In the order in which they are tried. */
function toInputs(inputs: readonly InputDraft[]): Patch[] {
  return inputs.map(({ url, rest }, index) => ({ ...rest, url: url.trim(), priority: index + 1 }));
}

const spelled = (inputs: readonly InputDraft[]): string => JSON.stringify(toInputs(inputs));

/** A recording that begins, or goes elsewhere, takes its limits along; otherwise only those that changed are said. */
function dvrChanges(before: Draft, after: Draft): Patch | false | undefined {
  if (after.recorded === "off") return before.recorded === "off" ? undefined : false;
  const place = after.recorded === "root" ? { root: after.root.trim() } : { reference: after.reference };
  const moved =
    after.recorded !== before.recorded ||
    (after.recorded === "root" ? after.root !== before.root : after.reference !== before.reference);
  const limits: Patch = {};
  for (const [key, field] of LIMITS) {
    if (differs(after[field], before[field])) limits[key] = fromAmount(after[field]);
    else if (moved && after[field].text !== "") limits[key] = fromAmount(after[field]);
  }
  return moved || Object.keys(limits).length > 0 ? { ...place, ...limits } : undefined;
}

const LIMITS = [
  ["expiration", "expiration"],
  ["storage_limit", "storageLimit"],
  ["disk_usage_limit", "diskUsage"],
] as const;

const differs = (one: Amount, other: Amount): boolean => fromAmount(one) !== fromAmount(other);
