// What has happened, and what is wrong.

import { check, until } from "./house.js";

const BADGE = 'nav a[href="#/events"] .badge';

/** A stream without a source is an alarm; events come by themselves, can be narrowed, stopped and opened. */
export async function events_and_alarms(house) {
  const page = await house.signedIn();
  await page.goto("/#/events");
  const alarms = page.getByRole("region", { name: "Alarms" });
  await alarms.getByText(/dead has/).waitFor();
  await alarms.getByRole("link", { name: /dead/ }).waitFor();
  // seven seconds instead of days: the configuration works, and is hardly meant
  const warning = page.getByRole("region", { name: "Configuration" }).getByText(/'7' keeps 7s of recordings/);
  await warning.waitFor();
  const count = () => alarms.getByRole("listitem").count();
  await until(
    "the badge has their number",
    async () => parseInt(await page.locator(BADGE).innerText()) === (await count()),
  );

  const rows = page.locator(".event");
  await rows.filter({ hasText: "The server has started" }).waitFor();
  await house.api("streams/temporary", "PUT", { inputs: [{ url: "fake://?size=160x90&fps=10" }] });
  await rows.filter({ hasText: "temporary was started" }).first().waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await house.api("streams/temporary", "DELETE");
  await page.getByRole("button", { name: /Go on \(\d+ new\)/ }).click();
  await rows.filter({ hasText: "temporary was stopped" }).first().waitFor();

  await page.getByRole("button", { name: "Sources" }).click();
  await rows.filter({ hasText: "temporary was stopped" }).first().waitFor({ state: "detached" });
  check(page.url().includes("family=source"), "the choice is not in the address");
  await page.getByLabel("Stream", { exact: true }).selectOption("camera");
  const texts = await rows.locator(".said").allInnerTexts();
  check(texts.length > 0 && texts.every((text) => text.includes("camera")), `not of camera: ${texts}`);
  await rows.first().locator("summary").focus();
  await page.keyboard.press("Enter");
  const event = JSON.parse(await rows.first().locator("pre").innerText());
  check(event.media === "camera" && event.event_id, "the fields are not shown");
}

/** A thousand events: what is typed answers at once. */
export async function a_thousand_events(house) {
  const page = await house.signedIn();
  const event = (number) => ({
    ...{
      event: "dvr_blob_closed",
      event_id: `e${number}`,
      utc_ms: 1_795_000_000_000 + number * 60_000,
      media: `c${number % 50}`,
    },
    ...{ begin_ms: 1_795_000_000_000, duration_ms: 3_600_000, size: 1e9, path: "/storage" },
  });
  const events = Array.from({ length: 1000 }, (_, number) => event(number));
  await page.route("**/streamer/api/v3/events?*", (route) => route.fulfill({ json: { events, server_started_at: 0 } }));
  await page.goto("/#/events");
  await page.locator(".event").nth(999).waitFor({ state: "attached" });
  const slowest_ms = await page.evaluate(async () => {
    const field = document.querySelector('input[type="search"]');
    let slowest = 0;
    for (const words of ["c", "c1", "c17", "c1", ""]) {
      const begin = performance.now();
      field.value = words;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      slowest = Math.max(slowest, performance.now() - begin);
    }
    return Math.round(slowest);
  });
  check((await page.locator(".event").count()) === 1000, "not all events are there again");
  return { slowest_ms };
}
