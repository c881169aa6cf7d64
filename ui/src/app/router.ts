/**
 * Where one is, in the address behind the `#`: it can be kept, sent and gone back to.
 *
 *     #/streams?q=cam    #/streams/{name}    #/streams/{name}?at=1795194000    #/events
 */
import { computed, signal } from "@preact/signals";

export interface Place {
  /** The parts of the path, decoded; a stream's name is one part, slashes and all. */
  path: readonly string[];
  query: URLSearchParams;
}

export function readPlace(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  return { path: parts.length > 0 ? parts : ["streams"], query: new URLSearchParams(query) };
}

/** The address of a place: `address(["streams", "a/b"], { at: "5" })` is `#/streams/a%2Fb?at=5`. */
export function address(path: readonly string[], query: Record<string, string> = {}): string {
  const spelled = new URLSearchParams(query).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${spelled === "" ? "" : `?${spelled}`}`;
}

const hash = signal(location.hash);
window.addEventListener("hashchange", () => {
  const wanted = location.hash;
  if (guard !== null && !samePath(wanted, hash.value)) {
    history.replaceState(null, "", address(place.value.path, Object.fromEntries(place.value.query)));
    leaving(() => (location.hash = wanted));
  } else {
    hash.value = wanted;
  }
});

export const place = computed(() => readPlace(hash.value));

export function go(path: readonly string[], query: Record<string, string> = {}): void {
  location.hash = address(path, query);
}

/** Changes the query of where one is, without a step in the browser's history. */
export function amend(query: Record<string, string>): void {
  history.replaceState(null, "", address(place.value.path, query));
  hash.value = location.hash;
}

type Guard = (leave: () => void) => void;
let guard: Guard | null = null;

/** While something is not saved: `ask` decides whether the screen may be left. Returns what ends that. */
export function guardLeaving(ask: Guard): () => void {
  guard = ask;
  window.addEventListener("beforeunload", refuse);
  return () => {
    if (guard === ask) guard = null;
    window.removeEventListener("beforeunload", refuse);
  };
}

/** Does `go`, which ends the screen; where it is guarded, only if that is agreed to. */
export function leaving(go: () => void): void {
  if (guard === null) return go();
  guard(() => {
    guard = null;
    go();
  });
}

const refuse = (event: Event): void => event.preventDefault();

function samePath(one: string, other: string): boolean {
  return address(readPlace(one).path) === address(readPlace(other).path);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
