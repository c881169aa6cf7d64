// The archive of a stream: what is drawn is what is recorded, what is clicked is what is shown.

import { Band } from "./band.js";
import { FRAME_MS, plays } from "./eyes.js";
import { check, until } from "./house.js";
import { exact, minuteWith, opened, paused, recorded, saidMs, spelled } from "./tab.js";

const CLOSE_MS = 600;
const CLIPBOARD = ["clipboard-read", "clipboard-write"];

/** Recorded, missing (the source was off for a while), recorded again. */
export async function dvr_zones(house) {
  const ranges = await until(
    "there is a gap, and something after it",
    async () => {
      const found = await recorded(house, "news");
      return found.length >= 2 && found[1][1] - found[1][0] > 10_000 && found;
    },
    40_000,
  );
  const [[, gapBegin], [gapEnd]] = ranges;
  const [page, band] = await opened(house, "news", `?at=${gapBegin / 1000 - 2}`);
  await paused(page);
  const playhead = await saidMs(page);
  const view = await minuteWith(page, band, gapBegin);
  const columns = await band.columns();
  const now = await recorded(house, "news");
  const seen = { recorded: 0, missing: 0 };
  const wrong = [];
  const near = (ms, edge) => Math.abs(ms - edge) < CLOSE_MS;
  columns.forEach((drawn, x) => {
    const ms = view.begin + (view.follows ? Date.now() - view.at : 0) + (x + 0.5) * view.scale;
    const [first, last] = [now[0][0], now.at(-1)[1]];
    if (ms < first + CLOSE_MS || ms > last - 8000) return; // before the archive, and what the page may not know yet
    if (now.some(([begin, end]) => near(ms, begin) || near(ms, end))) return;
    if (Math.abs(x - Band.x(view, playhead)) < 12) return; // the playhead lies over it
    const expected = now.some(([begin, end]) => begin <= ms && ms < end) ? "recorded" : "missing";
    seen[expected] += 1;
    if (drawn !== expected) wrong.push(`${new Date(ms).toISOString()} is ${expected} and drawn as ${drawn}`);
  });
  check(seen.recorded > 50 && seen.missing > 20, `nothing was compared: ${JSON.stringify(seen)}`);
  check(wrong.length === 0, `${wrong.length} columns: ${wrong.slice(0, 5)}`);
  await house.look("dvr-gap");
  await band.hover(Band.x(view, (gapBegin + gapEnd) / 2));
  const note = await page.locator(".timeline-popup-note").innerText();
  check(/not recorded/.test(note), `of the gap it says ${note}`);
  return { seen, note };
}

/** A moment is clicked, and that moment's frame is shown; frame by frame from there. */
export async function clicked_moment(house) {
  const [[begin]] = await recorded(house, "camera");
  const [page, band] = await opened(house, "camera", `?at=${begin / 1000 + 10}`, { permissions: CLIPBOARD });
  await paused(page);
  const view = await minuteWith(page, band, begin + 8000);
  const offs = [];
  for (const after of [4321, 11_040, 7777]) {
    const x = Math.round(Band.x(view, begin + after));
    const meant = await band.hover(x);
    await band.click(x);
    await until("the moment is sought", async () => Math.abs((await saidMs(page)) - meant) < 2000);
    const shown = await exact(page);
    check(shown <= meant + 1 && meant < shown + FRAME_MS + 1, `clicked at ${meant}, shown is ${shown}`);
    offs.push(shown - meant);
  }
  const before = await exact(page);
  await page.keyboard.press(".");
  await until("a frame ahead", async () => (await saidMs(page)) === before + FRAME_MS);
  check((await exact(page)) === before + FRAME_MS, "it is not the next frame");
  await page.keyboard.press(",");
  await until("a frame back", async () => (await saidMs(page)) === before);
  check((await exact(page)) === before, "it is not the frame before");

  await page.getByRole("button", { name: "Copy a link to this moment" }).click();
  await page.getByText("is copied").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const other = await house.signedIn();
  await other.goto(link);
  const [first] = await plays(other);
  check(first >= before && first < Date.now() - 10_000, `the link to ${before} opens ${first}`);
  return { offs, link };
}

