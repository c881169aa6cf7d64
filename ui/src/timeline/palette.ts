/** The colours of the canvas: the page's own (tokens.css), as the browser works them out for light and dark. */
const ROLES = {
  surface: "--surface",
  sunken: "--sunken",
  line: "--line",
  lineStrong: "--line-strong",
  text: "--text",
  soft: "--text-soft",
  accent: "--accent",
  recorded: "--zone-recorded",
  missing: "--zone-missing",
  present: "--zone-now",
  locked: "--zone-locked",
  chosen: "--zone-chosen",
  future: "--zone-future",
} as const;

export type Palette = Readonly<Record<keyof typeof ROLES, string>> & { readonly font: string };

/** `light-dark()` is worked out only where it is used as a colour: hence a probe. */
export function readPalette(beside: HTMLElement): Palette {
  const probe = document.createElement("span");
  beside.append(probe);
  const style = getComputedStyle(probe);
  const found: Record<string, string> = {};
  for (const [role, variable] of Object.entries(ROLES)) {
    probe.style.color = `var(${variable})`;
    found[role] = style.color;
  }
  found.font = style.fontFamily;
  probe.remove();
  return found as Palette;
}

/** Calls back when light becomes dark, by the page's switch or the system's. Returns how to stop. */
export function onPaletteChange(changed: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const switched = new MutationObserver(changed);
  switched.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  dark.addEventListener("change", changed);
  return () => {
    switched.disconnect();
    dark.removeEventListener("change", changed);
  };
}
