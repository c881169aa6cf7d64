// A link to a part, for people without an account.

import { writeFile } from "node:fs/promises";
import { examine } from "./axe.js";
import { check, until } from "./house.js";
import { opened, recorded } from "./tab.js";

/** Opened by somebody else: that part and nothing else, until it is revoked. */
export async function signed_link(house) {
  const [[begin]] = await recorded(house, "paid");
  const [from, to] = [begin / 1000 + 3, begin / 1000 + 8];
  const [page] = await opened(house, "paid", `?from=${from}&to=${to}`);
  await page.getByRole("button", { name: "Share" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Title").fill("<b>for the press</b>");
  await examine(house, page, "share");
  await house.look("share");
  await dialog.getByRole("button", { name: "Make the link" }).click();
  await dialog.getByRole("button", { name: "Done" }).waitFor();
  const url = await dialog.getByLabel("MP4 file").inputValue();
  await house.look("share-made");
  await dialog.getByRole("button", { name: "Done" }).click();

  const other = (await house.fresh()).context();
  check((await other.cookies()).length === 0, "the other one is signed in");
  const answer = await other.request.get(url);
  check(answer.status() === 200, `the link ${url} answers ${answer.status()} ${await answer.text()}`);
  const file = `${house.settings.folder}/linked.mp4`;
  await writeFile(file, await answer.body());
  const bare = await other.request.get(url.split("?")[0]);
  check(bare.status() === 403, `without the link it is ${bare.status()}`);
  const beyond = url.replace(/archive-[\d.]+-/, `archive-${begin / 1000 + 1}-`);
  check((await other.request.get(beyond)).status() === 403, "the link opens more than it should");

  await page.getByRole("link", { name: "Sharing" }).click();
  await page.getByText("<b>for the press</b>").waitFor();
  await house.look("sharing-link", page);
  const links = async () => (await house.api("streams/paid/dvr/links")).links;
  await page
    .getByRole("button", { name: /revoke/i })
    .first()
    .click();
  const sure = page.getByRole("dialog").getByRole("button", { name: /revoke/i });
  if (await sure.isVisible().catch(() => false)) await sure.click();
  await until("it is revoked", async () => (await links()).length === 0);
  check((await other.request.get(url)).status() === 403, "a revoked link still opens");
  return { from: from * 1000, to: to * 1000, file };
}
