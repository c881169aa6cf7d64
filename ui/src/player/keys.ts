/** What a key does in the player. */

export type Action =
  | { do: "toggle" | "mute" | "full" | "help" | "live" | "first" | "in" | "out" }
  | { do: "move"; ms: number }
  | { do: "step"; frames: 1 | -1 }
  | { do: "rate"; rate: number };

export const RATES = [0.5, 1, 2, 4, 8, 16] as const;

const PLAIN = new Map<string, Action>(
  Object.entries<Action>({
    " ": { do: "toggle" },
    k: { do: "toggle" },
    j: { do: "move", ms: -10_000 },
    l: { do: "move", ms: 10_000 },
    ArrowLeft: { do: "move", ms: -5_000 },
    ArrowRight: { do: "move", ms: 5_000 },
    ",": { do: "step", frames: -1 },
    ".": { do: "step", frames: 1 },
    "[": { do: "in" },
    "]": { do: "out" },
    Home: { do: "first" },
    End: { do: "live" },
    m: { do: "mute" },
    f: { do: "full" },
    "?": { do: "help" },
  }),
);

/** For the help: keys, and what they do. */
export const HELP: readonly (readonly [keys: string, what: string])[] = [
  ["Space  k", "play, pause"],
  ["←  →", "5 seconds back, ahead"],
  ["Shift ←  →", "a minute back, ahead"],
  ["j  l", "10 seconds back, ahead"],
  [",  .", "a frame back, ahead"],
  ["[  ]", "the selection begins, ends here"],
  ["Home  End", "the first recording, live"],
  ["1 … 6", "speed 0.5× 1× 2× 4× 8× 16×"],
  ["m  f  ?", "sound, whole screen, this help"],
];

export interface Pressed {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

export function actionOf({ key, shiftKey, ctrlKey, altKey, metaKey }: Pressed): Action | null {
  if (ctrlKey || altKey || metaKey) return null;
  if (shiftKey && key === "ArrowLeft") return { do: "move", ms: -60_000 };
  if (shiftKey && key === "ArrowRight") return { do: "move", ms: 60_000 };
  const rate = /^[1-6]$/.test(key) ? RATES[Number(key) - 1] : undefined;
  if (rate !== undefined) return { do: "rate", rate };
  return PLAIN.get(key) ?? (key.length === 1 ? PLAIN.get(key.toLowerCase()) : undefined) ?? null;
}

/** Is this key the element's own: text is typed there, or it has been pressed on a button or a slider? */
export function ownsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog, textarea, select, [contenteditable]") !== null) return true;
  const input = target.closest("input");
  if (input !== null) return input.type !== "checkbox" || key === " ";
  if (key === " ") return target.closest("button, a, summary, [role=button]") !== null;
  return /^(Arrow|Home|End)/.test(key) && target.closest("[role=slider], [role=tab], [role=tablist]") !== null;
}
