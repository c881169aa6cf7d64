import { expect, it } from "vitest";

import { DURATIONS, formatAmount, fromAmount, SIZES, toAmount } from "./units";

it("amounts have the largest unit of which they are whole", () => {
  expect(toAmount(604_800, DURATIONS)).toEqual({ text: "7", unit: 86_400 });
  expect(toAmount(5400, DURATIONS)).toEqual({ text: "90", unit: 60 });
  expect(toAmount(400 * 2 ** 30, SIZES)).toEqual({ text: "400", unit: 2 ** 30 });
  expect(toAmount(2 ** 40, SIZES)).toEqual({ text: "1", unit: 2 ** 40 });
  expect(toAmount(undefined, SIZES)).toEqual({ text: "", unit: 2 ** 30 });
});

it("amounts are read as they are typed", () => {
  expect(fromAmount({ text: "1,5", unit: 3600 })).toBe(5400);
  expect(fromAmount({ text: " ", unit: 3600 })).toBeNull();
  expect(fromAmount({ text: "x", unit: 1 })).toBe("x");
});

it("amounts are said with their unit", () => {
  expect(formatAmount(604_800, DURATIONS)).toBe("7 days");
  expect(formatAmount(86_400, DURATIONS)).toBe("1 day");
  expect(formatAmount(0, SIZES)).toBe("no limit");
});
