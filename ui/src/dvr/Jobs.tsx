/** Exports of this stream on the server: how far they are; cancelled, and forgotten when they are over. */
import { useEffect } from "preact/hooks";

import { mayEdit, request } from "../api/http";
import type { ExportJob } from "../api/types";
import { sayWhy } from "../app/toasts";
import { formatBytes } from "../common/bytes";
import { Icon } from "../common/Icon";
import { poll } from "../common/poll";
import { formatSpan } from "../common/time";
import { jobs, readJobs, stateOf } from "./jobs";

const EVERY_MS = 2000;

export function Jobs({ name }: { name: string }) {
  useEffect(() => {
    jobs.value = [];
    return poll((abort) => readJobs(name, abort), EVERY_MS);
  }, [name]);

  async function remove({ id }: ExportJob): Promise<void> {
    try {
      await request("DELETE", `dvr_export_jobs/${id}`);
      await readJobs(name);
    } catch (error) {
      sayWhy(error);
    }
  }

  if (jobs.value.length === 0) return null;
  return (
    <section class="dvr-list card" aria-label="Exports on the server">
      <h2>Exports on the server</h2>
      <ul>
        {jobs.value.map((job) => (
          <li key={job.id}>
            <span class="grow clipped mono" title={job.path}>
              {job.path}
            </span>
            <span class="num soft">{job.size === null ? formatSpan(job.duration) : formatBytes(job.size)}</span>
            {job.status === "running" && <progress max={100} value={job.progress} aria-label={job.path} />}
            <span class={job.status === "failed" ? "num dvr-failed" : "num"}>{stateOf(job)}</span>
            {mayEdit.value && (
              <button
                class="quiet icon"
                aria-label={job.status === "running" ? `Cancel ${job.path}` : `Forget ${job.path}`}
                title={job.status === "running" ? "Cancel" : "Forget"}
                onClick={() => void remove(job)}
              >
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
