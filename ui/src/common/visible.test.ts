import { expect, it } from "vitest";

import { visible } from "./visible";

it("marks that turn or hide text are spelled out", () => {
  expect(visible("\u202Eevil")).toBe("[U+202E]evil");
  expect(visible("a\u200Bb\u0007")).toBe("a[U+200B]b[U+0007]");
});

it("letters of any script stay as they are, joiners too", () => {
  for (const name of ["قناة", "ערוץ-1", "नमस्ते", "می\u200cخواهم"]) expect(visible(name)).toBe(name);
});
