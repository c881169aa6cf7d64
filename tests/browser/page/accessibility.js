// axe-core looks at every screen, light and dark, and finds nothing; and on a phone nothing has to be scrolled sideways.

import { examine } from "./axe.js";
import { plays } from "./eyes.js";
import { until } from "./house.js";

const SCREENS = [
  ["streams", "/#/streams", (page) => page.getByRole("link", { name: "camera", exact: true }).first().waitFor()],
  ["dvr", "/#/streams/camera", plays],
  ["settings", "/#/streams/camera/settings", (page) => page.getByLabel("Title").waitFor()],
  ["viewers", "/#/streams/camera/viewers", heading],
  ["sharing", "/#/streams/camera/sharing", heading],
  ["events", "/#/events", (page) => page.locator(".event").first().waitFor()],
  ["add", "/#/add-stream", (page) => page.getByLabel("Title").waitFor()],
  ["embed", "/camera/embed.html?dvr=true&mute=true", plays],
];
const SIGN_IN = ["signin", "/", (page) => page.getByLabel("Password").waitFor()];
const COLOURS = ["color-contrast"];

async function heading(page) {
  await page.getByRole("heading", { name: "camera" }).waitFor();
}

async function visit(house, page, [screen, url, there]) {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(url);
  await there(page);
  await examine(house, page, `${screen}, light`);
  await house.look(`${screen}-light`, page);
  await page.emulateMedia({ colorScheme: "dark" });
  await examine(house, page, `${screen}, dark`, COLOURS);
  await house.look(`${screen}-dark`, page);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  await until(`${screen} is as narrow as a phone`, fits).catch((error) => house.problems.push(error.message));
  await house.look(`${screen}-phone`, page);
}

export async function every_screen(house) {
  const page = await house.signedIn({ colorScheme: "light" });
  for (const screen of SCREENS) await visit(house, page, screen);
  await visit(house, await house.fresh({ colorScheme: "light" }), SIGN_IN);
}
