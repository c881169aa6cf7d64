// A stream that has no picture: its clock goes all the same.

import { check, until } from "./house.js";
import { paused, recorded, saidMs, spelled } from "./tab.js";

/** It says when what is heard was, goes where one wants it, and stays there. */
export async function sound_only(house) {
  const [[begin]] = await until(
    "ten seconds of sound are recorded",
    async () => {
      const found = await recorded(house, "radio").catch(() => []);
      return found.length > 0 && found.at(-1)[1] - found[0][0] > 10_000 && found;
    },
    40_000,
  );
  const page = await house.signedIn();
  await page.goto("/#/streams/radio");
  const first = await saidMs(page);
  await until("the clock goes", async () => (await saidMs(page)) >= first + 700);
  check(Math.abs(Date.now() - first) < 60_000, `live is said to be ${first}`);
  await page.getByText("Sound only").waitFor();
  await paused(page);
  const wish = begin + 4000;
  await page.getByLabel("Go to", { exact: true }).fill(spelled(wish));
  await page.keyboard.press("Enter");
  const near = async () => Math.abs((await saidMs(page)) - wish) < 60;
  await until("the moment that was typed", near);
  await house.look("sound-only");
  await page.keyboard.press("k");
  await until("it goes on from there", async () => (await saidMs(page)) > wish + 500);
  return { begin, first };
}
