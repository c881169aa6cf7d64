/**
 * Many spans as columns, sorted and disjoint; how much of any window they cover costs two bisections.
 *
 *     begins   0 . . . 7 . . 12        before[i] = what the spans before i cover
 *     ends     . . 3 . . . 9 . . 20    covered(from, to) = upTo(to) - upTo(from)
 */
export class Spans {
  readonly begins: Float64Array;
  readonly ends: Float64Array;
  private readonly before: Float64Array;

  /** UTC ms; sorted by their begins, none inside another. */
  constructor(spans: readonly (readonly [begin: number, end: number, ...rest: unknown[]])[]) {
    this.begins = new Float64Array(spans.length);
    this.ends = new Float64Array(spans.length);
    this.before = new Float64Array(spans.length);
    let sum = 0;
    spans.forEach(([begin, end], i) => {
      this.begins[i] = begin;
      this.ends[i] = end;
      this.before[i] = sum;
      sum += end - begin;
    });
  }

  get length(): number {
    return this.begins.length;
  }

  begin(i: number): number {
    return this.begins[i] ?? NaN;
  }

  end(i: number): number {
    return this.ends[i] ?? NaN;
  }

  /** The first span that ends after `ms`; `length` if none does. */
  after(ms: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.end(middle) > ms) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The span that contains `ms`, or -1. */
  at(ms: number): number {
    const i = this.after(ms);
    return i < this.length && this.begin(i) <= ms ? i : -1;
  }

  /** ms of spans before that instant. */
  upTo(ms: number): number {
    const i = this.after(ms);
    if (i === this.length) return i === 0 ? 0 : (this.before[i - 1] ?? 0) + this.end(i - 1) - this.begin(i - 1);
    return (this.before[i] ?? 0) + Math.max(0, ms - this.begin(i));
  }

  covered(from: number, to: number): number {
    return this.upTo(to) - this.upTo(from);
  }
}
