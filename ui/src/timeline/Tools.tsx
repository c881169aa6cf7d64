/** Buttons for what the band also does under the hand: move, zoom, back to now. */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { Icon, type IconName } from "../common/Icon";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../common/time";
import { ZOOM } from "./keys";
import type { Mover } from "./mover";
import { move, spanOf, upToNow, zoom, type View } from "./view";

interface Props {
  now: ReadonlySignal<number>;
  view: Signal<View>;
  mover: Mover;
  position: ReadonlySignal<number | null>;
  children: ComponentChildren;
}

const SPANS: readonly (readonly [ms: number, title: string])[] = [
  [MINUTE_MS, "1 minute"],
  [10 * MINUTE_MS, "10 minutes"],
  [HOUR_MS, "1 hour"],
  [6 * HOUR_MS, "6 hours"],
  [DAY_MS, "1 day"],
  [7 * DAY_MS, "1 week"],
  [30 * DAY_MS, "1 month"],
  [365 * DAY_MS, "1 year"],
];
const STEP = 0.5;

export function Tools({ now, view, mover, position, children }: Props) {
  const span = spanOf(view.value);
  const near = SPANS.find(([ms]) => Math.abs(span - ms) < ms * 0.01);

  /** Around what one looks at: the present while it is followed and the playhead is near it, the playhead, the middle. */
  function zoomTo(wanted: number): void {
    const shown = view.peek();
    const head = position.peek();
    const recent = head === null || now.peek() - head < wanted;
    if (mover.following.peek() && recent) return mover.glide(upToNow(now.peek(), wanted));
    const at = head !== null && head >= shown.begin && head <= shown.end ? head : undefined;
    mover.glide(zoom(shown, wanted / spanOf(shown), at));
  }

  const button = (name: IconName, label: string, onClick: () => void) => (
    <button class="quiet icon" aria-label={label} title={label} onClick={onClick}>
      <Icon name={name} />
    </button>
  );
  return (
    <div class="timeline-tools">
      <div class="timeline-buttons" role="group" aria-label="What is on the screen">
        {button("left", "Earlier", () => mover.glide(move(view.peek(), -STEP * spanOf(view.peek()))))}
        {button("right", "Later", () => mover.glide(move(view.peek(), STEP * spanOf(view.peek()))))}
        {button("minus", "Show more time", () => zoomTo(spanOf(view.peek()) * ZOOM))}
        <select
          aria-label="How much time is shown"
          value={near === undefined ? "" : String(near[0])}
          onChange={(event) => zoomTo(Number(event.currentTarget.value))}
        >
          {near === undefined && <option value="">{about(span)}</option>}
          {SPANS.map(([ms, title]) => (
            <option key={ms} value={String(ms)}>
              {title}
            </option>
          ))}
        </select>
        {button("plus", "Show less time", () => zoomTo(spanOf(view.peek()) / ZOOM))}
        <button
          class="timeline-now"
          aria-pressed={mover.following.value}
          title="Show the present, and go on with it"
          onClick={() => mover.glide(upToNow(now.peek(), spanOf(view.peek())))}
        >
          Now
        </button>
      </div>
      {children}
    </div>
  );
}

/** Two digits are enough: "3.4 days". */
function about(ms: number): string {
  const [size, title] =
    ms >= 60 * DAY_MS
      ? [30 * DAY_MS, "months"]
      : ms >= DAY_MS
        ? [DAY_MS, "days"]
        : ms >= HOUR_MS
          ? [HOUR_MS, "hours"]
          : [MINUTE_MS, "minutes"];
  const count = ms / size;
  return `${count < 10 ? Number(count.toFixed(1)) : Math.round(count)} ${title}`;
}
