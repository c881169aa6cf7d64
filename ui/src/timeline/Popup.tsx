/** Above the pointer: the picture of that moment, its time, and what is to say of it. */
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { formatMoment, type AnyZone } from "../common/time";
import { isFilm, loadPicture, Previews } from "./previews";
import { clamp, spanOf, xOf, type View } from "./view";
import { noteOn, type Zones } from "./zones";

interface Props {
  cursor: ReadonlySignal<number | null>;
  view: ReadonlySignal<View>;
  width: ReadonlySignal<number>;
  zones: ReadonlySignal<Zones>;
  now: ReadonlySignal<number>;
  zone: ReadonlySignal<AnyZone>;
  preview: (ms: number, width: number) => string | null;
}

/** CSS pixels; styles/timeline.css has the same. */
const WIDTH = 192;
/** Nearer than so many pixels is meant. */
const NEAR_PX = 2;
/** Pictures this far apart are the same picture: a second, or a few pixels. */
const APART_PX = 4;

export function Popup({ cursor, view, width, zones, now, zone, preview }: Props) {
  const picture = useSignal<string | null>(null);
  const previews = useMemo(
    () =>
      new Previews(loadPicture, (url) => {
        picture.value = url;
      }),
    [],
  );
  useEffect(() => () => previews.stop(), []);
  const perPixel = useComputed(() => spanOf(view.value) / Math.max(1, width.value));

  useSignalEffect(() => {
    const ms = cursor.value;
    if (ms === null) {
      previews.stop();
      return;
    }
    const grain = Math.max(1000, perPixel.peek() * APART_PX);
    const { recorded } = zones.peek();
    const at = Math.round(Math.round(ms / grain) * grain);
    const near = recorded.at(at) >= 0 ? at : recorded.at(ms) >= 0 ? Math.round(ms) : null;
    const url = near === null ? null : preview(near, WIDTH * Math.min(2, Math.ceil(devicePixelRatio)));
    if (url === null) picture.value = null;
    previews.want(url);
  });

  const ms = cursor.value;
  if (ms === null || width.value === 0) return null;
  const x = clamp(xOf(view.value, width.value, ms), WIDTH / 2, Math.max(WIDTH / 2, width.value - WIDTH / 2));
  const near = perPixel.value * NEAR_PX;
  const note = noteOn(zones.value, ms - near, ms + near, now.value, zone.value);
  return (
    <div class="timeline-popup" style={{ transform: `translateX(${x}px)` }} aria-hidden="true">
      {picture.value !== null &&
        (isFilm(picture.value) ? (
          <video src={picture.value} muted playsInline preload="auto" />
        ) : (
          <img src={picture.value} alt="" />
        ))}
      <div class="timeline-popup-time num">{formatMoment(ms, zone.value, perPixel.value < 100 ? "ms" : "second")}</div>
      {note !== null && <div class="timeline-popup-note">{note}</div>}
    </div>
  );
}
