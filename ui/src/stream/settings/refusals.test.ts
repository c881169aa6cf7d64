import { expect, it } from "vitest";

import { ApiError } from "../../api/http";
import { refusals } from "./refusals";

const refused = (code: string, title: string, source?: { pointer?: string; parameter?: string }) =>
  refusals(new ApiError(400, code, title, [{ status: "400", code, title, ...(source && { source }) }]));

it("what is said of a field stands beside it, without its place", () => {
  const told = refused("invalid_value", "dvr/root: expected an absolute path", { pointer: "/dvr/root" });
  expect(told.fields.get("/dvr/root")).toBe("Expected an absolute path.");
  expect(told.others).toEqual([]);
});

it("what is said of a part belongs to the nearest field", () => {
  expect(refused("invalid_value", "no", { pointer: "/inputs" }).fields.get("/inputs")).toBe("No.");
  expect(refused("invalid_value", "no", { pointer: "/dvr" }).fields.get("/dvr")).toBe("No.");
  expect(refused("invalid_value", "no", { pointer: "/dvr/schedule" }).fields.get("/dvr")).toBe("No.");
});

it("what is said of one input stands below that one", () => {
  const told = refused("invalid_value", "inputs/1/url: expected a URL", { pointer: "/inputs/1/url" });
  expect([...told.inputs]).toEqual([[1, "Expected a URL."]]);
  expect(told.fields.size + told.others.length).toBe(0);
});

it("a bad name is about the name, whether or not the server says so", () => {
  expect(refused("bad_stream_name", "no", { parameter: "name" }).fields.get("name")).toBe("No.");
  expect(refused("bad_stream_name", "a and b would record into each other").fields.has("name")).toBe(true);
});

it("the rest is said above", () => {
  expect(refused("unknown_field", "there is no bogus", { pointer: "/bogus" }).others).toEqual(["There is no bogus."]);
  expect(refusals(new ApiError(0, "unreachable", "the server can't be reached")).others).toHaveLength(1);
});
