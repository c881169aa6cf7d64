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

/** `kbit`: kbit/s. */
export function formatBitrate(kbit: number): string {
  if (kbit <= 0) return "–";
  if (kbit < 1000) return `${kbit} kbit/s`;
  if (kbit < 999_500) return `${(kbit / 1000).toFixed(kbit < 99_950 ? 1 : 0)} Mbit/s`;
  return `${(kbit / 1e6).toFixed(2)} Gbit/s`;
}

const two = (value: number): string => String(value).padStart(2, "0");
