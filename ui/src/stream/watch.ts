/** One stream, as the server has last said: asked again while somebody looks. */
import { useEffect, useMemo } from "preact/hooks";
import { signal, type ReadonlySignal } from "@preact/signals";

import { account, ApiError, request } from "../api/http";
import type { Stream } from "../api/types";
import { poll } from "../common/poll";

const EVERY_MS = 2500;

export interface Watched {
  /** `null` until the first answer. */
  stream: ReadonlySignal<Stream | null>;
  /** Why what is known is old or nothing, and since when (this browser's clock, ms). */
  trouble: ReadonlySignal<{ since: number; error: ApiError } | null>;
}

export function useStream(name: string): Watched {
  const [stream, trouble] = useMemo(
    () => [signal<Stream | null>(null), signal<{ since: number; error: ApiError } | null>(null)] as const,
    [name],
  );
  useEffect(
    () =>
      poll(async (abort) => {
        if (account.value === null) return;
        try {
          stream.value = await find(name, abort);
          trouble.value = null;
        } catch (error) {
          if (error instanceof ApiError && error.status !== 401) {
            trouble.value = { since: trouble.value?.since ?? Date.now(), error };
          }
          throw error;
        }
      }, EVERY_MS),
    [name],
  );
  return { stream, trouble };
}

/** As an item of the list: alone, a stream has every range that is recorded, of which there may be thousands. */
async function find(name: string, abort: AbortSignal): Promise<Stream> {
  const path = `streams?name=${encodeURIComponent(name)}`;
  const { streams } = await request<{ streams: Stream[] }>("GET", path, undefined, abort);
  const found = streams.find((one) => one.name === name);
  if (found === undefined) throw new ApiError(404, "stream_not_found", "there is no such stream");
  return found;
}
