// What an accessibility checker that we did not write has to say.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds of the page as it is; `rules`: only these. */
export async function examine(house, page, screen, rules = null) {
  await page.evaluate(axe);
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  const { violations } = await page.evaluate((options) => axe.run(document, options), options);
  for (const { id, impact, nodes } of violations) {
    const where = nodes.slice(0, 3).map(({ target, any }) => `${target.join(" ")} ${any[0]?.message ?? ""}`);
    house.problems.push(`axe: ${screen}: ${impact}: ${id} ${where.join("; ")}`);
  }
}
