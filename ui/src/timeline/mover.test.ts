// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Mover } from "./mover";
import { around, isAtNow, move, spanOf, upToNow, type View } from "./view";

const T = Date.parse("2026-11-21T14:00:00Z");
const HOUR = 3_600_000;

function set(shown: View = upToNow(T, HOUR)) {
  const view = signal(shown);
  const now = signal(T);
  const mover = new Mover(view, now, () => T - 100 * HOUR);
  /** The clock goes on. */
  const tick = (ms: number): void => {
    const before = now.value;
    now.value += ms;
    mover.slide(before);
  };
  return { view, now, mover, tick };
}

describe("a view that follows the present", () => {
  beforeEach(() => void vi.stubGlobal("matchMedia", () => ({ matches: true })));
  afterEach(() => void vi.unstubAllGlobals());

  it("slides with the clock", () => {
    const { view, tick } = set();
    tick(250);
    tick(2000);
    expect(view.value).toEqual(move(upToNow(T, HOUR), 2250));
  });

  it("stands still as soon as somebody moves it away, however little", () => {
    const { view, mover, tick } = set();
    mover.set(move(view.value, -1000));
    expect(mover.following.value).toBe(false);
    const left = view.value;
    tick(1000);
    expect(view.value).toBe(left);
  });

  it("goes on when it is moved back, or put there by others", () => {
    const { view, mover, tick, now } = set(around(T - 50 * HOUR, HOUR));
    expect(mover.following.value).toBe(false);
    mover.glide(upToNow(T, HOUR));
    expect(mover.following.value).toBe(true);
    view.value = around(T - 50 * HOUR, HOUR);
    tick(1000);
    expect(view.value).toEqual(around(T - 50 * HOUR, HOUR));
    view.value = upToNow(now.value, HOUR);
    tick(1000);
    expect(isAtNow(view.value, now.value)).toBe(true);
    expect(mover.following.value).toBe(true);
  });

  it("keeps to the archive", () => {
    const { view, mover } = set();
    mover.set(move(view.value, -1000 * HOUR));
    expect(view.value.begin).toBe(T - 100 * HOUR - HOUR / 10);
  });
});

describe("the playhead", () => {
  beforeEach(() => void vi.stubGlobal("matchMedia", () => ({ matches: true })));
  afterEach(() => void vi.unstubAllGlobals());

  const shown = around(T - 50 * HOUR, HOUR);

  it("is gone after when it jumps out of sight", () => {
    const { view, mover } = set(shown);
    mover.attend(T - 50 * HOUR, T - 20 * HOUR);
    expect(view.value).toEqual(around(T - 20 * HOUR, HOUR));
  });

  it("turns the page when it plays over its end", () => {
    const { view, mover } = set(shown);
    mover.attend(shown.end - 100, shown.end + 100);
    expect((shown.end + 100 - view.value.begin) / spanOf(view.value)).toBeCloseTo(0.1, 6);
  });

  it("is let go by who looks elsewhere", () => {
    const { view, mover } = set(shown);
    mover.attend(T - 20 * HOUR, T - 20 * HOUR + 200);
    expect(view.value).toBe(shown);
  });
});
