// node play.js URL SECONDS [SEEK]
//
// Plays URL in Chromium, from a page on a port of its own, for SECONDS; then, if told to, goes to the time SEEK and
// plays on. Prints what was seen as JSON: see `report` in player.html.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";

import { launch } from "./chromium.js";

const [url, seconds, seek] = process.argv.slice(2);
const here = new URL(".", import.meta.url);
const FILES = {
  "/player.html": ["text/html", new URL("player.html", here)],
  "/stamp.js": ["text/javascript", new URL("stamp.js", here)],
  "/hls.js": ["text/javascript", createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js")],
};

const server = createServer(async (request, response) => {
  const [type, file] = FILES[new URL(request.url, "http://page").pathname] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": type }).end(await readFile(file));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const browser = await launch();
try {
  const page = await browser.newPage();
  const failures = [];
  page.on("pageerror", (error) => failures.push(`page: ${error}`));
  page.on("response", (answer) => {
    if (answer.status() >= 400 && !answer.url().endsWith("/favicon.ico")) {
      failures.push(`${answer.status()} ${answer.url()}`);
    }
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/player.html?url=${encodeURIComponent(url)}`);
  await page.waitForTimeout(1000 * seconds);
  if (seek !== undefined) {
    await page.evaluate((time) => window.seek(time), Number(seek));
    await page.waitForTimeout(1000);
  }
  const report = await page.evaluate(() => window.report());
  report.problems.push(...failures);
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
  server.close();
}
