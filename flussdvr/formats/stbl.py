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
from flussdvr.formats.boxes import HEADER, U32
from flussdvr.formats.made import Made, size_of
from flussdvr.formats.packed import Ascending, Packed
from flussdvr.formats.sample_table import Ints

__all__ = ["MAX_DELTA", "Part", "Runs", "co64_header", "ctts", "made", "nested", "stsc", "stss", "stsz", "stts"]

MAX_DELTA = 0xFFFF_FFFF
ROWS = 1 << 16
"""Of a table, made at once."""
FEW_BYTES = 1 << 10
"""So few are made at once, whenever they are wanted."""

Part = bytes | Made


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

    def plus(self, shift: int) -> Runs:
        return Runs(self.counts, self.values.plus(shift))


def made(make: Callable[[], bytes], length: int) -> Part:
    """What `make` gives: at once where it is little."""
    return Made.of(make, length) if length > FEW_BYTES else make()


def nested(kind: bytes, pieces: Sequence[Part], room: int = 0) -> list[Part]:
    """A box around `pieces`; `room`: bytes that will be put in between."""
    return [HEADER.pack(8 + size_of(pieces) + room, kind), *pieces]


def stts(steps: Iterable[Runs]) -> list[Part]:
    """Decode time to sample; no step may be more than `MAX_DELTA`."""
    return _table(b"stts", 8, _rows(steps))


def ctts(offsets: Iterable[Runs]) -> list[Part]:
    """Composition offsets, none negative; nothing where all are 0. Raises `FormatError` for one beyond 32 bits."""
    pieces = list(offsets)
    written = _rows(pieces)
    return _table(b"ctts", 8, written) if any(one.values.bounds != (0, 0) for one in pieces if len(one)) else []


def stss(sync: Iterable[tuple[Ascending, int]]) -> list[Part]:
    """Sync samples: numbers of them in each piece, and how many samples that has; nothing where all are."""
    pieces: list[Part] = []
    base = found = 0
    for numbers, count in sync:
        pieces.append(made(_number_writer(numbers, base + 1), 4 * len(numbers)))
        base, found = base + count, found + len(numbers)
    return [] if found == base else _table(b"stss", 4, pieces)


def stsz(sizes: Iterable[tuple[Packed, Ascending, int]]) -> list[Part]:
    """Sample sizes: of each piece, the sizes, and the numbers of those samples that have so many bytes more."""
    pieces: list[Part] = []
    for column, numbers, more in sizes:
        for begin in range(0, len(column), ROWS):
            rows = column[begin : begin + ROWS]
            pieces.append(made(_size_writer(rows, begin, numbers, more), 4 * len(rows)))
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


def _rows(pieces: Iterable[Runs]) -> list[Part]:
    """Rows of count and value; a run that goes on in the next piece stands where it begins."""
    taken: list[_Taken] = []
    value = -1
    for runs in pieces:
        if not len(runs):
            continue
        least, most = runs.values.bounds
        if least < 0 or most > MAX_DELTA:
            raise FormatError("a time in the index does not fit in 32 bits")
        goes_on = runs.values.at(0) == value
        if goes_on:
            taken[-1].more += runs.counts.at(0)
        if len(runs) > goes_on:
            taken.append(_Taken(runs, int(goes_on)))
        value = runs.values.at(-1)
    return [part for one in taken for part in one.rows()]


@dataclass(slots=True)
class _Taken:
    """Runs without the first `skipped`; the last one has `more`."""

    runs: Runs
    skipped: int
    more: int = 0

    def rows(self) -> Iterator[Part]:
        for begin in range(self.skipped, len(self.runs), ROWS):
            stop = min(begin + ROWS, len(self.runs))
            yield made(self._writer(begin, stop), 8 * (stop - begin))

    def _writer(self, begin: int, stop: int) -> Callable[[], bytes]:
        runs, more = self.runs, self.more if stop == len(self.runs) else 0

        def write() -> bytes:
            rows = np.empty((stop - begin, 2), ">u4")
            rows[:, 0], rows[:, 1] = runs.counts[begin:stop].column(), runs.values[begin:stop].column()
            rows[-1, 0] += more
            return rows.tobytes()

        return write


def _number_writer(numbers: Ascending, base: int) -> Callable[[], bytes]:
    return lambda: (numbers.column() + base).astype(">u4").tobytes()


def _size_writer(sizes: Packed, begin: int, numbers: Ascending, more: int) -> Callable[[], bytes]:
    def write() -> bytes:
        column = sizes.column()
        if more:
            own = numbers.column() - begin
            column[own[(own >= 0) & (own < len(column))]] += more
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
