/**
 * The archive as a band of time: what is recorded, where one is, what is chosen; below it what moves and zooms it.
 *
 *     [            Band            ]
 *     < - [6 h] + > Now    recorded 5 h 58 min of 6 h, 1 gap
 */
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useMemo, useRef } from "preact/hooks";

import type { Span, Timeline as Archive } from "../api/types";
import type { Zone } from "../common/time";
import { Band } from "./Band";
import { Mover } from "./mover";
import { Tools } from "./Tools";
import type { View } from "./view";
import { summary, zonesOf } from "./zones";

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

const SUMMED_UP_AFTER_MS = 300;

export function Timeline({
  archive,
  now,
  view,
  position,
  selection,
  zone,
  onSeek,
  onScrub,
  preview,
  children,
}: TimelineProps) {
  const id = useId();
  const zones = useComputed(() => zonesOf(archive.value));
  const mover = useMemo(() => new Mover(view, now, () => zones.peek().first ?? now.peek()), []);
  useEffect(() => () => mover.stop(), []);

  const clock = useRef(now.peek());
  useSignalEffect(() => {
    const before = clock.current;
    clock.current = now.value;
    mover.slide(before);
  });

  const head = useRef(position.peek());
  useSignalEffect(() => {
    const before = head.current;
    head.current = position.value;
    if (position.value !== null) mover.attend(before, position.value);
  });

  const words = useSignal("");
  const summing = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useSignalEffect(() => {
    void [view.value, zones.value];
    summing.current ??= setTimeout(() => {
      summing.current = undefined;
      words.value = summary(zones.peek(), view.peek(), now.peek());
    }, SUMMED_UP_AFTER_MS);
  });
  useEffect(() => () => clearTimeout(summing.current), []);

  return (
    <section class="timeline" aria-label="Timeline">
      <Band {...{ zones, now, view, mover, position, selection, zone, onSeek, onScrub, preview }} describedBy={id} />
      <Tools {...{ now, view, mover, position }}>
        {children}
        <p class="timeline-summary soft small num">{words}</p>
      </Tools>
      <p id={id} class="visually-hidden">
        {words}. Arrow keys step, Enter goes there, plus and minus zoom, i and o set the begin and the end of the
        selection.
      </p>
    </section>
  );
}
