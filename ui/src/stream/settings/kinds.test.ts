import { describe, expect, it } from "vitest";

import { hintOf, kindsOf } from "./kinds";

const KINDS = [
  { kind: "udp", schemes: ["udp", "rtp"], example: "udp://239.0.0.1:1234", description: "MPEG-TS in UDP" },
  { kind: "publish", schemes: ["publish"], example: "publish://", description: "what is published" },
  { kind: "file", schemes: ["file"], example: "file:///path", description: "a file" },
];

describe("kinds of inputs", () => {
  it("are those of the schema that have a URL to type", () => {
    expect(kindsOf({ components: { schemas: { input: { "x-kinds": KINDS } } } }).map(({ kind }) => kind)).toEqual([
      "udp",
      "file",
    ]);
    expect(kindsOf({})).toEqual([]);
  });

  it("are named by their schemes", () => {
    expect(hintOf(kindsOf({ components: { schemas: { input: { "x-kinds": KINDS } } } }))).toBe(
      "Kinds: udp, rtp, file. The first that works is taken.",
    );
    expect(hintOf([])).toBe("The first that works is taken.");
  });
});
