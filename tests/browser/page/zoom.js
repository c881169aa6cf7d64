// What of the archive is on the screen.

import { check, until } from "./house.js";
import { exact, minute, minuteWith, opened, paused, recorded, saidMs } from "./tab.js";

/** Buttons, the wheel, and a date that is typed. */
export async function zoom_and_move(house) {
  const [page, band] = await opened(house, "camera");
  await paused(page);
  const wide = await band.view();
  await page.getByRole("button", { name: "Show less time" }).click();
  const half = await band.view();
  check(Math.abs(half.span / wide.span - 0.5) < 0.02, `zoomed to ${half.span / wide.span}`);
  await page.getByRole("button", { name: "Show more time" }).click();
  const again = await band.view();
  check(Math.abs(again.span / wide.span - 1) < 0.02, `zoomed back to ${again.span / wide.span}`);

  const x = Math.round(again.width * 0.9);
  const under = await band.hover(x);
  await band.wheel(x, -300);
  await band.wheel(x, -300);
  const wheeled = await band.view();
  check(wheeled.span < again.span * 0.6, "the wheel does not zoom");
  const kept = await band.hover(x);
  check(Math.abs(kept - under) < again.scale * 6 + 3000, `under the pointer was ${under}, is ${kept}`);

  await minute(page);
  const [[begin]] = await recorded(house, "camera");
  const wish = Math.ceil(begin / 1000) * 1000 + 3000;
  const field = page.getByLabel("Go to");
  const typed = async (zone, timeZone, ms) => {
    await page.getByRole("button", { name: zone }).click();
    await field.fill(new Date(ms).toLocaleString("sv-SE", { timeZone })); // 2026-11-21 17:29:00
    await page.keyboard.press("Enter");
    await until(`the moment ${ms}`, async () => (await saidMs(page)) === ms).catch(async (error) => {
      throw new Error(`${error.message}: it is ${await saidMs(page)}`);
    });
    check((await exact(page)) === ms, "another frame is shown than was typed");
  };
  await typed("Local", "Europe/Berlin", wish + 2000);
  await typed("UTC", "UTC", wish);
  await field.fill("when it was still good");
  await page.keyboard.press("Enter");
  await page.getByText("This is no date that can be read").waitFor();
  await page.keyboard.press("Escape");

  const there = await minuteWith(page, band, wish);
  const [left, right] = ["Earlier", "Later"].map((name) => page.getByRole("button", { name }));
  await right.click();
  const later = await band.view();
  check(later.begin > there.begin + 1000, "it did not move on");
  await left.click();
  check((await band.view()).begin < later.begin - 1000, "it did not move back");
  await page.getByRole("button", { name: "Now", exact: true }).click();
  const now = await band.view();
  check(Math.abs(now.begin + now.span - Date.now()) < now.span * 0.2, "the present is not on the screen");
}
