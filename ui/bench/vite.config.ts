/** Builds the page of the benchmark: `npx vite build bench --outDir FOLDER`. */
import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [preact({ reactAliasesEnabled: false })],
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0, emptyOutDir: true },
});
