import { describe, expect, it } from "vitest";

import type { Stream } from "../../api/types";
import { changes, isSame, newInput, toDraft } from "./draft";

const STREAM: Partial<Stream> = {
  title: "News",
  inputs: [{ url: "udp://239.0.0.1:1", priority: 1, user_agent: "x", stats: {} } as never, { url: "publish://" }],
  dvr: { root: "/storage", reference: "main", expiration: 604_800, disk_usage_limit: 90 },
  thumbnails: { enabled: true },
  segment_duration: 2500,
};
const before = toDraft(STREAM, { reference: "main", expiration: 604_800 });

describe("a draft", () => {
  it("shows what holds, and of a storage's recording what the stream itself says", () => {
    expect(before).toMatchObject({
      title: "News",
      recorded: "reference",
      reference: "main",
      expiration: { text: "7", unit: 86_400 },
      diskUsage: { text: "" },
      thumbnails: "on",
      segment: { text: "2.5" },
    });
  });

  it("that is not changed has nothing to send", () => {
    expect(changes(before, { ...before })).toEqual({});
    expect(isSame(before, { ...before, expiration: { text: "168", unit: 3600 } })).toBe(true);
  });
});

describe("changes", () => {
  const of = (change: Partial<typeof before>) => changes(before, { ...before, ...change });

  it("are only what was changed; emptied is unset", () => {
    expect(of({ title: "Other" })).toEqual({ title: "Other" });
    expect(of({ title: " " })).toEqual({ title: null });
    expect(of({ disabled: true, password: "p" })).toEqual({ disabled: true, password: "p" });
    expect(of({ segment: { text: "4", unit: 1000 } })).toEqual({ segment_duration: 4000 });
  });

  it("of inputs are all of them, in their order, with options that have no field", () => {
    const [first, second] = before.inputs;
    expect(of({ inputs: [second!, first!, newInput(" fake:// ")] }).inputs).toEqual([
      { url: "publish://", priority: 1 },
      { url: "udp://239.0.0.1:1", priority: 2, user_agent: "x" },
      { url: "fake://", priority: 3 },
    ]);
  });

  it("of a recording name its place", () => {
    expect(of({ expiration: { text: "", unit: 3600 } }).dvr).toEqual({ reference: "main", expiration: null });
    expect(of({ storageLimit: { text: "0", unit: 1 } }).dvr).toEqual({ reference: "main", storage_limit: 0 });
    expect(of({ recorded: "off" }).dvr).toBe(false);
  });

  it("to another place take the limits along", () => {
    expect(of({ recorded: "root", root: "/other" }).dvr).toEqual({ root: "/other", expiration: 604_800 });
    expect(of({ reference: "cold" }).dvr).toEqual({ reference: "cold", expiration: 604_800 });
  });

  it("of pictures are a word or no", () => {
    expect(of({ thumbnails: "ondemand" }).thumbnails).toEqual({ enabled: "ondemand" });
    expect(of({ thumbnails: "off" }).thumbnails).toBe(false);
    expect(changes({ ...before, thumbnails: "off" }, before).thumbnails).toEqual({ enabled: true });
  });

  it("that are no numbers go to the server as they are", () => {
    expect(of({ expiration: { text: "soon", unit: 60 } }).dvr).toEqual({ reference: "main", expiration: "soon" });
  });
});
