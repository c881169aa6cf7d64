/**
 * Every stream, as the server has last said: asked again while somebody looks.
 *
 *     GET streams --> rows (all of them)     rowOf(name): one, which changes only when it has changed
 */
import { batch, signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { account, ApiError, request } from "../api/http";
import type { Stream } from "../api/types";
import { poll } from "../common/poll";
import { SELECTED, sameRow, toRow, type Row } from "./row";

const EVERY_MS = 2500;
const PAGE = 1000;

/** `null` until the first answer. */
export const rows = signal<readonly Row[] | null>(null);
/** Why what is shown is old, and since when (this browser's clock, ms). */
export const trouble = signal<{ since: number; title: string } | null>(null);

const single = new Map<string, Signal<Row>>();

/** Of a stream that is in `rows`. */
export function rowOf(name: string): ReadonlySignal<Row> {
  const row = single.get(name);
  if (row === undefined) throw new RangeError(name);
  return row;
}

/** Returns what ends it. */
export function watchStreams(): () => void {
  return poll(refresh, EVERY_MS);
}

async function refresh(abort: AbortSignal): Promise<void> {
  if (account.value === null) return;
  try {
    take(await everything(abort));
    trouble.value = null;
  } catch (error) {
    if (error instanceof ApiError && error.status !== 401) {
      trouble.value = { since: trouble.value?.since ?? Date.now(), title: error.message };
    }
    throw error;
  }
}

async function everything(abort: AbortSignal): Promise<Stream[]> {
  const found: Stream[] = [];
  let cursor = "";
  for (;;) {
    const path = `streams?limit=${PAGE}&select=${SELECTED}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
    const page = await request<{ streams: Stream[]; next: string | null }>("GET", path, undefined, abort);
    found.push(...page.streams);
    if (page.next === null || page.next === cursor) return found;
    cursor = page.next;
  }
}

export function take(streams: readonly Stream[]): void {
  batch(() => {
    const fresh = streams.map(toRow);
    for (const row of fresh) {
      const known = single.get(row.name);
      if (known === undefined) single.set(row.name, signal(row));
      else if (!sameRow(known.value, row)) known.value = row;
    }
    if (single.size > fresh.length) {
      const names = new Set(fresh.map(({ name }) => name));
      for (const name of single.keys()) if (!names.has(name)) single.delete(name);
    }
    rows.value = fresh;
  });
}
