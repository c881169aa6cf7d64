import { expect, it } from "vitest";

import { fileName, fileUrl, pictureUrl } from "./files";

const T = 1_795_194_000_000;

it("addresses files to the millisecond", () => {
  expect(fileUrl("a b/c", [T + 40, T + 10_540], "mp4")).toBe("/a%20b/c/archive-1795194000.04-10.5.mp4");
  expect(fileUrl("ort", [T, T + 3_600_000], "ts")).toBe("/ort/archive-1795194000-3600.ts");
});

it("names files so that every disk takes them", () => {
  expect(fileName("a b/c", [T, T + 90_400])).toBe(
    `a_b_c_${new Date(T).toISOString().slice(0, 10)}_${new Date(T).toISOString().slice(11, 19).replaceAll(":", "-")}_90s.mp4`,
  );
  expect(fileName("../x", [T, T + 1000])).not.toContain("/");
});

it("asks for pictures as wide as are made", () => {
  expect(pictureUrl("ort", T + 900, 160.4, true)).toBe("/ort/1795194000-preview.jpg?width=160");
  expect(pictureUrl("ort", T, 3, true)).toMatch(/width=16$/);
  expect(pictureUrl("ort", T, 160, false)).toBe("/ort/1795194000-preview.mp4");
});
