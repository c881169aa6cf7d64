"""
The sample table of a progressive MP4: one box per column, written from one piece of the column after the other.

    stsd stts [ctts] [stss] stsc stsz co64

A box is a list in order: bytes, and what is made of packed columns when it is sent (`Made`), so that nothing large is
held twice or joined. `co64` comes last: with it at the end of its track, chunk offsets are filled in once the head's
size is known.  ISO/IEC 14496-12 §8.6-8.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flussdvr.errors import FormatError
from flussdvr.formats.made import Made, size_of
from flussdvr.formats.mp4.boxes import HEADER, U32
from flussdvr.formats.mp4.packed import Ascending, Packed
from flussdvr.formats.mp4.sample_table import Ints

__all__ = [
    "MAX_DELTA",
    "Brief",
    "Origin",
    "Part",
    "Runs",
    "SomeRuns",
    "SomeSizes",
    "co64_header",
    "ctts",
    "made",
    "nested",
    "stsc",
    "stss",
    "stsz",
    "stts",
]

MAX_DELTA = 0xFFFF_FFFF
ROWS = 1 << 18
"""Of a table, made at once: more than an hour of sound has."""
FEW_BYTES = 1 << 10
"""So few are made at once, whenever they are wanted."""

Part = bytes | Made


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column is read again that is not held: `place` is the file, `tag` says what the column is."""

    place: object | None
    tag: bytes


@dataclass(frozen=True, slots=True)
class Runs:
    """A column whose values repeat: `counts[i]` times `values[i]`."""

    counts: Packed
    values: Packed

    @classmethod
    def of(cls, column: NDArray[Any]) -> Runs:
        begins = np.flatnonzero(column[1:] != column[:-1]) + 1
        begins = np.append(0, begins) if len(column) else begins
        return cls(Packed.of(np.diff(begins, append=len(column))), Packed.of(column[begins]))

    def __len__(self) -> int:
        """How many runs."""
        return len(self.counts)

    @property
    def nbytes(self) -> int:
        return self.counts.nbytes + self.values.nbytes

    def column(self) -> Ints:
        return np.repeat(self.values.column(), self.counts.column())

    def tag(self) -> bytes:
        """Says what the column is."""
        return self.counts.tag() + self.values.tag()


@dataclass(frozen=True, slots=True)
class Brief:
    """What of `Runs` has to be known while they are not held: how many, the first and the last, least and greatest."""

    count: int
    first: int
    first_count: int
    last: int
    bounds: tuple[int, int]

    @classmethod
    def of(cls, runs: Runs) -> Brief:
        if not len(runs):
            return cls(0, 0, 0, 0, (0, 0))
        return cls(len(runs), runs.values.at(0), runs.counts.at(0), runs.values.at(-1), runs.values.bounds)


@dataclass(frozen=True, slots=True)
class SomeRuns:
    """`get()` gives runs of which `brief` is known; all values are `shift` more. `origin`: where they are not held."""

    get: Callable[[], Runs]
    brief: Brief
    origin: Origin | None = None
    shift: int = 0

    @classmethod
    def of(cls, runs: Runs) -> SomeRuns:
        return cls(lambda: runs, Brief.of(runs))


@dataclass(frozen=True, slots=True)
class SomeSizes:
    """`get()` gives `count` sizes; those of the samples that `numbers` names are `more`. `origin` as in `SomeRuns`."""

    get: Callable[[], Packed]
    count: int
    numbers: Ascending
    more: int
    origin: Origin | None = None


def made(make: Callable[[], bytes], length: int, origin: Origin | None = None, *facts: int) -> Part:
    """
    What `make` gives: at once where it is little and held. `facts`: what its bytes depend on beside what `origin` says.
    """
    if origin is not None and length:
        return Made.of(make, length, origin.place, origin.tag + repr(facts).encode())
    return Made.of(make, length) if length > FEW_BYTES else make() if length else b""


def nested(kind: bytes, pieces: Sequence[Part], room: int = 0) -> list[Part]:
    """A box around `pieces`; `room`: bytes that will be put in between."""
    return [HEADER.pack(8 + size_of(pieces) + room, kind), *pieces]


def stts(steps: Iterable[SomeRuns]) -> list[Part]:
    """Decode time to sample; no step may be more than `MAX_DELTA`."""
    return _table(b"stts", 8, _rows(steps))


def ctts(offsets: Iterable[SomeRuns]) -> list[Part]:
    """Composition offsets, none negative; nothing where all are 0. Raises `FormatError` for one beyond 32 bits."""
    pieces = list(offsets)
    written = _rows(pieces)
    used = any(bound + one.shift for one in pieces if one.brief.count for bound in one.brief.bounds)
    return _table(b"ctts", 8, written) if used else []


