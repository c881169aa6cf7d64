import { expect, it } from "vitest";

import { Cadence } from "./cadence";

it("learns the length of a frame, dropped ones and seeks notwithstanding", () => {
  const cadence = new Cadence();
  expect(cadence.frame).toBe(0.04);
  for (const time of [0, 0.02, 0.06, 0.08]) cadence.seen(time);
  cadence.break();
  for (const time of [7.01, 7.05]) cadence.seen(time);
  expect(cadence.frame).toBeCloseTo(0.02);
});
