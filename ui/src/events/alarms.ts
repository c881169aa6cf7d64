/** The alarms there are now, asked for once for the whole page. */
import { signal } from "@preact/signals";

import { readAlarms } from "../api/events";
import type { Alarm } from "../api/types";
import { poll } from "../common/poll";

const EVERY_MS = 10_000;

/** `null` until the server has said. */
export const alarms = signal<readonly Alarm[] | null>(null);

/** Keeps `alarms` up to date until what it returns is called. */
export function watchAlarms(): () => void {
  const end = poll(async (abort) => {
    alarms.value = await readAlarms(abort);
  }, EVERY_MS);
  return () => {
    end();
    alarms.value = null;
  };
}
