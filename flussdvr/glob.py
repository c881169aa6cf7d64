"""
Patterns in which `*` is any text, also none, and everything else is itself.

Matching takes time in proportion to the text, whatever the pattern: operators write the patterns, strangers the texts
(`User-Agent`). As regular expressions, three stars took seconds of the reactor for a header of 11 kB.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache


@lru_cache(1000)
def glob(pattern: str) -> Callable[[str], bool]:
    """Whether the whole of a text is what `pattern` says."""
    first, *middle = pattern.split("*")
    if not middle:
        return lambda text: text == pattern
    last = middle.pop()
    least = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:  # the earliest place leaves most for those that follow
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return matches
