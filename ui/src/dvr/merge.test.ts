import { describe, expect, it } from "vitest";

import type { Timeline } from "../api/types";
import { amounts, inside, lengthOf, updated } from "./merge";

const timeline = (more: Partial<Timeline>): Timeline => ({
  name: "ort",
  now: 1000,
  recording: true,
  opened_at: 0,
  closed_at: null,
  bytes: 5,
  ranges: [],
  locks: [],
  gaps: [],
  ...more,
});

describe("what is recorded", () => {
  it("grows at its end, whether the server cuts the open range or not", () => {
    const old = timeline({ ranges: [[0, 100], [200, 500]] }); // prettier-ignore
    for (const begin of [200, 450]) {
      const now = updated(old, timeline({ ranges: [[begin, 600]], bytes: 9 }), 450);
      expect(now.ranges).toEqual([[0, 100], [200, 600]]); // prettier-ignore
      expect(now.bytes).toBe(9);
    }
  });

  it("loses what is not there any more", () => {
    const old = timeline({ ranges: [[0, 500]], locks: [[400, 500]] });
    const now = updated(old, timeline({ ranges: [[470, 600]] }), 450);
    expect(now.ranges).toEqual([[0, 450], [470, 600]]); // prettier-ignore
    expect(now.locks).toEqual([[400, 450]]);
  });

  it("has every gap once", () => {
    const old = timeline({ gaps: [[100, 200, "restart"], [430, 440, "disk"]] }); // prettier-ignore
    const news = timeline({ gaps: [[430, 440, "disk"], [460, 470, "source_lost"]] }); // prettier-ignore
    expect(updated(old, news, 440).gaps.map((gap) => gap[0])).toEqual([100, 430, 460]);
  });
});

it("measures what is inside of a span", () => {
  const found = inside([[0, 10], [20, 30], [40, 50]], [5, 25]); // prettier-ignore
  expect(found).toEqual([[5, 10], [20, 25]]); // prettier-ignore
  expect(lengthOf(found)).toBe(10);
});

it("counts each moment once, however many locks it has, and no lock where nothing is recorded", () => {
  const timeline = {
    ranges: [
      [0, 1000],
      [2000, 3000],
    ],
    locks: [
      [500, 2500],
      [600, 700],
      [900, 2100],
    ],
  } as unknown as Timeline;
  expect(amounts(timeline, [0, 3000])).toEqual({ recorded: 2000, locked: 1000 });
  expect(amounts(timeline, [650, 2200])).toEqual({ recorded: 550, locked: 550 });
  expect(amounts(timeline, [1000, 2000])).toEqual({ recorded: 0, locked: 0 });
});
