/** The exports on the server, newest first. */
import { signal } from "@preact/signals";

import { account, request } from "../api/http";
import type { ExportJob } from "../api/types";

export const jobs = signal<readonly ExportJob[]>([]);

const SHOWN = 20;

export async function readJobs(name: string, abort?: AbortSignal): Promise<void> {
  if (account.value === null) return;
  const path = `dvr_export_jobs?name=${encodeURIComponent(name)}&sort=-started_at&limit=${SHOWN}`;
  jobs.value = (await request<{ jobs: ExportJob[] }>("GET", path, undefined, abort)).jobs;
}

const FAILURES: Record<string, string> = {
  path_not_permitted: "files may only be written below an export_root or a DVR root",
  file_exists: "there is such a file already",
  no_space: "there is not enough space",
  no_recordings: "nothing is recorded there",
  interrupted: "the server was ended",
  store_denied: "the object store refuses the key of export_root",
  store_unreachable: "the object store does not answer",
  store_failed: "the object store does not take it",
  bucket_not_found: "the object store has no such bucket",
};

/** In words: what has become of a job. */
export function stateOf({ status, error, progress }: Pick<ExportJob, "status" | "error" | "progress">): string {
  switch (status) {
    case "running":
      return `${Math.floor(progress)} %`;
    case "succeeded":
      return "done";
    case "canceled":
      return "cancelled";
    case "failed":
      return `failed: ${FAILURES[error ?? ""] ?? error ?? "unknown"}`;
  }
}
