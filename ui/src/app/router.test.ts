// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";

import { address, readPlace } from "./router";

describe("places", () => {
  it("are the streams where nothing is said", () => {
    expect(readPlace("").path).toEqual(["streams"]);
    expect(readPlace("#/").path).toEqual(["streams"]);
  });

  it("have names with slashes and marks", () => {
    for (const name of ["a/b", "<script>", "100%", "ä ü", "?#&="]) {
      const read = readPlace(address(["streams", name], { at: "5" }));
      expect(read.path).toEqual(["streams", name]);
      expect(read.query.get("at")).toBe("5");
    }
  });

  it("survive what is no encoding", () => {
    expect(readPlace("#/streams/%E0%A4%A").path).toEqual(["streams", "%E0%A4%A"]);
  });
});
