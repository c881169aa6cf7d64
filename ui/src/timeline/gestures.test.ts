import { describe, expect, it } from "vitest";

import type { Span } from "../api/types";
import { IDLE, step, type Deed, type Hands, type Part, type Stage, type Touch } from "./gestures";
import { msAt } from "./view";

const T = 1_700_000_000_000;
/** One pixel is 100 ms. */
const STAGE: Stage = {
  view: { begin: T, end: T + 100_000 },
  width: 1000,
  selection: null,
  bounds: [T - 500_000, T + 90_000],
};
const ms = (x: number): number => T + x * 100;

/** Plays touches; views and selections that come of them are what the next ones meet. */
class Screen {
  hands: Hands = IDLE;
  stage: Stage = STAGE;
  deeds: Deed[] = [];
  private time = 0;

  constructor(private readonly part: Part) {}

  play(kind: Touch["kind"], x: number, id = 1, more: Partial<Touch> = {}): this {
    this.time += 16;
    const [hands, deeds] = step(this.hands, { kind, id, x, time: this.time, part: this.part, ...more }, this.stage);
    this.hands = hands;
    this.deeds.push(...deeds);
    for (const deed of deeds) {
      if (deed.do === "view") this.stage = { ...this.stage, view: deed.view };
      if (deed.do === "choose") this.stage = { ...this.stage, selection: deed.selection };
    }
    return this;
  }

  /** What has been done since the last time. */
  done(): Deed[] {
    return this.deeds.splice(0);
  }
}

describe("one pointer", () => {
  it.each(["bar", "ruler"] as const)("that is let go where it came down on the %s seeks", (part) => {
    const screen = new Screen(part).play("down", 300).play("move", 302).play("up", 302);
    expect(screen.done()).toEqual([{ do: "seek", ms: ms(302) }]);
    expect(screen.hands).toBe(IDLE);
  });

  it("scrubs on the bar and goes where it is let go", () => {
    const screen = new Screen("bar").play("down", 300).play("move", 310).play("move", 350).play("up", 360);
    expect(screen.done()).toEqual([
      { do: "scrub", ms: ms(310) },
      { do: "scrub", ms: ms(350) },
      { do: "seek", ms: ms(360) },
      { do: "scrub", ms: null },
    ]);
  });

  it("does not go beyond the present nor off the band", () => {
    const screen = new Screen("bar").play("down", 800).play("move", 2000).play("move", -50);
    expect(screen.done()).toEqual([
      { do: "scrub", ms: T + 90_000 },
      { do: "scrub", ms: T },
    ]);
  });

  it("that is taken away goes nowhere", () => {
    const screen = new Screen("bar").play("down", 300).play("move", 350);
    screen.done();
    expect(screen.play("cancel", 350).done()).toEqual([{ do: "scrub", ms: null }]);
    expect(new Screen("bar").play("down", 300).play("cancel", 300).done()).toEqual([]);
  });

  it("moves the ruler under itself", () => {
    const screen = new Screen("ruler").play("down", 300).play("move", 310).play("move", 400);
    // from where it was seen to move
    expect(msAt(screen.stage.view, 1000, 400)).toBeCloseTo(ms(310), 3);
  });

  it("throws the ruler only while it moves", () => {
    const screen = new Screen("ruler").play("down", 300).play("move", 320).play("move", 380).play("move", 440);
    screen.done();
    const [deed] = screen.play("up", 440).done();
    expect(deed).toMatchObject({ do: "fling" });
    expect(deed?.do === "fling" && deed.speed).toBeGreaterThan(1);
    const still = new Screen("ruler").play("down", 300).play("move", 400);
    still.done();
    expect(still.play("up", 400, 1, { time: 5000 }).done()).toEqual([]);
  });

  it("of another is not listened to", () => {
    const screen = new Screen("bar").play("move", 10).play("up", 10);
    expect(screen.done()).toEqual([]);
    expect(screen.play("down", 100, 1).play("move", 500, 2).play("up", 500, 2).done()).toEqual([]);
  });
});

describe("limiters", () => {
  it("come from where they wait and keep the distance to the hand", () => {
    const screen = new Screen("begin").play("down", 6).play("move", 206).play("up", 206);
    expect(screen.done()).toEqual([{ do: "choose", selection: [ms(200), T + 90_000] }]);
  });

  it("move one end, not past the other", () => {
    const screen = new Screen("end");
    screen.stage = { ...STAGE, selection: [ms(200), ms(600)] };
    screen.play("down", 604).play("move", 504).play("move", 4);
    const chosen = screen.done().map((deed) => (deed.do === "choose" ? deed.selection : null));
    expect(chosen).toEqual([[ms(200), ms(500)] satisfies Span, [ms(200), ms(210)] satisfies Span]);
  });

  it("are both made by a drag with shift", () => {
    const screen = new Screen("bar").play("down", 600, 1, { choose: true }).play("move", 400).play("up", 400);
    expect(screen.done()).toEqual([{ do: "choose", selection: [ms(400), ms(600)] }]);
  });

  it("are not made by a click with shift", () => {
    const screen = new Screen("bar").play("down", 600, 1, { choose: true }).play("up", 601);
    expect(screen.done()).toEqual([{ do: "seek", ms: ms(601) }]);
  });
});

describe("two fingers", () => {
  it("keep what is between them", () => {
    const screen = new Screen("bar").play("down", 400, 1).play("down", 600, 2);
    expect(screen.play("move", 360, 1).play("move", 660, 2).done()).toHaveLength(2);
    const { view } = screen.stage;
    expect(msAt(view, 1000, 360)).toBeCloseTo(ms(400), 2);
    expect(msAt(view, 1000, 660)).toBeCloseTo(ms(600), 2);
  });

  it("end a scrub without going there", () => {
    const screen = new Screen("bar").play("down", 400, 1).play("move", 420, 1).play("down", 600, 2);
    expect(screen.done()).toEqual([
      { do: "scrub", ms: ms(420) },
      { do: "scrub", ms: null },
    ]);
    expect(screen.hands.is).toBe("pinch");
  });

  it("move with the one that stays, and seek nothing", () => {
    const screen = new Screen("bar").play("down", 400, 1).play("down", 600, 2).play("up", 400, 1);
    screen.done();
    const before = msAt(screen.stage.view, 1000, 600);
    screen.play("move", 700, 2);
    expect(msAt(screen.stage.view, 1000, 700)).toBeCloseTo(before, 3);
    screen.play("up", 700, 2, { time: 9000 });
    expect(screen.done().some((deed) => deed.do === "seek")).toBe(false);
    expect(screen.hands).toBe(IDLE);
  });

  it("do not disturb who holds a limiter, and a third finger nobody", () => {
    const limiter = new Screen("begin").play("down", 5, 1).play("down", 600, 2);
    expect(limiter.hands.is).toBe("limit");
    const three = new Screen("bar").play("down", 400, 1).play("down", 600, 2).play("down", 800, 3).play("up", 800, 3);
    expect(three.hands.is).toBe("pinch");
  });

  it("may come so near that nothing can be divided by it", () => {
    const screen = new Screen("bar").play("down", 500, 1).play("down", 500, 2).play("move", 500, 1);
    const { begin, end } = screen.stage.view;
    expect([begin, end].every(Number.isFinite)).toBe(true);
  });
});
