// Without a mouse.

import { FRAME_MS, plays } from "./eyes.js";
import { check, until } from "./house.js";
import { exact, paused, saidMs } from "./tab.js";

/** Tab until that has the focus whose words (or, of the timeline, whose part) `wanted` matches. */
async function tabTo(page, wanted) {
  for (let tabs = 1; tabs < 60; tabs++) {
    await page.keyboard.press("Tab");
    const words = await page.evaluate(() => {
      const { dataset, textContent } = document.activeElement;
      return dataset.part ?? textContent.trim();
    });
    if (wanted.test(words)) return tabs;
  }
  throw new Error(`${wanted} can't be reached by Tab`);
}

/** Signs in, opens a stream, goes back on the timeline, plays, chooses a part from here to there, saves it as a file. */
export async function keyboard_only(house) {
  const { user, password } = house.settings;
  const page = await house.fresh();
  await page.goto("/");
  await page.getByLabel("User").and(page.locator(":focus")).waitFor();
  await page.keyboard.type(user);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "camera", exact: true }).first().waitFor();
  await tabTo(page, /^camera$/);
  await page.keyboard.press("Enter");
  await plays(page);
  await paused(page);

  const before = await saidMs(page);
  await tabTo(page, /^bar$/);
  for (let times = 0; times < 3; times++) await page.keyboard.press("ArrowLeft");
  const bar = page.getByRole("slider", { name: "Moment" });
  await until("the line moves", async () => Number(await bar.getAttribute("aria-valuenow")) < before - 100);
  const wish = Number(await bar.getAttribute("aria-valuenow"));
  await page.keyboard.press("Enter");
  await until("it goes there", async () => (await saidMs(page)) < (wish + before) / 2);
  const shown = await exact(page);

  await page.keyboard.press("i");
  await page.keyboard.press("k");
  await plays(page);
  await page.keyboard.press("k");
  await page.keyboard.press("o");
  await until("a part is chosen", () => /from=[\d.]+&to=[\d.]+/.test(page.url()));
  const from = Number(new URLSearchParams(page.url().split("?")[1]).get("from")) * 1000;
  check(Math.abs(from - shown) <= FRAME_MS, `chosen from ${from}, shown was ${shown}`);
  await page.getByRole("link", { name: /Export MP4.* [kM]B/ }).waitFor();
  await tabTo(page, /^Export MP4/);
  const downloading = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  await (await downloading).cancel();
  await page.keyboard.press("Escape");
}
