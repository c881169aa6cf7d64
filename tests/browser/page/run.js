// node run.js SETTINGS.json
//
// Does with the page in Chromium what an operator does, scenario by scenario, in one browser, two at a time: much of
// it is waiting. Prints JSON:
//
//     {"sign_in": {"problems": ["..."], "seconds": 1.2, ...what the scenario has found}, ...}
//
// SETTINGS: {base, user, password, folder, screenshots, only}; see tests/integration/test_page.py.

import { readFile } from "node:fs/promises";
import { House } from "./house.js";
import * as accessibility from "./accessibility.js";
import * as dvr from "./dvr.js";
import * as embed from "./embed.js";
import * as events from "./events.js";
import * as hostile from "./hostile.js";
import * as keyboard from "./keyboard.js";
import * as signin from "./signin.js";
import * as sharing from "./sharing.js";
import * as sound from "./sound.js";
import * as streams from "./streams.js";
import * as zoom from "./zoom.js";

const settings = JSON.parse(await readFile(process.argv[2], "utf8"));
// those first that need little of an archive, last the one that needs most
const all = Object.entries({
  ...signin,
  ...streams,
  ...embed,
  ...hostile,
  ...events,
  ...accessibility,
  ...dvr,
  ...sharing,
  ...sound,
  ...keyboard,
  ...zoom,
});
const queue = all.filter(([name]) => !settings.only || settings.only.includes(name));
const AT_ONCE = 2;
const TIMEOUT_MS = 150_000;

const shared = await House.open(settings);
const report = {};
try {
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
} finally {
  await shared.browser.close();
}
console.log(JSON.stringify(report));

async function lane() {
  for (let next; (next = queue.shift());) await run(...next);
}

async function run(name, scenario) {
  const begin = performance.now();
  const entry = (report[name] = { problems: [] });
  const house = new House(shared, entry.problems);
  try {
    Object.assign(entry, await within(TIMEOUT_MS, scenario(house)));
  } catch (error) {
    entry.problems.push(String(error.stack ?? error));
    await house.look(`failed-${name}`);
  }
  await house.close();
  entry.seconds = Math.round((performance.now() - begin) / 100) / 10;
}

function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done after ${ms} ms`)), ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
