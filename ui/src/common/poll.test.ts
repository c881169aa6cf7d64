// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../api/http";
import { poll } from "./poll";

describe("poll", () => {
  let hidden = false;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
    hidden = false;
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("does it at once, and again after it was done", async () => {
    let finish = () => {};
    const work = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const end = poll(work, 100);
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(work).toHaveBeenCalledTimes(1);
    finish();
    await vi.advanceTimersByTimeAsync(100);
    expect(work).toHaveBeenCalledTimes(2);
    finish();
    end();
    await vi.advanceTimersByTimeAsync(1000);
    expect(work).toHaveBeenCalledTimes(2);
  });

  it("rests while nobody looks, and goes on at once", async () => {
    const work = vi.fn(async () => {});
    const end = poll(work, 100);
    await vi.advanceTimersByTimeAsync(50);
    hidden = true;
    await vi.advanceTimersByTimeAsync(500);
    expect(work).toHaveBeenCalledTimes(1);
    hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    expect(work).toHaveBeenCalledTimes(2);
    end();
  });

  it("outlives a refusal", async () => {
    const work = vi.fn(async () => {
      throw new ApiError(503, "busy", "later");
    });
    const end = poll(work, 100);
    await vi.advanceTimersByTimeAsync(150);
    expect(work).toHaveBeenCalledTimes(2);
    end();
  });
});
