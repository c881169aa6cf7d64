# -*- test-case-name: tests.archive.test_trim -*-
"""
Holes: what of a blob was deleted, as its index says.
"""

from __future__ import annotations

import struct

import numpy as np

from flussdvr.archive.walk import read_head, walk_index
from flussdvr.formats.fragment_table import FragmentTable
from flussdvr.timeline import Range, RangeSet

BLOCK = 4096
FREE_HEADER = struct.Struct(">I4sQ")
Span = tuple[int, int]
"""Offset and length in the blob."""


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
    return sum(blocks_of((entry.offset, entry.size)) for entry in entries if entry.deleted)


def blocks_of(span: Span) -> int:
    """Bytes that punching a span gives back."""
    begin, end = span[0] + FREE_HEADER.size, span[0] + span[1]
    return max(0, end // BLOCK - -(-begin // BLOCK)) * BLOCK