/** The limiters choose; the file, the lock, the link are of what is chosen. */
export async function export_mp4(house) {
  const [[begin]] = await recorded(house, "camera");
  const [page, band] = await opened(house, "camera", `?at=${begin / 1000 + 8}`);
  await paused(page);
  const view = await minuteWith(page, band, begin + 9000);
  await page.getByRole("button", { name: "Choose a part" }).click();
  const chosen = () => {
    const query = new URLSearchParams(page.url().split("?")[1]);
    return ["from", "to"].map((name) => Math.round(Number(query.get(name)) * 1000));
  };
  await until("something is chosen", () => chosen()[1] > 0);
  const limiter = async (name, ms) => {
    const box = await page.locator(`.timeline-limiter.${name}`).boundingBox();
    const { x: left } = await band.box();
    await band.drag(box.x - left + box.width / 2, Band.x(view, ms));
  };
  // as fast as hands never are: each is taken, by Enter and by leaving the field
  const type = async (label, ms, key) => {
    await page.getByLabel(label, { exact: true }).fill(spelled(begin + ms));
    await page.keyboard.press(key);
  };
  for (const [number, key] of ["Enter", "Tab", "Enter", "Tab", "Enter"].entries()) {
    const [first, last] = [2000 + 10 * number, 18_000 - 10 * number];
    await type("From", first, key);
    await type("To", last, key);
    await until("what was typed", () => chosen()[0] === begin + first && chosen()[1] === begin + last);
  }
  await limiter("begin", begin + 5210);
  await limiter("end", begin + 12_930);
  const [from, to] = chosen();
  check(Math.abs(from - begin - 5210) < 1500, `the first limiter is ${from - begin - 5210} ms off`);
  check(Math.abs(to - begin - 12_930) < 1500, `the second limiter is ${to - begin - 12_930} ms off`);
  await house.look("dvr-chosen");
  const link = page.getByRole("link", { name: /Export MP4/ });
  await until("its size is said", async () => /[\d.]+ [kM]B/.test(await link.innerText()));
  const downloading = page.waitForEvent("download");
  await link.click();
  const download = await downloading;
  const file = `${house.settings.folder}/export.mp4`;
  await download.saveAs(file);

  const locks = async () => (await house.api("streams/camera/dvr/locks")).locks ?? [];
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await until("it is locked", async () => (await locks()).length === 1);
  await page.getByRole("region", { name: "Locked" }).waitFor();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Delete recordings?" });
  await dialog.getByText("All that is recorded there is locked").waitFor();
  check(await dialog.getByRole("button", { name: "Delete for ever" }).isDisabled(), "what is locked can be deleted");
  await dialog.getByRole("button", { name: "Keep them" }).click();
  await page.getByRole("button", { name: "Unlock" }).first().click();
  await until("it is not locked any more", async () => (await locks()).length === 0);
  const name = download.suggestedFilename();
  check(/^camera_.*\.mp4$/.test(name), `the file is called ${name}`);
  return { from, to, file };
}

/** What was recorded while the clock was wrong is shown, and is not on the timeline. */
export async function misdated(house) {
  const page = await house.signedIn();
  const tomorrow = Date.now() + 86_400_000;
  await page.route("**/dvr/timeline*", async (route) => {
    const answer = await (await route.fetch()).json();
    await route.fulfill({ json: { ...answer, misdated: [[tomorrow, tomorrow + 65_000, -86_400_000]] } });
  });
  await page.goto("/#/streams/camera");
  const list = page.getByRole("region", { name: "With a wrong date" });
  await list.getByText("1 min 05 s").waitFor();
  await list.getByText(`really ${spelled(tomorrow - 86_400_000).slice(0, 19)}`).waitFor();
  await list.scrollIntoViewIfNeeded();
  await house.look("dvr-misdated");
}
