/** A part of the archive as a file: the limiters are set on the timeline, the browser downloads it. */
import type { ReadonlySignal, Signal } from "@preact/signals";

import type { Span } from "../api/types";
import { Icon } from "../common/Icon";
import { formatSpan } from "../common/time";
import { fileUrl } from "./recorded";

interface Props {
  name: string;
  token: string | undefined;
  limitMs: number;
  selection: Signal<Span | null>;
  position: ReadonlySignal<number | null>;
  now: ReadonlySignal<number>;
}

const OFFERED_MS = 60_000;

export function Export({ name, token, limitMs, selection, position, now }: Props) {
  const chosen = selection.value;
  if (limitMs === 0) return null;
  if (chosen === null) {
    return (
      <button
        onClick={() => {
          const end = position.peek() ?? now.peek();
          selection.value = [end - Math.min(OFFERED_MS, limitMs), end];
        }}
      >
        <Icon name="download" />
        Export
      </button>
    );
  }
  const tooLong = chosen[1] - chosen[0] > limitMs;
  return (
    <span class="embedded-export" role="group" aria-label="Export">
      <span class="num small">
        {formatSpan(chosen[1] - chosen[0])}
        {tooLong && `: at most ${formatSpan(limitMs)}`}
      </span>
      {tooLong ? (
        <button disabled>
          <Icon name="download" />
          MP4
        </button>
      ) : (
        <a class="button primary" href={fileUrl(name, chosen, token)} download="">
          <Icon name="download" />
          MP4
        </a>
      )}
      <button
        class="quiet icon"
        aria-label="No export"
        onClick={() => {
          selection.value = null;
        }}
      >
        <Icon name="close" />
      </button>
    </span>
  );
}
