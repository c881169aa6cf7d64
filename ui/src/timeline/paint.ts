/**
 * Draws the band.
 *
 *     Fri 20 Nov 2026                 | Sat 21 Nov         periods
 *     22:00      23:00     00:00      | 01:00              ticks
 *     ##########################|     ######~~|            recorded: full height; missing: lower, hatched
 *     ####======================|=====######~~|            locked: striped, along the lower edge
 *
 * One pass over the columns of pixels for each colour: equal neighbours are one rectangle. Nothing is read from the page.
 */
import type { Span } from "../api/types";
import type { AnyZone } from "../common/time";
import type { Palette } from "./palette";
import { rulerOf, type Ruler } from "./ticks";
import { xOf, type View } from "./view";
import { aggregate, extentOf, newColumns, type Columns, type Zones } from "./zones";

export interface Scene {
  zones: Zones;
  view: View;
  now: number;
  zone: AnyZone;
  position: number | null;
  /** Under the pointer, or where the keys are. */
  cursor: number | null;
  selection: Span | null;
}

/** CSS pixels. */
export const RULER_HEIGHT = 40;
export const BAR_HEIGHT = 56;
export const HEIGHT = RULER_HEIGHT + BAR_HEIGHT;

const PERIODS = 18;
const LOCK_HEIGHT = 7;
/** Of the bar: what is missing is lower than what is recorded, whoever sees no colours. */
const MISSING_SHARE = 0.55;
/** A gap of a frame in a year is that high. */
const LEAST_MISSING = 14;
/** And that wide. */
const LEAST_WIDTH = 2;
const TEXT = 11;

