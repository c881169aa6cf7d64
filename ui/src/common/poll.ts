/** Work that is done again and again: one at a time, and not while nobody sees the page. */
import { ApiError } from "../api/http";

/**
 * Does `work` at once and then `everyMs` after it was done. While the page is hidden it rests, and goes on at once when
 * it is seen again. A refusal is over with the next turn. Returns what ends it.
 */
export function poll(work: (abort: AbortSignal) => Promise<void>, everyMs: number): () => void {
  const ended = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;

  async function turn(): Promise<void> {
    if (busy || document.hidden || ended.signal.aborted) return;
    clearTimeout(timer);
    busy = true;
    try {
      await work(ended.signal);
    } catch (error) {
      if (!(error instanceof ApiError) && !ended.signal.aborted) reportError(error);
    }
    busy = false;
    if (!ended.signal.aborted) timer = setTimeout(() => void turn(), everyMs);
  }

  const seen = () => void turn();
  document.addEventListener("visibilitychange", seen);
  void turn();
  return () => {
    ended.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}
