import { expect, it } from "vitest";

import { readWish, spellWish } from "./wish";

it("says a moment and what is chosen, and reads it again", () => {
  const wish = { at: 1_795_194_000_040, chosen: [1_795_194_000_000, 1_795_194_010_500] as const };
  expect(spellWish(wish)).toEqual({ at: "1795194000.04", from: "1795194000", to: "1795194010.5" });
  expect(readWish(new URLSearchParams(spellWish(wish)))).toEqual(wish);
});

it("wishes nothing where nothing sensible is said", () => {
  for (const query of ["", "at=now", "at=-5", "at=1e9", "from=10&to=5", "from=10", "from=x&to=5"]) {
    expect(readWish(new URLSearchParams(query))).toEqual({ at: null, chosen: null });
  }
  expect(spellWish({ at: null, chosen: null })).toEqual({});
});