export class Painter {
  private readonly context: CanvasRenderingContext2D;
  private readonly widths = new Map<string, number>();
  private width = 0;
  private scale = 1;
  private columns: Columns = newColumns(0);
  private palette: Palette | null = null;
  private hatch: CanvasPattern | string = "";
  private stripes: CanvasPattern | string = "";

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("no canvas");
    this.context = context;
  }

  /** CSS pixels, and how many of the screen's each is. */
  resize(width: number, scale: number): void {
    this.width = width;
    this.scale = scale;
    this.canvas.width = Math.max(1, Math.round(width * scale));
    this.canvas.height = Math.round(HEIGHT * scale);
    this.columns = newColumns(this.canvas.width);
    if (this.palette !== null) this.colour(this.palette);
  }

  colour(palette: Palette): void {
    this.palette = palette;
    this.widths.clear();
    this.hatch = this.pattern(palette.missing, palette.surface, 6, 0.4, 1);
    this.stripes = this.pattern(palette.locked, palette.surface, 8, 0.5, 3);
  }

  paint(scene: Scene): void {
    if (this.palette === null || this.width === 0) return;
    const { context, scale } = this;
    const ruler = rulerOf(scene.view, this.width, scene.zone);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.width, HEIGHT);
    this.ground(scene);
    this.zones(scene);
    this.locks(scene);
    this.present(scene);
    this.ruler(ruler, scene.view);
    this.chosen(scene);
    this.lines(scene);
  }

  /** Sunken where nothing can be; what is to come is lighter, with dots. */
  private ground({ view, now }: Scene): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    context.fillStyle = palette.sunken;
    context.fillRect(0, RULER_HEIGHT, width, BAR_HEIGHT);
    const x = Math.max(0, this.snap(xOf(view, width, now)));
    if (x >= width) return;
    context.fillStyle = palette.future;
    context.fillRect(x, RULER_HEIGHT, width - x, BAR_HEIGHT);
  }

  private zones({ zones, view, now }: Scene): void {
    const { context, scale, columns } = this;
    const palette = this.palette as Palette;
    aggregate(zones, view, now, columns);
    const { recorded, missing } = columns;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const top = Math.round(RULER_HEIGHT * scale);
    const height = this.canvas.height - top;
    const full = Math.round(height * MISSING_SHARE);
    const least = Math.round(LEAST_MISSING * scale);
    const thin = Math.round(LEAST_WIDTH * scale);
    const count = recorded.length;
    // a light edge between red and green: seen without colours
    const edge = Math.max(1, Math.round(1.5 * scale));
    const isWhole = (i: number): boolean => recorded[i] === 0 && (missing[i] ?? 0) > 0;
    const highOf = (i: number): number => {
      const none = missing[i] ?? 0;
      return Math.round(least + (none / ((recorded[i] ?? 0) + none)) * (full - least));
    };
    context.fillStyle = palette.recorded;
    for (let from = 0; from < count; from += 1) {
      if (!recorded[from]) continue;
      const begin = from;
      while (from + 1 < count && recorded[from + 1]) from += 1;
      context.fillRect(begin, top, from + 1 - begin, height);
    }
    const caps: number[] = [];
    context.fillStyle = palette.missing;
    for (let from = 0; from < count; from += 1) {
      if (!missing[from] || isWhole(from)) continue;
      // the edge of a gap that is seen anyway
      if (isWhole(from - 1) || isWhole(from + 1)) continue;
      const begin = from;
      const high = highOf(from);
      while (from + 1 < count && missing[from + 1] && recorded[from + 1] && highOf(from + 1) === high) from += 1;
      const wide = Math.max(from + 1 - begin, thin);
      context.fillRect(begin, top + height - high, wide, high);
      caps.push(begin, top + height - high, wide);
    }
    context.fillStyle = palette.surface;
    for (let k = 0; k < caps.length; k += 3) context.fillRect(caps[k] ?? 0, caps[k + 1] ?? 0, caps[k + 2] ?? 0, edge);
    for (let from = 0; from < count; from += 1) {
      if (!isWhole(from)) continue;
      const begin = from;
      while (from + 1 < count && isWhole(from + 1)) from += 1;
      const wide = Math.max(from + 1 - begin, thin);
      context.fillStyle = wide >= 3 * thin ? this.hatch : palette.missing;
      context.fillRect(begin, top + height - full, wide, full);
      context.fillStyle = palette.missing;
      context.fillRect(begin, top + height - full, wide, edge);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
  }

  private locks({ zones: { locked }, view }: Scene): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    const y = RULER_HEIGHT;
    let drawn = -1;
    for (let i = locked.after(view.begin); i < locked.length && locked.begin(i) < view.end; i += 1) {
      const from = Math.max(drawn, xOf(view, width, locked.begin(i)), 0);
      const to = Math.min(width, Math.max(from + 2, xOf(view, width, locked.end(i))));
      if (to <= drawn) continue;
      drawn = to;
      context.fillStyle = this.stripes;
      context.fillRect(from, y, to - from, LOCK_HEIGHT);
      context.fillStyle = palette.locked;
      context.fillRect(from, y + LOCK_HEIGHT, to - from, 1);
      if (to - from > 28) this.padlock((from + to) / 2, y + LOCK_HEIGHT + 12);
    }
  }

  private padlock(x: number, y: number): void {
    const { context } = this;
    const palette = this.palette as Palette;
    context.fillStyle = palette.surface;
    context.strokeStyle = palette.locked;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 9, 0, 7);
    context.fill();
    context.stroke();
    context.beginPath();
    context.arc(x, y - 1, 2.5, Math.PI, 0);
    context.stroke();
    context.fillStyle = palette.locked;
    context.fillRect(x - 4, y - 1, 8, 5.5);
  }

  /** Blue: from what is known to now, and a glow into what is to come. */
  private present({ zones, view, now }: Scene): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    const x = xOf(view, width, now);
    if (x < -40 || x > width + 2) return;
    const from = zones.last === null ? x : Math.min(x - 2, xOf(view, width, extentOf(zones, now)[1]));
    context.fillStyle = palette.present;
    context.fillRect(from, RULER_HEIGHT, x - from, BAR_HEIGHT);
    context.fillRect(this.snap(x) - 1, RULER_HEIGHT - 7, 2, BAR_HEIGHT + 7);
    const glow = context.createLinearGradient(x, 0, x + 36, 0);
    glow.addColorStop(0, palette.present);
    glow.addColorStop(1, "transparent");
    context.globalAlpha = 0.35;
    context.fillStyle = glow;
    context.fillRect(x, RULER_HEIGHT, 36, BAR_HEIGHT);
    context.globalAlpha = 1;
  }

  private ruler({ ticks, periods, changes }: Ruler, view: View): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    context.font = `${TEXT}px ${palette.font}`;
    context.textBaseline = "middle";
    context.fillStyle = palette.lineStrong;
    for (const { ms, label } of ticks) {
      const x = this.snap(xOf(view, width, ms));
      const long = label === "" ? 3 : 6;
      context.fillRect(x, RULER_HEIGHT - long, 1 / this.scale, long);
    }
    context.fillStyle = palette.text;
    let free = -Infinity;
    for (const { ms, label } of ticks) {
      if (label === "") continue;
      const x = xOf(view, width, ms);
      const half = this.measure(label) / 2;
      if (x - half < Math.max(free, 0) || x + half > width) continue;
      context.fillText(label, x - half, PERIODS + 8);
      free = x + half + 8;
    }
    for (const period of periods) this.period(period, view);
    for (const { ms } of changes) {
      const x = this.snap(xOf(view, width, ms));
      context.fillStyle = palette.locked;
      context.beginPath();
      context.moveTo(x - 4, RULER_HEIGHT);
      context.lineTo(x, RULER_HEIGHT - 7);
      context.lineTo(x + 4, RULER_HEIGHT);
      context.fill();
    }
  }

  /** The label stays on the screen as long as its period does. */
  private period({ begin, end, labels }: Ruler["periods"][number], view: View): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    const [from, to] = [xOf(view, width, begin), Math.min(width, xOf(view, width, end))];
    if (from >= 0) {
      context.fillStyle = palette.lineStrong;
      context.fillRect(this.snap(from), 0, 1, PERIODS);
      context.fillRect(this.snap(from), RULER_HEIGHT - 7, 1, 7);
      context.globalAlpha = 0.35;
      context.fillStyle = palette.surface;
      context.fillRect(this.snap(from), RULER_HEIGHT, 1, BAR_HEIGHT);
      context.globalAlpha = 1;
    }
    const left = Math.max(0, from) + 6;
    const label = labels.find((one) => left + this.measure(one) + 6 <= to);
    if (label === undefined) return;
    context.fillStyle = palette.soft;
    context.fillText(label, left, PERIODS / 2 + 1);
  }

  /** What is not chosen steps back. */
  private chosen({ selection, view }: Scene): void {
    if (selection === null) return;
    const { context, width } = this;
    const palette = this.palette as Palette;
    const from = Math.min(Math.max(xOf(view, width, selection[0]), 0), width);
    const to = Math.min(Math.max(xOf(view, width, selection[1]), from), width);
    context.globalAlpha = 0.68;
    context.fillStyle = palette.surface;
    context.fillRect(0, RULER_HEIGHT, from, BAR_HEIGHT);
    context.fillRect(to, RULER_HEIGHT, width - to, BAR_HEIGHT);
    context.globalAlpha = 1;
    context.fillStyle = palette.chosen;
    context.fillRect(from, RULER_HEIGHT, to - from, 3);
    context.fillRect(from, HEIGHT - 3, to - from, 3);
  }

  private lines({ position, cursor, view }: Scene): void {
    const { context, width } = this;
    const palette = this.palette as Palette;
    if (cursor !== null) {
      context.fillStyle = palette.text;
      context.globalAlpha = 0.7;
      context.fillRect(this.snap(xOf(view, width, cursor)), PERIODS, 1, HEIGHT - PERIODS);
      context.globalAlpha = 1;
    }
    if (position === null) return;
    const x = this.snap(xOf(view, width, position));
    if (x < -8 || x > width + 8) return;
    context.fillStyle = palette.surface;
    context.fillRect(x - 2.5, RULER_HEIGHT - 2, 5, BAR_HEIGHT + 2);
    context.fillStyle = palette.text;
    context.fillRect(x - 1, RULER_HEIGHT - 4, 2, BAR_HEIGHT + 4);
    context.beginPath();
    context.moveTo(x - 6, RULER_HEIGHT - 8);
    context.lineTo(x + 6, RULER_HEIGHT - 8);
    context.lineTo(x, RULER_HEIGHT + 2);
    context.fill();
  }

  private snap(x: number): number {
    return Math.round(x * this.scale) / this.scale;
  }

  private measure(text: string): number {
    let width = this.widths.get(text);
    if (width === undefined) {
      if (this.widths.size > 2000) this.widths.clear();
      this.widths.set(text, (width = this.context.measureText(text).width));
    }
    return width;
  }

  /** Diagonal lines on a ground of the same colour, thinner. */
  private pattern(line: string, ground: string, size: number, strength: number, thick: number): CanvasPattern | string {
    const side = Math.round(size * this.scale);
    const tile = document.createElement("canvas");
    tile.width = tile.height = side;
    const context = tile.getContext("2d");
    if (context === null) return line;
    context.fillStyle = ground;
    context.fillRect(0, 0, side, side);
    context.globalAlpha = strength;
    context.fillStyle = line;
    context.fillRect(0, 0, side, side);
    context.globalAlpha = 1;
    context.strokeStyle = line;
    context.lineWidth = (thick + 0.4) * this.scale;
    for (const shift of [-side, 0, side]) {
      context.beginPath();
      context.moveTo(shift - 1, side + 1);
      context.lineTo(shift + side + 1, -1);
      context.stroke();
    }
    return this.context.createPattern(tile, "repeat") ?? line;
  }
}
