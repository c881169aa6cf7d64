# -*- test-case-name: tests.archive.disk.test_trim -*-
"""
Holes: what of a blob was deleted, as its index says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from flussdvr.archive.disk.walk import read_head, walk_index
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range, RangeSet

BLOCK = 4096
_FREE = struct.Struct(">I4sQ")
_SKIP = struct.Struct(">I4sQQQ")


@dataclass(frozen=True, slots=True)
class Hole:
    """
    `size` deleted bytes at `offset` of a blob. `from_ms`: when what is in front of it ended, UTC; `until_ms`: when the
    segment in whose middle it ends was over, 0 where it ends with one. `None`: not on record.
    """

    offset: int
    size: int
    from_ms: int | None = None
    until_ms: int = 0

    @property
    def head(self) -> bytes:
        """Its header, in the blob and in the index (see `formats.index_headers`)."""
        if self.from_ms is None:
            return _FREE.pack(1, b"free", self.size)
        return _SKIP.pack(1, b"skip", self.size, self.from_ms, self.until_ms)

    @property
    def blocks(self) -> int:
        """Bytes that punching it gives back."""
        begin, end = self.offset + len(self.head), self.offset + self.size
        return max(0, end // BLOCK - -(-begin // BLOCK)) * BLOCK


def shifted_hole(head: bytes, shift_ms: int) -> bytes:
    """A deleted span's header with `shift_ms` added to the times that it notes."""
    if head[4:8] != b"skip" or len(head) != _SKIP.size:
        return head
    large, kind, size, from_ms, until_ms = _SKIP.unpack(head)
    return _SKIP.pack(large, kind, size, max(0, from_ms + shift_ms), max(0, until_ms + shift_ms) if until_ms else 0)


def holes_of(table: FragmentTable, within: Range) -> tuple[Range, ...]:
    """What of `within` is not in the table, where bytes are missing (a rounded millisecond is no hole)."""
    breaks = np.flatnonzero(table.offset[1:] != table.offset[:-1] + table.size[:-1]) + 1
    left = RangeSet([within])
    for begin, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(table)], strict=True):
        left.subtract(Range(int(table.begin_ms[begin]), max(int(table.begin_ms[begin]), int(table.end_ms[end - 1]))))
    return tuple(hole for hole in left if hole.duration_ms > 2)


def freed_in(index: bytes) -> int:
    """Bytes that the holes of a blob give back, by its index."""
    head = read_head(lambda offset, length: index[offset : offset + length])
    entries = walk_index(index, len(head)) if head is not None else ()
    return sum(Hole(entry.offset, entry.size).blocks for entry in entries if entry.deleted)
