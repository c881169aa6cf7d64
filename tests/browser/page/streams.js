// The list of streams, and a stream as it is now.

import { plays } from "./eyes.js";
import { check } from "./house.js";

/** Every stream with its state; what is typed narrows the list. */
export async function list_of_streams(house) {
  const page = await house.signedIn();
  await page.goto("/");
  for (const name of ["camera", "news", "paid", "dead"]) {
    await page.getByRole("link", { name, exact: true }).first().waitFor();
  }
  await page.getByRole("searchbox").first().fill("dea");
  await page.getByRole("link", { name: "camera", exact: true }).first().waitFor({ state: "detached" });
  check(await page.getByRole("link", { name: "dead", exact: true }).first().isVisible(), "search hides what is meant");
}

/** One click from the list, and the picture is of now. */
export async function live(house) {
  const page = await house.signedIn();
  await page.goto("/");
  await page.getByRole("link", { name: "camera", exact: true }).first().click();
  const [, shown] = await plays(page);
  const behind_s = (Date.now() - shown) / 1000;
  check(behind_s >= 0 && behind_s < 60, `live is ${behind_s} s behind`);
  return { behind_s };
}
