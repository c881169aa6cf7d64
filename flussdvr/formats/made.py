# -*- test-case-name: tests.formats.test_made -*-
"""
Bytes that are made when they are wanted: their length is known before, and they are the same each time.

    Made  [ ....length.... ]          nothing is held but what it is made of
      slice(start, stop)              a part of it, as little
      data() -> bytes                 computed, from what is in memory or read again from `place`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flussdvr.errors import FormatError

__all__ = ["Made", "Making", "size_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """
    `make()` gives `whole` bytes; these are `[start, stop)` of them.

    `place`: the file (`body.file.BodyFile`) that has to be read for it, so that only a thread of its disk may make it;
    `None` where it is pure computing. `tag`: says what the bytes are without making them, where that is not empty.
    """

    make: Callable[[], bytes]
    whole: int
    start: int
    stop: int
    place: object | None = None
    tag: bytes = b""

    @classmethod
    def of(cls, make: Callable[[], bytes], length: int, place: object | None = None, tag: bytes = b"") -> Made:
        """All that `make` gives, which is `length` bytes."""
        return cls(make, length, 0, length, place, tag)

    def __len__(self) -> int:
        return self.stop - self.start

    def slice(self, start: int, stop: int) -> Made:
        return Made(self.make, self.whole, self.start + start, self.start + stop, self.place)

    def data(self) -> bytes:
        """Raises `FormatError` where they are not what they were to be; what `make` raises."""
        return Making().data(self)


class Making:
    """
    Whoever reads parts of what is made one after the other: what was made last is kept for the next part of it.

    In one thread at a time.
    """

    def __init__(self) -> None:
        self._last: tuple[Callable[[], bytes], bytes] | None = None

    def data(self, part: Made) -> bytes:
        """As `Made.data`."""
        if self._last is None or self._last[0] is not part.make:
            self._last = None
            made = part.make()
            if len(made) != part.whole:
                raise FormatError(f"{len(made)} bytes were made, not {part.whole}")
            self._last = part.make, made
        made = self._last[1]
        return made if len(part) == len(made) else made[part.start : part.stop]

    def forget(self) -> None:
        self._last = None


def size_of(parts: Sequence[bytes | Made]) -> int:
    """Bytes of all of them."""
    return sum(map(len, parts))
