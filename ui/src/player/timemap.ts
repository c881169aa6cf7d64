/**
 * From the media element's time to UTC and back, by the dates of the playlist (EXT-X-PROGRAM-DATE-TIME).
 *
 *     media   |--piece--|--piece--|--piece--|        one after the other
 *     UTC     |--piece--|--piece--|   gap   |--piece--|
 */

/** A segment of the playlist: begin and length in seconds of media time, begin in UTC ms. */
export interface Piece {
  readonly start: number;
  readonly duration: number;
  readonly programDateTime: number | null;
}

/** A picture's time may be off by this where pieces meet: a sample of sound begins earlier, a float is rounded. */
const SLACK_S = 0.005;
/** Into the picture: a moment in whole ms may lie just before the picture that it names. */
export const INTO_S = 0.001;
const GAP_MS = 500;

/** The UTC (ms) of what is shown at `time`; `null` outside of what the playlist dates. */
export function utcOf(pieces: readonly Piece[], time: number): number | null {
  const piece = pieces[last(pieces, (one) => one.start <= time + SLACK_S)];
  if (piece?.programDateTime == null || time > piece.start + piece.duration + 1) return null;
  return Math.round(piece.programDateTime + (time - piece.start) * 1000);
}

export interface Spot {
  /** Where to seek to, s of media time. */
  time: number;
  /** What is found there, UTC ms: later than what was asked for if that lies in a gap. */
  utc: number;
}

/** Where `ms` is shown, or what comes next; `null` behind the last piece. */
export function spotOf(pieces: readonly Piece[], ms: number): Spot | null {
  const at = last(pieces, (one) => begin(one) <= ms);
  const piece = pieces[at];
  if (piece !== undefined && ms < begin(piece) + piece.duration * 1000) {
    return { time: piece.start + (ms - begin(piece)) / 1000 + INTO_S, utc: ms };
  }
  const next = pieces[at + 1];
  return next === undefined ? null : { time: next.start + INTO_S, utc: begin(next) };
}

/** The hole in UTC between the piece at `time` and the one before it, if there is one. */
export function gapBefore(pieces: readonly Piece[], time: number): readonly [number, number] | null {
  const at = last(pieces, (one) => one.start <= time + SLACK_S);
  const [before, piece] = [pieces[at - 1], pieces[at]];
  if (before === undefined || piece === undefined) return null;
  const end = begin(before) + before.duration * 1000;
  return begin(piece) - end > GAP_MS ? [end, begin(piece)] : null;
}

/** UTC (ms) of the first piece's begin and the last one's end. */
export function reach(pieces: readonly Piece[]): readonly [number, number] | null {
  const [first, final] = [pieces[0], pieces[pieces.length - 1]];
  if (first?.programDateTime == null || final?.programDateTime == null) return null;
  return [first.programDateTime, final.programDateTime + final.duration * 1000];
}

const begin = (piece: Piece): number => piece.programDateTime ?? 0;

/** Index of the last piece for which `holds`, which it does up to some piece and not after it; -1 for none. */
function last(pieces: readonly Piece[], holds: (piece: Piece) => boolean): number {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(pieces[middle] as Piece)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
