# -*- test-case-name: tests.body.test_body -*-
"""
A body: what a response, an export or a stored picture consists of.

    Body = [ bytes | Made | Extent | Extent | bytes | Extent ... ]
                      |       `- (file, offset, length)
                      `- bytes that are computed when they are sent

Its length and any part of it are known without touching a disk; whoever sends it reads the extents. Nothing is
copied until then (as in Moonfire's slices.rs and kaltura's mp4_clipper.c).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from flussdvr.body.file import BodyFile
from flussdvr.formats.made import Made


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes at `offset` of a file."""

    file: BodyFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length

    def slice(self, start: int, stop: int) -> Extent:
        return Extent(self.file, self.offset + start, stop - start)


Part = bytes | Made | Extent


def file_of(part: Part) -> BodyFile | None:
    """The file that has to be read for a part; `None` for what is in memory or computed from that."""
    if isinstance(part, Extent):
        return part.file
    return part.place if isinstance(part, Made) and isinstance(part.place, BodyFile) else None


@dataclass(frozen=True)
class Body:
    """Bytes and extents in order, and what will be bytes. Empty parts are allowed; `len()` is the sum."""

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Body:
        """A body of the parts that are not empty, extents that touch made one."""
        kept: list[Part] = []
        for part in parts:
            last = kept[-1] if kept else None
            if isinstance(part, Extent) and isinstance(last, Extent) and _touches(last, part):
                kept[-1] = Extent(last.file, last.offset, last.length + part.length)
            elif len(part):
                kept.append(part)
        return cls(tuple(kept))

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(part) for part in self.parts))

    def __len__(self) -> int:
        return self._ends[-1] if self.parts else 0

    @property
    def held(self) -> int:
        """Bytes of memory that it takes while it is sent: those in it, and the largest of what is made."""
        largest = max((part.whole for part in self.parts if isinstance(part, Made)), default=0)
        return largest + sum(len(part) for part in self.parts if isinstance(part, bytes))

    def slice(self, start: int, stop: int) -> Body:
        """The bytes `[start, stop)` of it, like `bytes.__getitem__` for 0 <= start; O(log parts) + what is taken."""
        stop = min(stop, len(self))
        if start >= stop:
            return Body()
        first = bisect_right(self._ends, start)
        taken: list[Part] = []
        at = self._ends[first - 1] if first else 0
        for part in self.parts[first:]:
            if at >= stop:
                break
            begin, end = max(start - at, 0), min(stop - at, len(part))
            if begin < end:
                whole = begin == 0 and end == len(part)
                taken.append(part if whole else part[begin:end] if isinstance(part, bytes) else part.slice(begin, end))
            at += len(part)
        return Body(tuple(taken))


def _touches(last: Extent, part: Extent) -> bool:
    same = last.file is part.file or last.file == part.file
    return same and last.offset + last.length == part.offset
