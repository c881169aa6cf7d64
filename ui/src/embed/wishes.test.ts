import { describe, expect, it } from "vitest";

import { nameOf, readWishes } from "./wishes";

const NOW = 1_795_194_000_000;
const wishes = (search: string, path = "/ort/embed.html") => readWishes(path, search, NOW);

describe("what an embedding page wants", () => {
  it("is a player of live where nothing is said", () => {
    expect(wishes("")).toEqual({
      streams: ["ort"],
      token: undefined,
      dvr: false,
      autoplay: true,
      mute: false,
      volume: 1,
      zone: "local",
      exportLimitMs: 86_400_000,
      playDurationMs: null,
      from: null,
      to: null,
    });
  });

  it("is a name with slashes and marks", () => {
    expect(nameOf("/sport/arena/embed.html")).toBe("sport/arena");
    expect(nameOf("/a%20b%3Cscript%3E/embed.html")).toBe("a b<script>");
    expect(nameOf("/%E0%A4/embed.html")).toBe("%E0%A4");
  });

  it("is read in the ways people write it", () => {
    expect(wishes("?dvr=1&autoplay=false&mute=TRUE&localtime=0")).toMatchObject({
      ...{ dvr: true, autoplay: false, mute: true, zone: "utc" },
    });
    expect(wishes("?volume=40").volume).toBe(0.4);
    expect(wishes("?volume=0.4").volume).toBe(0.4);
    expect(wishes("?streams=a,ort,b,a").streams).toEqual(["ort", "a", "b"]);
    expect(wishes("?token=a%26b").token).toBe("a&b");
  });

  it("has moments in seconds", () => {
    expect(wishes("?from=1795190000&to=1795190060.5")).toMatchObject({
      from: 1_795_190_000_000,
      to: 1_795_190_060_500,
    });
    expect(wishes("?ago=60").from).toBe(NOW - 60_000);
    expect(wishes("?export_limit=600&play_duration=30")).toMatchObject({
      exportLimitMs: 600_000,
      playDurationMs: 30_000,
    });
  });

  it("takes no harm from nonsense", () => {
    expect(wishes("?volume=loud&from=yesterday&ago=-5&export_limit=&proto=webrtc&realtime=true")).toEqual(wishes(""));
  });
});
