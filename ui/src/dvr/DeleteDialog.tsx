/** Recordings are deleted for ever: said clearly, and done once it is said again. */
import { useState } from "preact/hooks";

import { ApiError, inPath, request } from "../api/http";
import type { Span } from "../api/types";
import { say } from "../app/toasts";
import { Dialog } from "../common/Dialog";
import { formatMoment, formatSpan, shownZone } from "../common/time";
import type { Archive } from "./archive";
import { amounts } from "./merge";

interface Props {
  name: string;
  span: Span;
  archive: Archive;
  onClose: () => void;
}

export function DeleteDialog({ name, span, archive, onClose }: Props) {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [begin, end] = span;
  const zone = shownZone.value;
  const { recorded, locked } = amounts(archive.timeline.value, span);
  const going = recorded - locked;

  async function onDelete(): Promise<void> {
    setBusy(true);
    try {
      const window = { from: begin / 1000, duration: (end - begin) / 1000 };
      await request("DELETE", `streams/${inPath(name)}/dvr/ranges`, window);
      await archive.reload();
      say("The recordings are deleted.");
      onClose();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
      setBusy(false);
    }
  }

  return (
    <Dialog title="Delete recordings?" onClose={onClose}>
      {going > 0 ? (
        <p>
          <b>{formatSpan(going)}</b> of <bdi>{name}</bdi> from <span class="num">{formatMoment(begin, zone)}</span> to{" "}
          <span class="num">{formatMoment(end, zone)}</span> will be gone for ever.
        </p>
      ) : (
        <p>All that is recorded there is locked: unlock it first, then it can be deleted.</p>
      )}
      {going > 0 && locked > 0 && <p class="soft">{formatSpan(locked)} more are locked and stay.</p>}
      {problem !== undefined && (
        <p class="field-error" role="alert">
          {problem}
        </p>
      )}
      <div class="dialog-buttons">
        <button onClick={onClose} autofocus>
          Keep them
        </button>
        <button class="danger" disabled={busy || going <= 0} onClick={() => void onDelete()}>
          Delete for ever
        </button>
      </div>
    </Dialog>
  );
}
