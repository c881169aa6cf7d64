// Names, titles and errors of others that look like HTML are text.

import { check } from "./house.js";

const TITLE = `<script>alert(1)</script><img src=x onerror=alert(2)>`;
const NAME = `x'onmouseover=alert(3)&lt`;

/** In every screen; that there is no dialogue and nothing against the CSP is watched in every scenario. */
export async function hostile_names(house) {
  house.expect(/status of 404/);
  const name = encodeURIComponent(NAME);
  const page = await house.signedIn();
  const policy = (await page.goto("/")).headers()["content-security-policy"];
  check(/default-src 'none'/.test(policy) && !/unsafe/.test(policy), `the policy is ${policy}`);
  await page.getByText(TITLE, { exact: false }).first().waitFor();
  await page.getByText(NAME, { exact: false }).first().waitFor();
  for (const tab of ["", "/settings", "/viewers", "/sharing"]) {
    await page.goto(`/#/streams/${name}${tab}`);
    await page.getByRole("heading", { name: NAME }).first().waitFor();
  }
  await page.goto(`/#/streams/${encodeURIComponent("<img src=x onerror=alert(4)>")}`);
  await page.getByText("<img src=x onerror=alert(4)>").first().waitFor();
  await page.goto(`/#/events?stream=${name}&q=${encodeURIComponent("<script>")}`);
  await page.getByRole("searchbox").waitFor();
  const made = await page.evaluate(() => document.querySelectorAll("img[onerror], script:not([src])").length);
  check(made === 0, "text has become elements");
}
