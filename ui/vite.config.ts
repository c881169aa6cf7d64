/// <reference types="vitest/config" />
import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

import { sourcesDigest } from "./sources-digest.ts";

/** What `npm run dev` shows the streams of. */
const SERVER = process.env.FLUSSDVR ?? "http://127.0.0.1:8080";
const STATIC = "../flussdvr/web/ui/static";

export default defineConfig({
  base: "/ui/",
  plugins: [preact({ reactAliasesEnabled: false }), sourcesDigest(`${STATIC}/SOURCES`)],
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html", embed: "embed.html" } },
  },
  server: {
    proxy: {
      "^/(streamer|ui/session|(?!ui/).*\\.(m3u8|m4s|mp4|jpg|ts|json)($|\\?))": { target: SERVER, changeOrigin: false },
    },
  },
  // A test that needs a document says so in its first line: most do not, and making one takes longer than they do.
  // The limits end what hangs; a slow machine is no fault.
  test: {
    environment: "node",
    include: ["src/**/*.test.{ts,tsx}"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
  },
});
