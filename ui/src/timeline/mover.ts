/**
 * Moves the view: within the archive, smoothly, and along with the present while that is at the right edge.
 *
 *     by hand: set, glide, fling      by the clock: slide      by the playhead: attend
 */
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { around, isAtNow, keepWithin, move, spanOf, type View } from "./view";

const GLIDE_MS = 180;
/** A fling has lost all but 5 % of its speed after three times as long. */
const FRICTION_MS = 160;
const SLOWEST_PX_PER_MS = 0.02;
/** Further is a jump, nearer is playing. */
const JUMP_MS = 5000;

export class Mover {
  /** The view goes on with the present, until somebody moves it away. */
  readonly following: Signal<boolean>;
  private frame = 0;
  private own: View;

  constructor(
    private readonly view: Signal<View>,
    private readonly now: ReadonlySignal<number>,
    /** The archive's first instant, ms. */
    private readonly first: () => number,
  ) {
    this.own = view.peek();
    this.following = signal(isAtNow(this.own, now.peek()));
  }

  /** At once, ending what moves by itself. */
  set(next: View): void {
    this.stop();
    this.put(next);
  }

  glide(next: View): void {
    this.stop();
    const from = this.view.peek();
    const to = keepWithin(next, this.first(), this.now.peek());
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.put(to);
    this.animate((age) => {
      const done = Math.min(1, age / GLIDE_MS);
      const share = 1 - (1 - done) ** 3;
      const mix = (a: number, b: number): number => a + (b - a) * share;
      this.put(done === 1 ? to : { begin: mix(from.begin, to.begin), end: mix(from.end, to.end) });
      return done < 1;
    });
  }

  /** `speed` in pixels per ms, to the right: into the past. */
  fling(speed: number, width: number): void {
    this.stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    let last = 0;
    this.animate((age) => {
      const rest = speed * Math.exp(-age / FRICTION_MS);
      const view = this.view.peek();
      this.put(move(view, -((rest * (age - last)) / width) * spanOf(view)));
      last = age;
      return Math.abs(rest) > SLOWEST_PX_PER_MS;
    });
  }

  /** The clock has gone on from `before`. */
  slide(before: number): void {
    const [view, now] = [this.view.peek(), this.now.peek()];
    if (view !== this.own) this.following.value = isAtNow(view, before);
    if (this.following.peek() && this.frame === 0) this.own = this.view.value = move(view, now - before);
  }

  /** The playhead has gone from `before` to `ms`: it is not lost out of sight, unless somebody looks elsewhere. */
  attend(before: number | null, ms: number): void {
    const view = this.view.peek();
    if (ms >= view.begin && ms <= view.end) return;
    const span = spanOf(view);
    if (before === null || Math.abs(ms - before) > JUMP_MS) this.glide(around(ms, span));
    else if (before >= view.begin && before <= view.end) this.glide(move(view, ms - (view.begin + span * 0.1)));
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private put(next: View): void {
    const before = this.view.peek();
    const now = this.now.peek();
    const view = keepWithin(next, this.first(), now);
    const back = view.begin < before.begin && view.end < before.end;
    this.following.value = isAtNow(view, now) && !back;
    this.own = this.view.value = view;
  }

  private animate(goOn: (age: number) => boolean): void {
    let begin: number | null = null;
    const turn = (time: number): void => {
      begin ??= time;
      this.frame = goOn(time - begin) ? requestAnimationFrame(turn) : 0;
    };
    this.frame = requestAnimationFrame(turn);
  }
}
