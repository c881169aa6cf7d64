import { describe, expect, it } from "vitest";

import { Spans } from "./spans";

const spans = new Spans([
  [0, 3],
  [7, 9],
  [9, 12],
  [20, 21],
]);

describe("spans", () => {
  it("find what contains an instant, half-open", () => {
    expect([-1, 0, 2.9, 3, 7, 9, 12, 20, 21].map((ms) => spans.at(ms))).toEqual([-1, 0, 0, -1, 1, 2, -1, 3, -1]);
  });

  it("find the first that ends later", () => {
    expect([-1, 3, 8, 11, 12, 21].map((ms) => spans.after(ms))).toEqual([0, 1, 1, 2, 3, 4]);
  });

  it("know what they cover", () => {
    expect([-5, 0, 2, 3, 5, 8, 10, 15, 20.5, 99].map((ms) => spans.upTo(ms))).toEqual([0, 0, 2, 3, 3, 4, 6, 8, 8.5, 9]);
    expect(spans.covered(2, 8)).toBe(2);
    expect(new Spans([]).covered(0, 9)).toBe(0);
  });
});
