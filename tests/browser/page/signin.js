// Who are you?

import { plays } from "./eyes.js";
import { check, until } from "./house.js";

/** A wrong password first; then the page, and it stays signed in. */
export async function sign_in(house) {
  house.expect(/status of 401.*\/ui\/session/); // browsers say so of a wrong password
  const page = await house.fresh();
  await page.goto("/");
  await page.getByLabel("User").fill(house.settings.user);
  await page.getByLabel("Password").fill("not this one");
  await page.keyboard.press("Enter");
  const alert = await page.getByRole("alert").first().innerText();
  check(alert.trim() !== "", "nothing is said of a wrong password");
  await house.look("signin-wrong");
  await page.getByLabel("Password").fill(house.settings.password);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "camera", exact: true }).first().waitFor();
  const [cookie] = await page.context().cookies();
  check(cookie.httpOnly && cookie.sameSite === "Strict", `the cookie can be read or carried away: ${cookie.sameSite}`);
  check(!(await page.evaluate(() => JSON.stringify(localStorage))).includes("csrf"), "secrets are kept in the browser");
  await page.reload();
  await page.getByRole("link", { name: "camera", exact: true }).first().waitFor();
  return { alert };
}

/** The sign-in ends while one watches: it is asked for again, and then one is where one was. */
export async function signed_out_while_watching(house) {
  house.expect(/status of 40[13]/);
  const { user, password } = house.settings;
  const page = await house.fresh();
  await page.goto("/#/streams/camera");
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await plays(page);
  const csrf = (await (await page.context().request.get("/ui/session")).json()).csrf;
  const headers = { "X-Requested-With": "flussdvr", "X-CSRF-Token": csrf };
  const ended = await page.context().request.delete("/ui/session", { headers });
  check(ended.status() === 204, `${ended.status()} ${await ended.text()}`);
  await page.getByLabel("Password").waitFor();
  await house.look("signin-again");
  await page.getByLabel("Password").fill(password);
  const name = page.getByLabel("User");
  if (await name.isVisible()) await name.fill(user);
  await page.keyboard.press("Enter");
  await page.getByLabel("Password").waitFor({ state: "detached" });
  await until("where one was", () => page.url().includes("#/streams/camera"));
  await plays(page);
}
