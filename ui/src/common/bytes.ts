/** Bytes as people say them, in powers of a thousand as disks have: "1.23 GB". */
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function formatBytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${UNITS[unit]}`;
}
