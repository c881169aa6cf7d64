import { expect, it } from "vitest";

import { orderOf, usesOf } from "./links";

function form(fields: [string, string][]): FormData {
  const data = new FormData();
  for (const [key, value] of fields) data.append(key, value);
  return data;
}

it("asks for what was chosen, and for nothing that was left empty", () => {
  const fields: [string, string][] = [["title", " "], ["max_uses", ""], ["expires_in", "3600"]]; // prettier-ignore
  expect(orderOf([1_500, 4_000], form(fields))).toEqual({ from: 1.5, duration: 2.5, expires_in: 3600 });
  const more: [string, string][] = [["formats", "mp4"], ["formats", "jpg"], ["title", "For Ann"], ["max_uses", "3"]]; // prettier-ignore
  expect(orderOf([0, 1000], form([["expires_in", "60"], ...more]))).toEqual({
    from: 0,
    duration: 1,
    expires_in: 60,
    formats: ["mp4", "jpg"],
    title: "For Ann",
    max_uses: 3,
  });
});

it("says how often a link was used", () => {
  expect(usesOf({ uses: 2, max_uses: null })).toBe("2");
  expect(usesOf({ uses: 2, max_uses: 5 })).toBe("2 of 5");
});
