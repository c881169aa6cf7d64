/** When an embedded player pauses by itself: at a moment, or after so much time of playing. Each happens once. */

/** A longer step than this was a seek, or the page has slept. */
const STEP_MS = 2000;

export class Limits {
  private played = 0;
  private seen: number | null = null;
  private before: number | null = null;

  constructor(
    private to: number | null,
    private playDurationMs: number | null,
  ) {}

  /** `position` in UTC ms, `clock` in ms of any monotonic clock. Called again and again while the page is there. */
  over(position: number | null, playing: boolean, clock: number): boolean {
    if (playing && this.seen !== null) this.played += Math.min(clock - this.seen, STEP_MS);
    this.seen = playing ? clock : null;
    if (this.playDurationMs !== null && this.played >= this.playDurationMs) {
      this.playDurationMs = null;
      return true;
    }
    const before = this.before;
    this.before = position;
    if (this.to === null || position === null || before === null || position < this.to) return false;
    if (before >= this.to || position - before > STEP_MS) return false;
    this.to = null;
    return true;
  }
}
