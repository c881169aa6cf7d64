/**
 * Something on the band that can be moved, for pointers, keys and screen readers: a slider over time.
 *
 * What it says is renewed by itself only while it has no focus: nobody wants a clock read out.
 */
import { useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useRef } from "preact/hooks";

import type { Span } from "../api/types";
import { formatMoment, type AnyZone } from "../common/time";
import type { Part } from "./gestures";
import { noteOn, type Zones } from "./zones";

interface Props {
  part: Part;
  label: string;
  describedBy?: string;
  element?: RefObject<HTMLDivElement | null>;
  /** Where it is; read inside an effect. */
  value: () => number | null;
  bounds: () => Span;
  zone: ReadonlySignal<AnyZone>;
  now: ReadonlySignal<number>;
  /** Whose notes are said along with the time. */
  note?: ReadonlySignal<Zones>;
  onKeyDown: (event: KeyboardEvent) => void;
  onBlur?: () => void;
}

export function Handle({
  part,
  label,
  describedBy,
  element,
  value,
  bounds,
  zone,
  now,
  note,
  onKeyDown,
  onBlur,
}: Props) {
  const own = useRef<HTMLDivElement>(null);
  const ref = element ?? own;
  const keyed = useRef(false);
  const said = useSignal<{ ms: number; text: string } | null>(null);
  useSignalEffect(() => {
    const ms = value();
    const focused = document.activeElement === ref.current && ref.current !== null;
    if (focused && !keyed.current && said.peek() !== null) return;
    keyed.current = false;
    if (ms === null) {
      said.value = null;
      return;
    }
    const text = formatMoment(ms, zone.value);
    const remark = note === undefined ? null : noteOn(note.peek(), ms, ms + 1, now.peek(), zone.value);
    const whole = remark === null ? text : `${text}, ${remark}`;
    if (said.peek()?.text !== whole) said.value = { ms: Math.round(ms), text: whole };
  });
  const [first, last] = bounds();
  return (
    <div
      ref={ref}
      class={part === "bar" ? "timeline-bar" : `timeline-limiter ${part}`}
      data-part={part}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-describedby={describedBy}
      aria-orientation="horizontal"
      aria-valuemin={first}
      aria-valuemax={last}
      aria-valuenow={said.value?.ms ?? last}
      aria-valuetext={said.value?.text ?? "nothing is shown"}
      onKeyDown={(event) => {
        keyed.current = true;
        onKeyDown(event);
      }}
      onBlur={onBlur}
    />
  );
}