def stss(sync: Iterable[tuple[Ascending, int]]) -> list[Part]:
    """Sync samples: numbers of them in each piece, and how many samples that has; nothing where all are."""
    pieces: list[Part] = []
    base = found = 0
    for numbers, count in sync:
        pieces.append(made(_number_writer(numbers, base + 1), 4 * len(numbers)))
        base, found = base + count, found + len(numbers)
    return [] if found == base else _table(b"stss", 4, pieces)


def stsz(sizes: Iterable[SomeSizes]) -> list[Part]:
    """Sample sizes."""
    pieces: list[Part] = []
    for one in sizes:
        for begin in range(0, one.count, ROWS):
            stop = min(begin + ROWS, one.count)
            pieces.append(made(_size_writer(one, begin, stop), 4 * (stop - begin), one.origin, begin, stop, one.more))
    return _full(b"stsz", bytes(4) + U32.pack(size_of(pieces) // 4), pieces)


def stsc(chunks: Iterable[tuple[Runs, int]]) -> list[Part]:
    """Samples per chunk, and which sample entry they have, for every piece."""
    pieces: list[Part] = []
    base = 0
    last = (-1, -1)
    for runs, description in chunks:
        skipped = int((runs.values.at(0), description) == last)
        pieces.append(made(_chunk_writer(runs, description, base, skipped), 12 * (len(runs) - skipped)))
        base += int(runs.counts.column().sum())
        last = runs.values.at(-1), description
    return _table(b"stsc", 12, pieces)


def co64_header(count: int) -> bytes:
    """`co64` without the offsets that come in it."""
    return HEADER.pack(16 + 8 * count, b"co64") + bytes(4) + U32.pack(count)


def _rows(pieces: Iterable[SomeRuns]) -> list[Part]:
    """Rows of count and value; a run that goes on in the next piece stands where it begins."""
    taken: list[_Taken] = []
    value = -1
    for runs in pieces:
        brief, shift = runs.brief, runs.shift
        if not brief.count:
            continue
        if brief.bounds[0] + shift < 0 or brief.bounds[1] + shift > MAX_DELTA:
            raise FormatError("a time in the index does not fit in 32 bits")
        goes_on = brief.first + shift == value
        if goes_on:
            taken[-1].more += brief.first_count
        if brief.count > goes_on:
            taken.append(_Taken(runs, int(goes_on)))
        value = brief.last + shift
    return [part for one in taken for part in one.rows()]


@dataclass(slots=True)
class _Taken:
    """Runs without the first `skipped`; the last one has `more`."""

    runs: SomeRuns
    skipped: int
    more: int = 0

    def rows(self) -> Iterator[Part]:
        count = self.runs.brief.count
        for begin in range(self.skipped, count, ROWS):
            stop = min(begin + ROWS, count)
            more = self.more if stop == count else 0
            facts = begin, stop, more, self.runs.shift
            yield made(self._writer(begin, stop, more), 8 * (stop - begin), self.runs.origin, *facts)

    def _writer(self, begin: int, stop: int, more: int) -> Callable[[], bytes]:
        def write() -> bytes:
            runs = self.runs.get()
            rows = np.empty((stop - begin, 2), ">u4")
            rows[:, 0] = runs.counts[begin:stop].column()
            rows[:, 1] = runs.values[begin:stop].column() + self.runs.shift
            rows[-1, 0] += more
            return rows.tobytes()

        return write


def _number_writer(numbers: Ascending, base: int) -> Callable[[], bytes]:
    return lambda: (numbers.column() + base).astype(">u4").tobytes()


def _size_writer(sizes: SomeSizes, begin: int, stop: int) -> Callable[[], bytes]:
    def write() -> bytes:
        column = sizes.get()[begin:stop].column()
        if sizes.more:
            own = sizes.numbers.column() - begin
            column[own[(own >= 0) & (own < len(column))]] += sizes.more
        return column.astype(">u4").tobytes()

    return write


def _chunk_writer(runs: Runs, description: int, base: int, skipped: int) -> Callable[[], bytes]:
    def write() -> bytes:
        counts = runs.counts.column()
        rows = np.empty((len(runs), 3), ">u4")
        rows[:, 0], rows[:, 1], rows[:, 2] = np.cumsum(counts) - counts + base + 1, runs.values.column(), description
        return rows[skipped:].tobytes()

    return write


def _table(kind: bytes, width: int, pieces: Sequence[Part]) -> list[Part]:
    """A full box of an entry count and rows of `width` bytes."""
    return _full(kind, U32.pack(size_of(pieces) // width), pieces)


def _full(kind: bytes, head: bytes, pieces: Sequence[Part]) -> list[Part]:
    return nested(kind, [bytes(4) + head, *pieces])
