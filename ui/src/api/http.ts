/**
 * Requests to the server, and what it says when it refuses.
 *
 *     request("PUT", "streams/ort", {...}) -> document | ApiError
 *
 * A 401 anywhere unsets `account`: the sign-in comes over the screen, which is afterwards as it was, typed words and all.
 */
import { computed, signal } from "@preact/signals";

export const API = "/streamer/api/v3";

/** What the sign-in has given; `null` before it. */
export interface Account {
  user: string;
  edit: boolean;
  csrf: string;
  expires_at: number;
  server_version: string;
  now: number;
}

export const account = signal<Account | null>(null);
/** Whose screen this is: also while that sign-in has ended and its user has not yet come back. */
export const held = signal<Account | null>(null);
export const mayEdit = computed(() => held.value?.edit ?? false);
/** Server clock minus this browser's, ms: "now" on every screen is the server's. */
export const clockOffsetMs = signal(0);

export const serverNow = (): number => Date.now() + clockOffsetMs.value;

interface Problem {
  status: string;
  code: string;
  title: string;
  source?: { pointer?: string; parameter?: string };
}

/** A refusal, in the server's own words. `status` is 0 where the server can't be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    title: string,
    readonly problems: readonly Problem[] = [],
  ) {
    super(title);
  }

  /** What is said of one field, `pointer` being a JSON pointer into the body (`/dvr/root`) or a parameter's name. */
  of(pointer: string): string | undefined {
    return this.problems.find(({ source }) => source?.pointer === pointer || source?.parameter === pointer)?.title;
  }
}

export type Method = "GET" | "POST" | "PUT" | "DELETE" | "HEAD";

/** `path` is below the API's base, or absolute. Raises `ApiError`; resolves to `undefined` for 204. */
export async function request<T>(method: Method, path: string, body?: unknown, abort?: AbortSignal): Promise<T> {
  const response = await send(method, path.startsWith("/") ? path : `${API}/${path}`, body, abort);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The bare response of a request that was not refused. */
export async function send(method: Method, url: string, body?: unknown, abort?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { "X-Requested-With": "flussdvr", Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (account.value !== null && method !== "GET" && method !== "HEAD") headers["X-CSRF-Token"] = account.value.csrf;
  let response: Response;
  try {
    const init: RequestInit = { method, headers, credentials: "same-origin" };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (abort !== undefined) init.signal = abort;
    response = await fetch(url, init);
  } catch (error) {
    if (abort?.aborted) throw error;
    throw new ApiError(0, "unreachable", "the server can't be reached");
  }
  if (!response.ok) {
    const error = await refusal(response);
    if (error.status === 401 && error.code !== "wrong_password") account.value = null;
    throw error;
  }
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const { errors } = (await response.json()) as { errors: Problem[] };
    const first = errors[0];
    if (first !== undefined) return new ApiError(response.status, first.code, first.title, errors);
  } catch {
    // not the server's own: a proxy's page, perhaps
  }
  return new ApiError(response.status, "error", `the server answers ${response.status}`);
}

/** A stream's name inside a path: slashes stay. */
export const inPath = (name: string): string => name.split("/").map(encodeURIComponent).join("/");
