import { describe, expect, it } from "vitest";

import { Limits } from "./limits";

describe("an embedded player pauses", () => {
  it("when it has reached the end that was asked for, once", () => {
    const limits = new Limits(10_000, null);
    expect(limits.over(9_900, true, 0)).toBe(false);
    expect(limits.over(10_020, true, 100)).toBe(true);
    expect(limits.over(9_900, true, 200)).toBe(false);
    expect(limits.over(10_020, true, 300)).toBe(false);
  });

  it("not where somebody has sought past it", () => {
    const limits = new Limits(10_000, null);
    limits.over(5_000, true, 0);
    expect(limits.over(60_000, true, 100)).toBe(false);
    expect(limits.over(60_100, true, 200)).toBe(false);
  });

  it("when it has played for so long, pauses not counted", () => {
    const limits = new Limits(null, 1_000);
    expect(limits.over(0, true, 0)).toBe(false);
    expect(limits.over(0, true, 600)).toBe(false);
    expect(limits.over(0, false, 700)).toBe(false);
    expect(limits.over(0, true, 9_000)).toBe(false);
    expect(limits.over(0, true, 9_500)).toBe(true);
    expect(limits.over(0, true, 9_900)).toBe(false);
  });
});
