/**
 * Drives the page ui/bench in Chromium and prints what it took, as JSON.
 *
 *     node bench/timeline.mjs http://127.0.0.1:PORT/
 */
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../tests/browser/package.json", import.meta.url))("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const OPENINGS = 5;
const FRAMES = 240;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
try {
  const opened_ms = [];
  for (let i = 0; i < OPENINGS; i += 1) opened_ms.push(await withPage(opening));
  const idle = await withPage((page) => frames(page, "idle"));
  const zooming = await withPage((page) => frames(page, "zoom"));
  const moving = await withPage((page) => frames(page, "move"));
  console.log(JSON.stringify({ opened_ms, idle, zooming, moving }));
} finally {
  await browser.close();
}

async function withPage(work) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 600 } });
  await page.goto(process.argv[2]);
  await page.waitForFunction(() => performance.getEntriesByName("opened").length > 0);
  try {
    return await work(page);
  } finally {
    await page.close();
  }
}

/** From the first line of the script to the first frame on the screen, ms. */
async function opening(page) {
  return page.evaluate(() => performance.getEntriesByName("opened")[0].duration);
}

/** One turn of the wheel in each frame: a year to a minute and back, or along the year. */
async function frames(page, what) {
  await page.waitForTimeout(500);
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  const before = await metrics(client);
  const intervals = await page.evaluate(
    ([count, how]) =>
      new Promise((done) => {
        const band = document.querySelector(".timeline-band");
        const { left, top } = band.getBoundingClientRect();
        const taken = [];
        let last = null;
        let frame = 0;
        const turn = (time) => {
          if (last !== null) taken.push(time - last);
          last = time;
          if (frame === count) return done(taken);
          const sign = frame < count / 2 ? -1 : 1;
          const by = how === "zoom" ? { deltaY: sign * 70 } : { deltaX: sign * 40 };
          const at = { clientX: left + 700, clientY: top + 60, bubbles: true, cancelable: true };
          if (how !== "idle") band.dispatchEvent(new WheelEvent("wheel", { ...by, ...at }));
          frame += 1;
          requestAnimationFrame(turn);
        };
        requestAnimationFrame(turn);
      }),
    [FRAMES, what],
  );
  const after = await metrics(client);
  const each = (name) => ((after[name] - before[name]) / FRAMES) * 1000;
  return { intervals_ms: intervals, script_ms: each("ScriptDuration"), task_ms: each("TaskDuration") };
}

async function metrics(client) {
  const { metrics: found } = await client.send("Performance.getMetrics");
  return Object.fromEntries(found.map(({ name, value }) => [name, value]));
}
