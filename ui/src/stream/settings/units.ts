/**
 * Amounts as they are typed: a number and its unit.
 *
 *     604800 s  <-->  "7" days        429496729600 bytes  <-->  "400" GiB
 */
export interface Amount {
  /** As typed; empty: nothing is said. */
  text: string;
  unit: number;
}

/** By seconds and bytes; the first is for an amount that nothing is said of. */
export const DURATIONS = [
  [86_400, "days"],
  [3600, "hours"],
  [60, "minutes"],
  [1, "seconds"],
] as const;
export const SIZES = [
  [2 ** 30, "GiB"],
  [2 ** 40, "TiB"],
  [2 ** 20, "MiB"],
  [1, "bytes"],
] as const;
export type Units = readonly (readonly [unit: number, title: string])[];

/** In the largest unit of which it is a whole number. */
export function toAmount(value: number | undefined, units: Units): Amount {
  const first = units[0]?.[0] ?? 1;
  if (value === undefined) return { text: "", unit: first };
  if (value === 0) return { text: "0", unit: first };
  const unit = Math.max(...units.map(([unit]) => unit).filter((unit) => value % unit === 0), 1);
  return { text: String(value / unit), unit };
}

/** `null` where nothing is said; what is no number goes to the server as it is, which says so. */
export function fromAmount({ text, unit }: Amount): number | string | null {
  const typed = text.trim().replace(",", ".");
  if (typed === "") return null;
  const value = Number(typed);
  return Number.isFinite(value) ? Math.round(value * unit) : text;
}

export function formatAmount(value: number, units: Units): string {
  if (value === 0) return "no limit";
  const { text, unit } = toAmount(value, units);
  const title = units.find(([one]) => one === unit)?.[1] ?? "";
  return `${text} ${text === "1" ? title.replace(/s$/, "") : title}`;
}
