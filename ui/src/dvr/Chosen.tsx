/** The part that is chosen: from when to when, how large as a file, and what can be done with it. */
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal, type Signal } from "@preact/signals";
import { useState } from "preact/hooks";

import { ApiError, inPath, mayEdit, request, send } from "../api/http";
import type { Span, Stream } from "../api/types";
import { say, sayWhy } from "../app/toasts";
import { formatBytes } from "../common/bytes";
import { Icon } from "../common/Icon";
import { formatSpan, shownZone } from "../common/time";
import { DateField } from "../timeline/DateField";
import type { Archive } from "./archive";
import { DeleteDialog } from "./DeleteDialog";
import { fileName, fileUrl } from "./files";
import { amounts } from "./merge";
import { ServerExport } from "./ServerExport";
import { ShareDialog } from "./ShareDialog";

interface Props {
  name: string;
  stream: ReadonlySignal<Stream | null>;
  archive: Archive;
  selection: Signal<Span | null>;
  now: ReadonlySignal<number>;
  /** Chooses something to begin with. */
  onOffer: () => void;
}

const SHORTEST_MS = 1000;

export function Chosen(props: Props) {
  const span = props.selection.value;
  if (span === null) {
    return (
      <div class="chosen chosen-none">
        <button onClick={props.onOffer}>
          <Icon name="download" />
          Choose a part
        </button>
        <span class="soft small">to download, lock, share or export; or drag the limiters on the timeline.</span>
      </div>
    );
  }
  return <Part {...props} span={span} />;
}

function Part({ name, stream, archive, selection, now, span }: Props & { span: Span }) {
  const [dialog, setDialog] = useState<"delete" | "export" | "share">();
  const begin = useComputed(() => selection.value?.[0] ?? null);
  const end = useComputed(() => selection.value?.[1] ?? null);
  const { recorded, locked } = amounts(archive.timeline.value, span);
  const close = () => setDialog(undefined);
  /** As it is now: this component may not have been drawn since. */
  const chosen = (): Span => selection.peek() ?? span;

  async function lock(method: "POST" | "DELETE"): Promise<void> {
    const [from, to] = span;
    try {
      await request(method, `streams/${inPath(name)}/dvr/locks`, { from: from / 1000, duration: (to - from) / 1000 });
      await archive.reload();
      say(method === "POST" ? "Locked: nothing deletes it." : "Not locked any more.");
    } catch (error) {
      sayWhy(error);
    }
  }

  return (
    <section class="chosen" aria-label="The part that is chosen">
      <div class="chosen-span">
        <DateField
          label="From"
          value={begin}
          zone={shownZone}
          now={now}
          onChange={(ms) => (selection.value = [ms, Math.max(chosen()[1], ms + SHORTEST_MS)])}
        />
        <span class="soft" aria-hidden="true">
          –
        </span>
        <DateField
          label="To"
          value={end}
          zone={shownZone}
          now={now}
          onChange={(ms) => (selection.value = [Math.min(chosen()[0], ms - SHORTEST_MS), ms])}
        />
        <span class="num chosen-length">
          <b>{formatSpan(span[1] - span[0])}</b>
          {recorded < span[1] - span[0] - 500 && (
            <span class="soft">
              {recorded === 0 ? ", nothing of it recorded" : `, ${formatSpan(recorded)} recorded`}
            </span>
          )}
          {locked > 0 && (
            <span class="chosen-locked">
              <Icon name="lock" />
              {locked >= recorded - 1 ? "locked" : `${formatSpan(locked)} locked`}
            </span>
          )}
        </span>
        <button
          class="quiet icon"
          aria-label="Nothing chosen"
          title="Nothing chosen"
          onClick={() => (selection.value = null)}
        >
          <Icon name="close" />
        </button>
      </div>
      <div class="row chosen-deeds">
        <a class="button primary" href={fileUrl(name, span, "mp4")} download={fileName(name, span)}>
          <Icon name="download" />
          Export MP4
          <FileSize name={name} selection={selection} />
        </a>
        <a class="button" href={fileUrl(name, span, "ts")} download={fileName(name, span).replace(/mp4$/, "ts")}>
          TS
        </a>
        {mayEdit.value && (
          <>
            <button onClick={() => setDialog("share")}>
              <Icon name="link" />
              Share
            </button>
            <button onClick={() => setDialog("export")}>Export to server</button>
            {locked < recorded - 1 || recorded === 0 ? (
              <button onClick={() => void lock("POST")}>
                <Icon name="lock" />
                Lock
              </button>
            ) : null}
            {locked > 0 && (
              <button onClick={() => void lock("DELETE")}>
                <Icon name="unlock" />
                Unlock
              </button>
            )}
            <button class="danger" disabled={recorded === 0} onClick={() => setDialog("delete")}>
              Delete
            </button>
          </>
        )}
      </div>
      {dialog === "share" && <ShareDialog name={name} span={span} onClose={close} />}
      {dialog === "export" && <ServerExport name={name} span={span} stream={stream} onClose={close} />}
      {dialog === "delete" && <DeleteDialog {...{ name, span, archive }} onClose={close} />}
    </section>
  );
}

const SETTLED_MS = 350;

/** The file's exact size, once the limiters rest. */
function FileSize({ name, selection }: { name: string; selection: ReadonlySignal<Span | null> }) {
  const size = useSignal<string>("");
  useSignalEffect(() => {
    const span = selection.value;
    size.value = "";
    if (span === null) return;
    const abort = new AbortController();
    const timer = setTimeout(() => void measure(span, abort.signal), SETTLED_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  });
  async function measure(span: Span, abort: AbortSignal): Promise<void> {
    try {
      const answer = await send("HEAD", fileUrl(name, span, "mp4"), undefined, abort);
      const length = Number(answer.headers.get("Content-Length"));
      if (length > 0) size.value = formatBytes(length);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) size.value = "empty";
    }
  }
  return <span class="num chosen-size">{size.value}</span>;
}
