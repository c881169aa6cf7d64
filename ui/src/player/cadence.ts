/** How long a frame is shown, learnt from the pictures that are: the shortest of late is one frame, others were dropped. */

const KEPT = 48;
const UNKNOWN_S = 0.04;

export class Cadence {
  #last: number | null = null;
  #lengths: number[] = [];

  /** A picture of media time `time` (s) has been shown. */
  seen(time: number): void {
    const length = this.#last === null ? 0 : time - this.#last;
    this.#last = time;
    if (length < 0.004 || length > 0.5) return;
    this.#lengths.push(length);
    if (this.#lengths.length > KEPT) this.#lengths.shift();
  }

  /** A seek: the next picture is no neighbour. */
  break(): void {
    this.#last = null;
  }

  get frame(): number {
    return this.#lengths.length === 0 ? UNKNOWN_S : Math.min(...this.#lengths);
  }
}
