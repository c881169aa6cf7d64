// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";

import { go, guardLeaving, leaving, place } from "./router";

const settled = () => new Promise((resolve) => setTimeout(resolve));

afterEach(async () => {
  go(["streams"]);
  await settled();
});

it("a screen that is guarded is left only when that is agreed to", async () => {
  go(["streams", "a", "settings"]);
  await settled();
  let leave = () => {};
  const end = guardLeaving((agreed) => (leave = agreed));
  go(["events"]);
  await settled();
  expect(place.value.path).toEqual(["streams", "a", "settings"]);
  expect(location.hash).toBe("#/streams/a/settings");
  leave();
  await settled();
  expect(place.value.path).toEqual(["events"]);
  end();
});

it("another query of the same screen is no leaving", async () => {
  go(["streams", "a"]);
  await settled();
  const end = guardLeaving(() => expect.fail("asked"));
  go(["streams", "a"], { at: "5" });
  await settled();
  expect(place.value.query.get("at")).toBe("5");
  end();
});

it("signing out is leaving", () => {
  const done: string[] = [];
  let leave = () => {};
  const end = guardLeaving((agreed) => (leave = agreed));
  leaving(() => done.push("signed out"));
  expect(done).toEqual([]);
  leave();
  expect(done).toEqual(["signed out"]);
  end();
  leaving(() => done.push("at once"));
  expect(done).toEqual(["signed out", "at once"]);
});

it("once the guard has ended, nothing is asked", async () => {
  guardLeaving(() => expect.fail("asked"))();
  go(["events"]);
  await settled();
  expect(place.value.path).toEqual(["events"]);
});
