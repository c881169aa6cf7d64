import { describe, expect, it } from "vitest";

import { playlistOf, reelAround, seconds } from "./reel";

const NOW = 1_795_194_000_000;
const HOUR = 3_600_000;

describe("reels", () => {
  it("reach an hour back and four ahead", () => {
    expect(reelAround(NOW - 100 * HOUR, NOW)).toEqual({ begin: NOW - 101 * HOUR, end: NOW - 96 * HOUR, grows: false });
  });

  it("grow where they reach the present", () => {
    expect(reelAround(NOW - 3 * HOUR, NOW).grows).toBe(true);
    expect(reelAround(NOW - 5 * HOUR, NOW).grows).toBe(false);
  });

  it("do not begin before the epoch", () => {
    expect(reelAround(5, NOW).begin).toBe(0);
  });
});

describe("playlists", () => {
  it("are of live, of a window, and of what grows", () => {
    expect(playlistOf("a b/c", null)).toBe("/a%20b/c/index.m3u8");
    expect(playlistOf("ort", { begin: NOW, end: NOW + HOUR, grows: false })).toBe("/ort/index-1795194000-3600.m3u8");
    expect(playlistOf("ort", { begin: NOW + 40, end: 0, grows: true }, "a&b")).toBe(
      "/ort/index-1795194000.04-now.m3u8?token=a%26b",
    );
  });

  it("have seconds without needless digits", () => {
    expect(seconds(1500)).toBe("1.5");
    expect(seconds(10_000)).toBe("10");
    expect(seconds(0)).toBe("0");
  });
});
