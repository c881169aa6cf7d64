"""Patterns with stars."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.glob import glob

words = st.text("ab*", max_size=12)


@given(words, st.text("ab", max_size=30))
def test_it_is_what_the_regular_expression_would_say(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)
    assert glob(pattern)(text) == (expected is not None)


@pytest.mark.parametrize("pattern", ["*Mozilla*Chrome*Safari*", "*a*a*a*a*a*a*b*", "a*a*a*a*a*a*a*b*c"])
def test_each_character_is_looked_at_a_few_times_only(pattern: str) -> None:
    """Counted, not timed: `find` is asked once for each part at most, and goes on from where it was."""
    places: list[int] = []

    class Text(str):
        def find(self, part: str, at: int = 0, end: int | None = None) -> int:  # type: ignore[override]
            places.append(at)
            return super().find(part, at, end)

    assert not glob(pattern)(Text("a" + "MozillaChrome" * 1000 + "a" * 1000 + "c"))
    assert places == sorted(places) and 0 < len(places) <= pattern.count("*")
