/**
 * The timeline alone, over an archive that never was; `bench/timeline.mjs` drives it.
 *
 *     ?days=365&gaps=10000&span=MS&at=MS
 */
import { signal } from "@preact/signals";
import { render } from "preact";

import type { Span } from "../src/api/types";
import { shownZone } from "../src/common/time";
import { DateField } from "../src/timeline/DateField";
import { Timeline } from "../src/timeline/Timeline";
import { around, upToNow } from "../src/timeline/view";
import { ZoneSwitch } from "../src/timeline/ZoneSwitch";
import "../src/styles/tokens.css";
import "../src/styles/base.css";
import "../src/styles/shell.css";
import "../src/styles/timeline.css";
import { archiveOf } from "./archive";

const query = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(query.get(name) ?? otherwise);
const begun = performance.now();
const start = number("now", Date.now());
const now = signal(start);
setInterval(() => {
  now.value = start + performance.now() - begun;
}, 250);
const archive = signal(archiveOf(start, number("days", 365), number("gaps", 10_000)));
const span = number("span", 365 * 86_400_000);
const view = signal(query.has("at") ? around(number("at", start), span) : upToNow(start, span));
const position = signal<number | null>(start - span / 3);
const selection = signal<Span | null>(null);
const seek = (ms: number): void => {
  position.value = ms;
};

/** A picture of nothing, after a while. */
function preview(ms: number, width: number): string {
  const hue = Math.floor(ms / 1000) % 360;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${(width * 9) / 16}"><rect width="100%" height="100%" fill="hsl(${hue} 40% 40%)"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

const root = document.getElementById("app");
if (root !== null) {
  root.style.paddingTop = "12rem";
  render(
    <Timeline {...{ archive, now, view, position, selection, zone: shownZone, preview }} onSeek={seek}>
      <DateField value={position} zone={shownZone} onChange={seek} now={now} label="Go to" />
      <ZoneSwitch />
    </Timeline>,
    root,
  );
  // after the first frame
  requestAnimationFrame(() => setTimeout(() => performance.measure("opened", { start: begun })));
}
Object.assign(window, { timeline: { view, selection, position, now } });
