"""
The sample table of a progressive MP4: one box per column, written from one piece of the column after the other.

    stsd stts [ctts] [stss] stsc stsz co64

Every box is a list of bytes in order, so that nothing large is copied to be joined. `co64` comes last: with it at the
end of its track, chunk offsets are filled in once the head's size is known.  ISO/IEC 14496-12 §8.6-8.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flussdvr.errors import FormatError
from flussdvr.formats.boxes import HEADER, U32

__all__ = ["MAX_DELTA", "Runs", "co64_header", "ctts", "nested", "stsc", "stss", "stsz", "stts"]

Ints = NDArray[np.int64]
MAX_DELTA = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Runs:
    """A column whose values repeat: `counts[i]` times `values[i]`, as small as they can be kept."""

    counts: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of(cls, column: Ints) -> Runs:
        begins = np.flatnonzero(np.diff(column, prepend=column[:1] - 1))
        values = column[begins]
        if len(values) and -(1 << 31) <= values.min() and values.max() < 1 << 31:
            values = values.astype(np.int32)
        return cls(np.diff(begins, append=len(column)).astype(np.uint32), values)

    def column(self) -> Ints:
        return np.repeat(self.values.astype(np.int64), self.counts)

    def plus(self, shift: int) -> Runs:
        return Runs(self.counts, self.values.astype(np.int64) + shift)


def nested(kind: bytes, pieces: Sequence[bytes], room: int = 0) -> list[bytes]:
    """A box around `pieces`; `room`: bytes that will be put in between."""
    return [HEADER.pack(8 + sum(map(len, pieces)) + room, kind), *pieces]


def stts(steps: Iterable[Runs]) -> list[bytes]:
    """Decode time to sample; no step may be more than `MAX_DELTA`."""
    return _table(b"stts", list(_rows(steps)))


def ctts(offsets: Iterable[Runs]) -> list[bytes]:
    """Composition offsets, none negative; nothing where all are 0. Raises `FormatError` for one beyond 32 bits."""
    rows = list(_rows(offsets))
    return _table(b"ctts", rows) if any(one[:, 1].any() for one in rows) else []


def stss(sync: Iterable[tuple[NDArray[Any], int]]) -> list[bytes]:
    """Sync samples: numbers of them in each piece, and how many samples that has; nothing where all are."""
    pieces, base = [], 0
    for numbers, count in sync:
        pieces.append((numbers.astype(np.int64) + base + 1).astype(">u4"))
        base += count
    return [] if sum(map(len, pieces)) == base else _table(b"stss", pieces)


def stsz(sizes: Iterable[Ints]) -> list[bytes]:
    """Sample sizes."""
    pieces = [column.astype(">u4").tobytes() for column in sizes]
    return _full(b"stsz", bytes(4) + U32.pack(sum(map(len, pieces)) // 4), pieces)


def stsc(chunks: Iterable[tuple[Ints, int]]) -> list[bytes]:
    """Samples per chunk, and which sample entry they have, for every piece."""
    pieces, base = [], 0
    last = (-1, -1)
    for counts, description in chunks:
        first = np.flatnonzero(np.diff(counts, prepend=-1))
        if (int(counts[0]), description) == last:
            first = first[1:]
        rows = np.empty((len(first), 3), ">u4")
        rows[:, 0], rows[:, 1], rows[:, 2] = first + base + 1, counts[first], description
        pieces.append(rows)
        base += len(counts)
        last = int(counts[-1]), description
    return _table(b"stsc", pieces)


def co64_header(count: int) -> bytes:
    """`co64` without the offsets that come in it."""
    return HEADER.pack(16 + 8 * count, b"co64") + bytes(4) + U32.pack(count)


def _rows(pieces: Iterable[Runs]) -> Iterator[NDArray[Any]]:
    """Rows of count and value; runs that go on in the next piece are one."""
    held = np.empty((0, 2), ">u4")
    for runs in pieces:
        if not len(runs.counts):
            continue
        if int(runs.values.min()) < 0 or int(runs.values.max()) > MAX_DELTA:
            raise FormatError("a time in the index does not fit in 32 bits")
        rows = np.empty((len(runs.counts), 2), ">u4")
        rows[:, 0], rows[:, 1] = runs.counts, runs.values
        if len(held) and held[0, 1] == rows[0, 1]:
            rows[0, 0] += held[0, 0]
        else:
            yield held
        yield rows[:-1]
        held = rows[-1:].copy()
    yield held


def _table(kind: bytes, pieces: Sequence[NDArray[Any]]) -> list[bytes]:
    """A full box of an entry count and 32-bit rows."""
    return _full(kind, U32.pack(sum(map(len, pieces))), [piece.tobytes() for piece in pieces if len(piece)])


def _full(kind: bytes, head: bytes, pieces: Sequence[bytes]) -> list[bytes]:
    return nested(kind, [bytes(4) + head, *pieces])
