/** Figures of the list in words. */

/** "3 d 04 h", of the same width for what is of the same size. */
export function formatDepth(seconds: number): string {
  if (seconds <= 0) return "–";
  const [days, hours, minutes] = [seconds / 86_400, seconds / 3600, seconds / 60].map(Math.floor) as [
    number,
    number,
    number,
  ];
  if (days > 0) return `${days} d ${two(hours % 24)} h`;
  if (hours > 0) return `${hours} h ${two(minutes % 60)} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** Where gaps make less of a span than it looks, so much (s) is missing. */
const NOTED_GAPS = 0.01;
const NOTED_GAPS_S = 60;

/** "3 h 20 min", and where gaps make a difference " in 2 d 04 h": what is recorded, and over what span (both s). */
export function formatRecorded(recorded: number, span: number): string {
  const missing = span - recorded;
  const noted = missing > NOTED_GAPS_S && missing > NOTED_GAPS * span;
  return formatDepth(recorded) + (noted ? ` in ${formatDepth(span)}` : "");
}

/** `kbit`: kbit/s. */
export function formatBitrate(kbit: number): string {
  if (kbit <= 0) return "–";
  if (kbit < 1000) return `${kbit} kbit/s`;
  if (kbit < 999_500) return `${(kbit / 1000).toFixed(kbit < 99_950 ? 1 : 0)} Mbit/s`;
  return `${(kbit / 1e6).toFixed(2)} Gbit/s`;
}

const two = (value: number): string => String(value).padStart(2, "0");
