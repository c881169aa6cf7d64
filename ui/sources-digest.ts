/**
 * Leaves the digests of the sources beside the build, so that a build that is behind its sources is noticed
 * (tests/web/ui/test_ui_build.py reads them).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Plugin } from "vite";

const ROOTS = ["embed.html", "index.html", "package-lock.json", "public", "src", "vite.config.ts"];

export function sourcesDigest(file: string): Plugin {
  return {
    name: "sources-digest",
    apply: "build",
    closeBundle() {
      const lines = ROOTS.flatMap(files)
        .filter((name) => !/\.test\.tsx?$/.test(name))
        .sort()
        .map((name) => `${createHash("sha256").update(readFileSync(name)).digest("hex")}  ${name}\n`);
      writeFileSync(file, lines.join(""));
    },
  };
}

function files(root: string): string[] {
  if (!statSync(root).isDirectory()) return [root];
  return readdirSync(root).flatMap((name) => files(join(root, name)));
}
