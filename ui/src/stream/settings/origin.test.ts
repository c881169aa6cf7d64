import { expect, it } from "vitest";

import { inFile, originOf, ownDvr } from "./origin";

it("a stream is of the file, of the API, or only recordings", () => {
  expect(originOf({ name: "a", title: "A" }, { name: "a", title: "B" })).toEqual({ kind: "file", changed: ["title"] });
  expect(originOf({ name: "a" }, { name: "a", inputs: [] })).toEqual({ kind: "api" });
  expect(originOf({ name: "a" }, { name: "a" })).toEqual({ kind: "recordings" });
});

it("its own words about recording are those of the API over the file's", () => {
  const disk = { dvr: { reference: "main", expiration: 60 } };
  expect(ownDvr(disk, {})).toEqual({ reference: "main", expiration: 60 });
  expect(ownDvr(disk, { dvr: { expiration: null, storage_limit: 5 } })).toEqual({
    reference: "main",
    storage_limit: 5,
  });
  expect(ownDvr(disk, { dvr: { $reset: true, root: "/x" } })).toMatchObject({ root: "/x" });
  expect(ownDvr(disk, { dvr: false })).toEqual({ reference: "main", expiration: 60 });
});

it("what the file says is told in words", () => {
  const disk = { dvr: { reference: "main", expiration: 172_800 }, segment_duration: 2000 };
  expect(inFile("dvr", disk)).toBe("@main, 2 days");
  expect(inFile("segment_duration", disk)).toBe("2 s");
  expect(inFile("title", disk)).toBe("nothing");
});
