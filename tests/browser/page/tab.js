// The DVR tab of a stream: opened, paused, and what it says is shown.

import { Band } from "./band.js";
import { FRAME_MS, plays, shownMs } from "./eyes.js";
import { check, until } from "./house.js";

export async function opened(house, name, query = "", options = {}) {
  const page = await house.signedIn(options);
  await page.goto(`/#/streams/${name}${query}`);
  await plays(page);
  return [page, new Band(page)];
}

/** `[begin, end]` in ms of what is recorded. */
export async function recorded(house, name) {
  const { ranges } = await house.api(`streams/${name}/dvr/ranges`);
  return ranges.map((range) => [range.opened_at, range.closed_at]);
}

export async function paused(page) {
  await page.keyboard.press("k");
  await until("it pauses", () => page.evaluate(() => document.querySelector("video").paused));
}

/** The moment (ms) that the page says, once it is shown. */
export async function saidMs(page) {
  const said = page.locator("time.controls-moment");
  return Number(
    await until("the moment is shown", async () => {
      const seeking = await page.evaluate(() => document.querySelector("video")?.seeking ?? true);
      return !seeking && (await said.getAttribute("data-ms"));
    }),
  );
}

/** The picture's own clock is what the page says, to the frame. */
export async function exact(page) {
  const said = await saidMs(page);
  const shown = await until("there is a picture", () => shownMs(page));
  check(Math.abs(shown - said) <= FRAME_MS, `the picture is of ${shown}, the page says ${said}`);
  return shown;
}

export const minute = (page) => page.getByLabel("How much time is shown").selectOption({ label: "1 minute" });

/** A minute is on the screen, `ms` well inside; it stands. The view. */
export async function minuteWith(page, band, ms) {
  await minute(page);
  const end = performance.now() + 90_000;
  while (performance.now() < end) {
    const view = await band.view();
    const late = ms > view.begin + view.span - 3000;
    if (!late && ms > view.begin + 3000 && !view.follows) return view;
    await page.getByRole("button", { name: late ? "Later" : "Earlier" }).click();
    if (view.follows) await page.waitForTimeout(500); // of a young archive a minute shows all
  }
  throw new Error(`${ms} can't be brought on the screen`);
}

/** As one types it. */
export const spelled = (ms) => new Date(ms).toISOString().slice(0, 23).replace("T", " ");
