/** The archive of a stream, as the server has last said: what is new every 2 s, all of it every minute. */
import { useEffect, useMemo } from "preact/hooks";
import { signal, type ReadonlySignal } from "@preact/signals";

import { account, inPath, request, serverNow } from "../api/http";
import type { Timeline } from "../api/types";
import { poll } from "../common/poll";
import { updated } from "./merge";

const EVERY_MS = 2000;
const WHOLE_EVERY_MS = 60_000;
/** What is asked for again reaches back by this: what was written late is not missed. */
const BACK_MS = 30_000;

export interface Archive {
  timeline: ReadonlySignal<Timeline>;
  /** The first answer is there. */
  known: ReadonlySignal<boolean>;
  /** All of it again: something has been changed. */
  reload: () => Promise<void>;
}

export function useArchive(name: string): Archive {
  const archive = useMemo(() => new Reading(name), [name]);
  useEffect(() => poll((abort) => archive.read(abort), EVERY_MS), [archive]);
  return archive;
}

class Reading implements Archive {
  readonly timeline;
  readonly known = signal(false);
  readonly #path: string;
  #wholeAt = 0;

  constructor(name: string) {
    const nothing = { opened_at: null, closed_at: null, bytes: 0, ranges: [], locks: [], gaps: [] };
    this.timeline = signal<Timeline>({ name, now: serverNow(), recording: false, ...nothing });
    this.#path = `streams/${inPath(name)}/dvr/timeline`;
  }

  reload = async (): Promise<void> => {
    this.#wholeAt = 0;
    await this.read();
  };

  async read(abort?: AbortSignal): Promise<void> {
    if (account.value === null) return;
    const whole = performance.now() - this.#wholeAt > WHOLE_EVERY_MS || this.#wholeAt === 0;
    const from = Math.floor(this.timeline.value.now - BACK_MS);
    const read = await request<Timeline>("GET", whole ? this.#path : `${this.#path}?from=${from}`, undefined, abort);
    if (whole) this.#wholeAt = performance.now();
    this.timeline.value = whole ? read : updated(this.timeline.value, read, from);
    this.known.value = true;
  }
}
