import { expect, it } from "vitest";

import { rtmpAddress, type Listener } from "./server";

const by = (...rtmp: Listener[]) => rtmpAddress({ http: [], https: [], rtmp }, "dvr.example", "cams/gate");

it("says the port that encoders have to use", () => {
  expect(by({ port: 1935, address: null })).toBe("rtmp://dvr.example/live/cams/gate");
  expect(by({ port: 11935, address: "0.0.0.0" })).toBe("rtmp://dvr.example:11935/live/cams/gate");
  expect(by({ port: 1936, address: null }, { port: 1935, address: null })).toBe(
    "rtmp://dvr.example:1936/live/cams/gate",
  );
});

it("says the address of a listener that has one", () => {
  expect(by({ port: 1935, address: "127.0.0.1" })).toBe("rtmp://127.0.0.1/live/cams/gate");
  expect(by({ port: 1935, address: "fd00::1" })).toBe("rtmp://[fd00::1]/live/cams/gate");
});

it("promises nothing where there is no RTMP", () => {
  expect(by()).toBeNull();
});
