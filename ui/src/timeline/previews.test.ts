import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { isFilm, Previews } from "./previews";

/** Pictures that take `ms`. */
function pictures(ms: number, bad: readonly string[] = []) {
  const started: string[] = [];
  const shown: (string | null)[] = [];
  let atOnce = 0;
  let most = 0;
  const load = async (url: string): Promise<void> => {
    started.push(url);
    most = Math.max(most, (atOnce += 1));
    await new Promise((done) => setTimeout(done, ms));
    atOnce -= 1;
    if (bad.includes(url)) throw new Error("403");
  };
  const previews = new Previews(load, (url) => shown.push(url));
  return { previews, started, shown, most: () => most };
}

describe("previews", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("load only the newest wish, one at a time", async () => {
    const { previews, started, shown, most } = pictures(500);
    for (let i = 0; i < 50; i += 1) {
      previews.want(`/${i}`);
      await vi.advanceTimersByTimeAsync(5);
    }
    await vi.advanceTimersByTimeAsync(2000);
    expect(started).toEqual(["/0", "/49"]);
    expect(shown).toEqual(["/0", "/49"]);
    expect(most()).toBe(1);
  });

  it("load no more than about six a second", async () => {
    const { previews, started } = pictures(1);
    for (let i = 0; i < 100; i += 1) {
      previews.want(`/${i}`);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(started.length).toBeGreaterThan(4);
    expect(started.length).toBeLessThanOrEqual(7);
  });

  it("are not loaded again", async () => {
    const { previews, started, shown } = pictures(1, ["/bad"]);
    for (const url of ["/a", "/bad", "/a", "/bad"]) {
      previews.want(url);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(started).toEqual(["/a", "/bad"]);
    expect(shown).toEqual(["/a", null, "/a", null]);
  });

  it("are not loaded after the end", async () => {
    const { previews, started } = pictures(100);
    previews.want("/a");
    previews.want("/b");
    previews.stop();
    await vi.advanceTimersByTimeAsync(1000);
    expect(started).toEqual(["/a"]);
  });
});

it("tells films from pictures by their address", () => {
  expect(isFilm("/ort/1795194000-preview.mp4")).toBe(true);
  expect(isFilm("/ort.mp4/1795194000-preview.jpg?width=160")).toBe(false);
});
