/** The server itself: where it listens. Asked for once, when something first wants to show it. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { ApiError, request } from "./http";

export interface Listener {
  port: number;
  /** `null`: every address of the machine. */
  address: string | null;
}

export interface Listeners {
  http: Listener[];
  https: Listener[];
  rtmp: Listener[];
}

const RTMP_PORT = 1935;
const listeners = signal<Listeners | null>(null);

/** `null` until the server has said. */
export function useListeners(): Listeners | null {
  useEffect(() => {
    if (listeners.peek() !== null) return;
    const abort = new AbortController();
    request<{ listeners: Listeners }>("GET", "config/stats", undefined, abort.signal).then(
      (stats) => (listeners.value = stats.listeners),
      (error: unknown) => {
        if (!(error instanceof ApiError) && !abort.signal.aborted) reportError(error);
      },
    );
    return () => abort.abort();
  }, []);
  return listeners.value;
}

/** Where an encoder publishes `name` by RTMP, seen from a browser that came to `host`; `null`: the server has no RTMP. */
export function rtmpAddress({ rtmp }: Listeners, host: string, name: string): string | null {
  const [first] = rtmp;
  if (first === undefined) return null;
  const port = first.port === RTMP_PORT ? "" : `:${first.port}`;
  return `rtmp://${named(first, host)}${port}/live/${name}`;
}

/** A listener of one address is reached there; a machine's own one only where the browser is on it, too. */
function named({ address }: Listener, host: string): string {
  if (address === null || address === "0.0.0.0" || address === "::") return host;
  return address.includes(":") ? `[${address}]` : address;
}
