/** A part of the archive as a file on the server, made in the background. */
import type { ReadonlySignal } from "@preact/signals";
import { useState } from "preact/hooks";

import { ApiError, request } from "../api/http";
import type { ExportJob, Span, Stream } from "../api/types";
import { say } from "../app/toasts";
import { Dialog } from "../common/Dialog";
import { Field } from "../common/Field";
import { keep, kept } from "../common/kept";
import { formatMoment, formatSpan, shownZone } from "../common/time";
import { fileName } from "./files";
import { jobs, stateOf } from "./jobs";

interface Props {
  name: string;
  span: Span;
  stream: ReadonlySignal<Stream | null>;
  onClose: () => void;
}

const DIRECTORY = "flussdvr.export_directory";

export function ServerExport({ name, span, stream, onClose }: Props) {
  const [begin, end] = span;
  const directory = kept(DIRECTORY) ?? `${stream.value?.dvr?.root ?? ""}/exports`;
  const [path, setPath] = useState(() => `${directory}/${fileName(name, span)}`);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const order = { name, from: begin, duration: end - begin, path, meta: true };
      const job = await settled(await request<ExportJob>("PUT", `dvr_export_jobs/${newId()}`, order));
      if (job.status === "failed") {
        await request("DELETE", `dvr_export_jobs/${job.id}`);
        setProblem(`This ${stateOf(job)}.`);
        setBusy(false);
        return;
      }
      jobs.value = [job, ...jobs.value];
      keep(DIRECTORY, path.slice(0, path.lastIndexOf("/")));
      say(job.status === "succeeded" ? "The export is done." : "The export has begun.");
      onClose();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
      setBusy(false);
    }
  }

  return (
    <Dialog title="Export to the server" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p>
          {formatSpan(end - begin)} from <span class="num">{formatMoment(begin, shownZone.value)}</span>, as an MP4.
        </p>
        <Field
          label="File"
          hint="Below an export_root of the server (also s3://host/bucket/...) or a DVR root. An existing file is never replaced."
          error={problem}
        >
          {(tied) => (
            <input
              {...tied}
              class="mono"
              value={path}
              required
              spellcheck={false}
              onInput={({ currentTarget }) => setPath(currentTarget.value)}
            />
          )}
        </Field>
        <div class="dialog-buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy}>
            Export
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What can't be written fails at once: that is waited for. */
async function settled(job: ExportJob): Promise<ExportJob> {
  let now = job;
  for (let turn = 0; turn < 3 && now.status === "running"; turn++) {
    await new Promise((done) => setTimeout(done, 250));
    now = await request<ExportJob>("GET", `dvr_export_jobs/${job.id}`);
  }
  return now;
}

/** Unlike `crypto.randomUUID`, also without https. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
