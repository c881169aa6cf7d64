import { effect } from "@preact/signals";
import { expect, it } from "vitest";

import type { Stream } from "../api/types";
import { rowOf, rows, take } from "./list";

const stream = (name: string, bitrate = 1): Stream => ({
  name,
  named_by: "config",
  stats: {
    alive: true,
    running: true,
    status: "running",
    online_clients: 0,
    bytes_in: 0,
    bytes_out: 0,
    bitrate,
    dvr_enabled: true,
  },
});

it("a row changes only when its stream does", () => {
  take([stream("a"), stream("b")]);
  const drawn: string[] = [];
  const end = effect(() => void drawn.push(`a ${rowOf("a").value.bitrate}`));
  take([stream("a"), stream("b", 2)]);
  take([stream("a", 3), stream("b", 2)]);
  end();
  expect(drawn).toEqual(["a 1", "a 3"]);
});

it("what is gone from the server is gone from the list", () => {
  take([stream("a"), stream("b")]);
  take([stream("b")]);
  expect(rows.value?.map(({ name }) => name)).toEqual(["b"]);
  expect(() => rowOf("a")).toThrow(RangeError);
});
