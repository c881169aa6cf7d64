import { expect, it } from "vitest";

import { slice } from "./slice";

it("is what is on the screen and a few more", () => {
  expect(slice(500, 50, 0, 500)).toEqual({ first: 0, last: 16 });
  expect(slice(500, 50, 5000, 500)).toEqual({ first: 94, last: 116 });
});

it("stays within the list", () => {
  expect(slice(3, 50, -200, 500)).toEqual({ first: 0, last: 3 });
  expect(slice(10, 50, 100_000, 500)).toEqual({ first: 10, last: 10 });
  expect(slice(0, 50, 0, 500)).toEqual({ first: 0, last: 0 });
});
