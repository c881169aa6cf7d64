// The Chromium that is installed: its shell without windows if there is one, as that takes a third less of the processor.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--autoplay-policy=no-user-gesture-required",
];
const PROGRAMS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

/** A browser with a fresh profile; CHROMIUM may name another program. */
export async function launch(...flags) {
  const executablePath = process.env.CHROMIUM || PROGRAMS.find(existsSync);
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}
