/** Light, dark, or as the system has it; kept in this browser. */
import { effect, signal } from "@preact/signals";

import { keep, kept } from "../common/kept";

export type Theme = "system" | "light" | "dark";

const KEY = "flussdvr.theme";

function chosen(): Theme {
  const value = kept(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = signal<Theme>(chosen());

effect(() => {
  if (theme.value === "system") {
    delete document.documentElement.dataset.theme;
    keep(KEY, null);
  } else {
    document.documentElement.dataset.theme = theme.value;
    keep(KEY, theme.value);
  }
});

export function isDark(): boolean {
  return theme.value === "dark" || (theme.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}
