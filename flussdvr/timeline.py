"""
The timeline: half-open intervals of UTC milliseconds, and normalised sets of them.

A recorded range, a lock, a gap and the window that a viewer asks for are all a `Range`; what is recorded of a
stream is a `RangeSet`. Plain integers: floats appear only where a playlist is written.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import overload

HOUR_MS = 3_600_000
MAX_MS = 253_402_300_800_000
"""The year 10000: the paths of blobs have years of four digits."""
MILLISECOND_DIGITS = 12
"""A number with this many digits or more is milliseconds, a shorter one is seconds."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """`[begin_ms, end_ms)`, UTC."""

    begin_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms < self.begin_ms:
            raise ValueError(f"range ends ({self.end_ms}) before it begins ({self.begin_ms})")

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.begin_ms

    def __bool__(self) -> bool:
        return self.end_ms > self.begin_ms

    def __contains__(self, utc_ms: int) -> bool:
        return self.begin_ms <= utc_ms < self.end_ms

    def overlaps(self, other: Range) -> bool:
        return self.begin_ms < other.end_ms and other.begin_ms < self.end_ms

    def intersection(self, other: Range) -> Range:
        """What both have; an empty range where there is nothing."""
        begin = max(self.begin_ms, other.begin_ms)
        return Range(begin, max(begin, min(self.end_ms, other.end_ms)))


class RangeSet(Sequence[Range]):
    """Ranges in order, none empty, none touching another."""

    __slots__ = ("_begins", "_ends")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        for item in ranges:
            self.add(item)

    def copy(self) -> RangeSet:
        """Another set of the same ranges; O(n), but fast."""
        result = RangeSet()
        result._begins, result._ends = self._begins[:], self._ends[:]
        return result

    def add(self, item: Range) -> None:
        """Include `item`; ranges that touch or overlap it become one."""
        if not item:
            return
        first = bisect_left(self._ends, item.begin_ms)
        last = bisect_right(self._begins, item.end_ms)
        if first < last:
            begin, end = min(item.begin_ms, self._begins[first]), max(item.end_ms, self._ends[last - 1])
        else:
            begin, end = item.begin_ms, item.end_ms
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]

    def subtract(self, item: Range) -> None:
        """Exclude `item`; a range that it cuts through becomes two."""
        if not item:
            return
        first = bisect_right(self._ends, item.begin_ms)
        last = bisect_left(self._begins, item.end_ms)
        if first >= last:
            return
        begins, ends = [], []
        if self._begins[first] < item.begin_ms:
            begins.append(self._begins[first])
            ends.append(item.begin_ms)
        if self._ends[last - 1] > item.end_ms:
            begins.append(item.end_ms)
            ends.append(self._ends[last - 1])
        self._begins[first:last] = begins
        self._ends[first:last] = ends

    def within(self, window: Range) -> RangeSet:
        """What of this set lies inside `window`."""
        first = bisect_right(self._ends, window.begin_ms)
        last = bisect_left(self._begins, window.end_ms)
        result = RangeSet()
        result._begins = [max(begin, window.begin_ms) for begin in self._begins[first:last]]
        result._ends = [min(end, window.end_ms) for end in self._ends[first:last]]
        return result

    def overlapping(self, window: Range) -> RangeSet:
        """The ranges of this set that overlap `window`, whole."""
        first = bisect_right(self._ends, window.begin_ms)
        last = bisect_left(self._begins, window.end_ms)
        result = RangeSet()
        result._begins, result._ends = self._begins[first:last], self._ends[first:last]
        return result

    def around(self, window: Range) -> RangeSet:
        """The ranges whose gaps can overlap `window`: from the last before it to the first after it."""
        first = bisect_right(self._begins, window.begin_ms) - 1
        last = bisect_left(self._ends, window.end_ms) + 1
        result = RangeSet()
        result._begins, result._ends = self._begins[max(0, first) : last], self._ends[max(0, first) : last]
        return result

    def joined(self, gap_ms: int) -> RangeSet:
        """The same set with every gap shorter than `gap_ms` filled."""
        result = RangeSet()
        kept = [at for at in range(1, len(self)) if self._begins[at] - self._ends[at - 1] >= gap_ms]
        result._begins = self._begins[:1] + [self._begins[at] for at in kept]
        result._ends = [self._ends[at - 1] for at in kept] + self._ends[-1:]
        return result

    def pairs(self) -> list[tuple[int, int]]:
        """(begin_ms, end_ms) of each."""
        return list(zip(self._begins, self._ends, strict=True))

    def gaps(self) -> RangeSet:
        """What lies between the ranges."""
        result = RangeSet()
        result._begins = self._ends[:-1]
        result._ends = self._begins[1:]
        return result

    @property
    def bounds(self) -> Range | None:
        """From the first beginning to the last end; `None` for an empty set."""
        return Range(self._begins[0], self._ends[-1]) if self._begins else None

    @property
    def duration_ms(self) -> int:
        return sum(self._ends) - sum(self._begins)

    def covers(self, item: Range) -> bool:
        """Whether every moment of `item` is in the set."""
        at = bisect_right(self._begins, item.begin_ms) - 1
        return not item or (at >= 0 and self._ends[at] >= item.end_ms)

    def __contains__(self, utc_ms: object) -> bool:
        if not isinstance(utc_ms, int):
            return False
        at = bisect_right(self._begins, utc_ms) - 1
        return at >= 0 and utc_ms < self._ends[at]

    @overload
    def __getitem__(self, key: int) -> Range: ...
    @overload
    def __getitem__(self, key: slice) -> list[Range]: ...
    def __getitem__(self, key: int | slice) -> Range | list[Range]:
        if isinstance(key, slice):
            return [Range(b, e) for b, e in zip(self._begins[key], self._ends[key], strict=True)]
        return Range(self._begins[key], self._ends[key])

    def __iter__(self) -> Iterator[Range]:
        return (Range(b, e) for b, e in zip(self._begins, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._begins)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._begins == other._begins and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RangeSet({list(self)!r})"


def to_ticks(utc_ms: int, timescale: int) -> int:
    """UTC milliseconds as ticks of a media timescale, rounded to the nearest."""
    return (utc_ms * timescale + 500) // 1000


def to_ms(ticks: int, timescale: int) -> int:
    """Ticks of a media timescale as milliseconds, rounded down (a moment belongs to the ms that it is in)."""
    return ticks * 1000 // timescale


def utc_datetime(utc_ms: int) -> datetime:
    """`utc_ms` as an aware datetime, exact to the millisecond."""
    return datetime.fromtimestamp(utc_ms // 1000, UTC).replace(microsecond=utc_ms % 1000 * 1000)
