/** The archive as a band of time: what is recorded, where one is, what is chosen. */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import type { Span, Timeline as Archive } from "../api/types";
import type { Zone } from "../shared/time";
import type { View } from "./view";

export interface TimelineProps {
  archive: ReadonlySignal<Archive>;
  /** The server's, ms, ticking. */
  now: ReadonlySignal<number>;
  /** What is on the screen. */
  view: Signal<View>;
  /** The playhead: UTC ms of the frame that is shown. */
  position: ReadonlySignal<number | null>;
  /** Between the two limiters. */
  selection: Signal<Span | null>;
  zone: ReadonlySignal<Zone>;
  onSeek: (ms: number) => void;
  /** While the playhead is being dragged; `null`: no longer. */
  onScrub?: (ms: number | null) => void;
  /** Address of a preview picture, or `null`: there are none. */
  preview: (ms: number, width: number) => string | null;
  /** Beside the buttons below the band. */
  children?: ComponentChildren;
}

export function Timeline({ children }: TimelineProps) {
  return <div class="timeline">{children}</div>;
}
