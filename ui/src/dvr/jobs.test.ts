import { expect, it } from "vitest";

import { stateOf } from "./jobs";

it("says what has become of an export", () => {
  expect(stateOf({ status: "running", error: null, progress: 41.9 })).toBe("41 %");
  expect(stateOf({ status: "succeeded", error: null, progress: 100 })).toBe("done");
  expect(stateOf({ status: "failed", error: "no_space", progress: 3 })).toBe("failed: there is not enough space");
  expect(stateOf({ status: "failed", error: "other", progress: 3 })).toBe("failed: other");
});
