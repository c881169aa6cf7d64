/**
 * What the page that embeds the player wants, from the address.
 *
 *     /sport/arena/embed.html?dvr=true&mute=true&from=1795194000&token=...
 *
 * Moments and spans are in seconds there. What is not known, or can't be read, changes nothing.
 */
export interface Wishes {
  /** The first is played first; the others can be chosen. */
  streams: readonly [string, ...string[]];
  token: string | undefined;
  dvr: boolean;
  autoplay: boolean;
  mute: boolean;
  /** 0 to 1. */
  volume: number;
  zone: "local" | "utc";
  exportLimitMs: number;
  /** After so much the player pauses. */
  playDurationMs: number | null;
  /** Where to begin and where to pause, UTC ms; `null`: live, and never. */
  from: number | null;
  to: number | null;
}

const DAY_S = 86_400;

export function readWishes(path: string, search: string, now: number): Wishes {
  const query = new URLSearchParams(search);
  const own = nameOf(path);
  const others = (query.get("streams") ?? "").split(",").filter((name) => name !== "" && name !== own);
  const ago = seconds(query.get("ago"));
  const volume = seconds(query.get("volume")) ?? 1;
  return {
    streams: [own, ...new Set(others)],
    token: query.get("token") ?? undefined,
    dvr: flag(query.get("dvr"), false),
    autoplay: flag(query.get("autoplay"), true),
    mute: flag(query.get("mute"), false),
    volume: Math.min(1, volume > 1 ? volume / 100 : volume),
    zone: flag(query.get("localtime"), true) ? "local" : "utc",
    exportLimitMs: (seconds(query.get("export_limit")) ?? DAY_S) * 1000,
    playDurationMs: ms(seconds(query.get("play_duration"))),
    from: ms(seconds(query.get("from"))) ?? (ago === null ? null : now - ago * 1000),
    to: ms(seconds(query.get("to"))),
  };
}

/** The stream's name in `/{name}/embed.html`. */
export function nameOf(path: string): string {
  const name = path.replace(/^\//, "").replace(/\/[^/]*$/, "");
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function flag(value: string | null, otherwise: boolean): boolean {
  return value === null ? otherwise : !["false", "0", "no", "off"].includes(value.toLowerCase());
}

function seconds(value: string | null): number | null {
  const number = value === null || value.trim() === "" ? NaN : Number(value);
  return Number.isFinite(number) && number >= 0 ? number : null;
}

const ms = (value: number | null): number | null => (value === null ? null : value * 1000);
