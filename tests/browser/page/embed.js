// The player in a page of another site: without an account, with a token that a backend decides about.

import { createServer } from "node:http";
import { plays, shownMs } from "./eyes.js";
import { check, until } from "./house.js";

/** A page of another origin (a name, and a port of its own) that frames `url`. */
async function framed(house, url) {
  const html = `<!doctype html><title>elsewhere</title><iframe src="${url}" width="900" height="600" allow="autoplay"></iframe>`;
  const elsewhere = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(html));
  await new Promise((listening) => elsewhere.listen(0, "127.0.0.1", listening));
  const page = await house.fresh();
  page.once("close", () => elsewhere.close());
  await page.goto(`http://localhost:${elsewhere.address().port}/`);
  const element = await page.waitForSelector("iframe");
  return [page, await element.contentFrame()];
}

/** What the backend of the other site says from now on. */
const tell = (house, what, token) => fetch(`${house.settings.backend}/${what}?token=${token}`);

/** Permitted; refused while it is watched; the permission comes back; or there is a new one. */
export async function embedded_token_expires(house) {
  house.expect(/status of 403/);
  await tell(house, "permit", "first");
  const url = (token) => `${house.base}/paid/embed.html?dvr=true&mute=true&token=${token}`;
  const [page, frame] = await framed(house, url("first"));
  await plays(frame);
  await house.look("embed-framed");
  await tell(house, "refuse", "first");
  const alert = frame.getByRole("alert");
  await alert.waitFor();
  const text = await alert.innerText();
  check(/permi/i.test(text), `it says only: ${text}`);
  await house.look("embed-refused", page);
  await tell(house, "permit", "first");
  await alert.getByRole("button").click();
  await plays(frame);
  await alert.waitFor({ state: "detached" });

  await tell(house, "refuse", "first");
  await tell(house, "permit", "second");
  await page.evaluate((src) => (document.querySelector("iframe").src = src), url("second"));
  await until("the new page", () => frame.url().endsWith("second"));
  await plays(frame);
  return { text };
}

/** Without a token, nothing is shown but why. */
export async function embedded_without_permission(house) {
  house.expect(/status of 403/);
  const [, frame] = await framed(house, `${house.base}/paid/embed.html?dvr=true&token=no`);
  await frame.getByRole("alert").waitFor();
  check((await shownMs(frame)) === null, "something is shown");
}

/** A window of the archive, where storage is blocked; times in UTC; others to choose from; a file, not too long. */
export async function embedded_archive(house) {
  const { ranges } = await house.api("streams/camera/dvr/ranges");
  const from = Math.ceil(ranges[0].from) + 2;
  const page = await house.fresh();
  await page.addInitScript(() =>
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("blocked", "SecurityError");
      },
    }),
  );
  const query = `dvr=true&mute=true&localtime=false&from=${from}&to=${from + 2}&export_limit=10&streams=camera,news`;
  await page.goto(`/camera/embed.html?${query}`);
  await plays(page);
  const paused = () => page.evaluate(() => document.querySelector("video").paused);
  await until("it pauses at its end", paused);
  const shown = await shownMs(page);
  check(shown >= 1000 * from + 1900 && shown < 1000 * from + 2500, `paused at ${shown - 1000 * from} ms`);
  const clock = new Date(shown - (shown % 1000)).toISOString().slice(0, 19).replace("T", " ");
  await page.getByText(clock, { exact: false }).first().waitFor();
  await page.getByRole("button", { name: "Export" }).click();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "MP4" }).click();
  const file = await download;
  check(/archive-[\d.]+-[\d.]+\.mp4$/.test(file.url()), file.url());
  check(Number(/-([\d.]+)\.mp4/.exec(file.url())[1]) <= 10, "the file is longer than it may be");
  await file.cancel();
  // A list of what does not exist yet would be refused, and the console would say so.
  await until(
    "the other stream is live",
    async () => {
      const { ranges } = await house.api("streams/news/dvr/ranges");
      return ranges.length > 1 && (await house.api("streams/news")).stats.alive;
    },
    60_000,
  );
  await page.getByLabel("Stream").selectOption("news");
  await until("the other stream", async () => (await page.title()) === "news");
}
