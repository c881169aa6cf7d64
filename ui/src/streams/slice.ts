/** Of a long list, the lines that are on the screen: a browser draws thirty quickly, a thousand it does not. */
export interface Slice {
  first: number;
  /** Half-open. */
  last: number;
}

const SPARE = 6;

/** Of `count` lines, `line` high each, `above` is how far the list's beginning is above the screen's (px). */
export function slice(count: number, line: number, above: number, screen: number): Slice {
  const first = Math.max(0, Math.floor(above / line) - SPARE);
  const last = Math.min(count, Math.ceil((above + screen) / line) + SPARE);
  return { first: Math.min(first, count), last: Math.max(last, Math.min(first, count)) };
}
