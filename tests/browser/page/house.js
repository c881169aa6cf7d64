// What a scenario lives in: pages of the one Chromium, watched for whatever should not happen.

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { launch } from "../chromium.js";

const WAIT_MS = 30_000;

/** In every page: the reader of the burnt-in clock, UTC as the zone, and an ear for the Content-Security-Policy. */
const stamp = await readFile(new URL("../stamp.js", import.meta.url), "utf8");
const PREPARE = `
  ${stamp.replace(/^export /gm, "")}
  window.readStamp = readStamp;
  try { localStorage.setItem("flussdvr.zone", "utc"); } catch {}
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) =>
    console.error(\`CSP: \${violatedDirective} forbids \${blockedURI} in \${sourceFile}\`));
`;

export class House {
  /** `settings`: see run.js; who is signed in is so in all scenarios. */
  static async open(settings) {
    const browser = await launch();
    await mkdir(settings.screenshots, { recursive: true });
    const context = await browser.newContext({ baseURL: settings.base });
    const data = { user: settings.user, password: settings.password };
    const answer = await context.request.post("/ui/session", { data, headers: { "X-Requested-With": "flussdvr" } });
    if (!answer.ok()) throw new Error(`${answer.status()} ${await answer.text()}`);
    const cookies = await context.cookies();
    await context.close();
    return { browser, settings, cookies };
  }

  /** For one scenario; what should not happen goes into `problems`. */
  constructor({ browser, settings, cookies }, problems) {
    this.browser = browser;
    this.settings = settings;
    this.cookies = cookies;
    this.base = settings.base;
    this.problems = problems;
    this.expected = [];
    this.contexts = [];
    this.page = null;
  }

  async close() {
    for (const context of this.contexts) await context.close();
    this.page = null;
  }

  /** This scenario makes the console say so: a refusal that is wanted. */
  expect(pattern) {
    this.expected.push(pattern);
  }

  /** A page with nobody signed in, as a browser that was never here. */
  async fresh(options = {}) {
    const context = await this.browser.newContext({
      baseURL: this.base,
      timezoneId: "Europe/Berlin",
      viewport: { width: 1280, height: 800 },
      acceptDownloads: true,
      ...options,
    });
    this.contexts.push(context);
    context.setDefaultTimeout(WAIT_MS);
    await context.addInitScript(PREPARE);
    const page = (this.page = await context.newPage());
    this.watch(page);
    return page;
  }

  async signedIn(options = {}) {
    const page = await this.fresh(options);
    await page.context().addCookies(this.cookies);
    return page;
  }

  watch(page) {
    const problems = this.problems;
    const say = (text) => {
      if (!this.expected.some((pattern) => pattern.test(text))) problems.push(text);
    };
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        say(`console: ${message.text()} ${message.location().url}`);
      }
    });
    page.on("pageerror", (error) => say(`page: ${error.stack ?? error}`));
    page.on("dialog", (dialog) => {
      say(`a dialogue: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** A screenshot. */
  async look(name, page = this.page) {
    await page?.screenshot({ path: join(this.settings.screenshots, `${name}.png`) }).catch(() => {});
  }

  /** A document of the API, as the administrator sees it. */
  async api(path, method = "GET", data = undefined) {
    const { user, password } = this.settings;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const body = data === undefined ? undefined : JSON.stringify(data);
    const headers = { authorization, "content-type": "application/json" };
    const answer = await fetch(`${this.base}/streamer/api/v3/${path}`, { method, headers, body });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : await answer.json();
  }
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

/** Asks again and again until it is true; what it then is. */
export async function until(what, ask, ms = WAIT_MS) {
  const end = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((later) => setTimeout(later, 60));
  }
}
