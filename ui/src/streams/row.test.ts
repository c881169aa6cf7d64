import { describe, expect, it } from "vitest";

import type { Stream, StreamStats } from "../api/types";
import { codecs, sameRow, toRow } from "./row";

const STATS: StreamStats = {
  alive: true,
  running: true,
  status: "running",
  online_clients: 2,
  bytes_in: 0,
  bytes_out: 0,
  bitrate: 502,
  opened_at: 5,
  dvr_enabled: true,
  dvr_info: { from: 1, depth: 3600, duration: 3000, bytes: 7 },
  media_info: { tracks: [{ id: "v1", content: "video", codec: "h264", width: 640, height: 360 }] },
};

const stream = (stats: Partial<StreamStats> = {}, more: Partial<Stream> = {}): Stream => ({
  name: "ort",
  named_by: "config",
  stats: { ...STATS, ...stats },
  ...more,
});

describe("a stream's state", () => {
  const state = (stats: Partial<StreamStats>, more: Partial<Stream> = {}) => {
    const { state, reason } = toRow(stream(stats, more));
    return reason === "" ? state : `${state}: ${reason}`;
  };

  it("is recording or running while it is alive", () => {
    expect(state({})).toBe("recording");
    expect(state({ dvr_enabled: false })).toBe("running");
  });

  it("is waiting, or an error with its reason", () => {
    expect(state({ alive: false, status: "waiting" })).toBe("waiting");
    expect(state({ alive: false, status: "error", error: "refused" })).toBe("error: refused");
  });

  it("is an error where what comes in can't be written", () => {
    expect(state({ dvr_write: { segments_failed: 3, error: "no_space" } })).toBe("error: not recorded: no space");
  });

  it("is off where nothing runs", () => {
    expect(state({ running: false }, { disabled: true })).toBe("off: switched off");
    expect(state({ running: false }, { named_by: "user" })).toBe("off: only recordings are left");
  });
});

describe("a stream's picture", () => {
  it("is a JPEG where the server may make one, else a key frame that browsers can show", () => {
    expect(toRow(stream({}, { thumbnails: { enabled: "ondemand" } })).picture).toBe("jpg");
    expect(toRow(stream()).picture).toBe("mp4");
    expect(
      toRow(stream({ media_info: { tracks: [{ id: "v1", content: "video", codec: "hevc" }] } })).picture,
    ).toBeNull();
    expect(toRow(stream({ alive: false })).picture).toBeNull();
  });
});

it("tracks of a kind are counted", () => {
  const aac = { id: "a", content: "audio", codec: "aac" };
  const video = { id: "v1", content: "video", codec: "h264", width: 1280, height: 720 };
  expect(codecs([video, aac])).toBe("H.264 1280×720 · AAC");
  expect(codecs([aac, aac])).toBe("2 AAC");
});

it("rows are the same by what they show", () => {
  expect(sameRow(toRow(stream()), toRow(stream()))).toBe(true);
  expect(sameRow(toRow(stream()), toRow(stream({ bitrate: 1 })))).toBe(false);
});
