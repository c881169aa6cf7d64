# -*- test-case-name: tests.archive.disk.test_trim -*-
"""
Deleting parts of a closed blob: whole fragments of it become holes, nothing moves.

    before   .idx  head e e e e e e           .mp4  head f f f f f f
    after    .idx  head e free e e            .mp4  head f [free~~~~~] f f

First the index is replaced, atomically; then the headers of the holes are written into the blob; then the holes are
punched (see `punch`). A crash in between leaves an index that says what is gone, and `trim` of nothing more does the
rest. Where the file system has no holes, the space comes back with the whole blob.

The segments that are not touched keep their names and their bytes: where a hole ends in the middle of one, its header
says where the next begins. Blocking: in a root's syncer thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.holes import Hole, freed_in, holes_of
from flussdvr.archive.disk.marker import check_marker
from flussdvr.archive.disk.punch import punch
from flussdvr.archive.disk.recovery import read_index, replace_index
from flussdvr.archive.disk.walk import Entry, read_head, walk_index
from flussdvr.body.files import FILES, Files
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range

Bools = NDArray[np.bool_]


class Reach(Enum):
    """Which fragments a range takes with it."""

    SEGMENTS = 1
    """Those that lie in it, up to the segment that its end lies in: what is left can all be played."""
    WITHIN = 2
    """Those that lie in it."""
    TOUCHING = 3
    """Those that have any part of it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """
    What to delete of a blob: fragments of `unwanted`, by `reach`. Fragments that have a part of `kept` stay, and those
    from the sync fragment in front of them on, without which they could not be shown.
    """

    unwanted: tuple[Range, ...] = ()
    kept: tuple[Range, ...] = ()
    reach: Reach = Reach.SEGMENTS


@dataclass(frozen=True, slots=True)
class Trimmed:
    """
    What the blob is now. `holes`: times of it that are gone; `freed`: bytes given back; `empty`: nothing would be left,
    and nothing was touched; `begins_ms`: of the fragments that have gone just now.

    `error`: the index says so, but not everything has been done to the blob: `trim` once more.
    """

    index_size: int
    holes: tuple[Range, ...]
    freed: int
    empty: bool = False
    begins_ms: tuple[int, ...] = ()
    error: Exception | None = None


def trim(blob: Blob, uuid: str, cut: Cut, files: Files = FILES) -> Trimmed:
    """
    Delete fragments, and finish what a crash or a failure has left undone.

    Nothing has changed where it raises: DvrError UNAVAILABLE where the root is not the disk with this uuid, CORRUPT for
    a damaged index; OSError.
    """
    check_marker(blob.root, uuid)
    index = read_index(blob.index_path)
    head = read_head(lambda offset, length: index[offset : offset + length])
    try:
        table = FragmentTable(index)
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_index", f"{blob.index_path}: {error}") from error
    if head is None:
        raise DvrError(Kind.CORRUPT, "corrupt_index", f"{blob.index_path} has no init segment")
    gone = rows_in(table, cut)
    if gone.all():
        return Trimmed(len(index), (blob.range,), blob.freed, empty=True)
    trimmed, spans = without(head, list(walk_index(index, len(head))), gone, table)
    holes = holes_of(FragmentTable(trimmed), blob.range)
    begins_ms = tuple(table.begin_ms[gone].tolist())
    try:
        _replace(blob.index_path, index, trimmed, files)
        freed = punch(blob.path, spans, files)
    except OSError as error:
        if read_index(blob.index_path) != trimmed:
            raise
        return Trimmed(len(trimmed), holes, blob.freed, begins_ms=begins_ms, error=error)
    return Trimmed(len(trimmed), holes, freed, begins_ms=begins_ms)


def _replace(path: str, old: bytes, new: bytes, files: Files) -> None:
    if new != old:
        replace_index(path, new, files)
    elif os.path.exists(path + ".new"):
        files.unlink(path + ".new")


def rows_in(table: FragmentTable, cut: Cut) -> Bools:
    """Which fragments `cut` deletes."""
    gone = np.zeros(len(table), np.bool_)
    for item in cut.unwanted:
        if cut.reach is Reach.SEGMENTS:
            gone[_up_to_a_segment(table, item)] = True
        elif cut.reach is Reach.WITHIN:
            gone |= (table.begin_ms >= item.begin_ms) & (table.end_ms <= item.end_ms)
        else:
            gone |= touching(table, item)
    for item in cut.kept:
        rows = np.flatnonzero(touching(table, item))
        if len(rows):
            before = np.flatnonzero(table.sync[: rows[0] + 1])
            gone[int(before[-1]) if len(before) else 0 : int(rows[-1]) + 1] = False
    return gone


def touching(table: FragmentTable, item: Range) -> Bools:
    """Which fragments have a part of a range."""
    touched: Bools = (table.begin_ms < item.end_ms) & (table.end_ms > item.begin_ms)
    return touched


def _up_to_a_segment(table: FragmentTable, item: Range) -> slice:
    first = int(np.searchsorted(table.begin_ms, item.begin_ms))
    stop = int(np.searchsorted(table.begin_ms, item.end_ms))
    if stop and int(table.end_ms[stop - 1]) > item.end_ms:
        stop -= 1  # this fragment is not over by then
    firsts = table.segments(closed=True).first
    if stop < len(table) and len(firsts):
        stop = int(firsts[max(0, int(np.searchsorted(firsts, stop, side="right")) - 1)])
    return slice(first, stop)


def without(
    head: bytes, entries: Sequence[Entry], gone: Bools, table: FragmentTable | None = None
) -> tuple[bytes, list[Hole]]:
    """
    The index with the deleted fragments and the holes before it as holes, and these.

    `table`: of the index as it was; without it, the holes do not say where segments were.
    """
    parts, row = [head], 0
    holes: list[Hole] = []
    begin = size = 0

    def end(row: int) -> None:
        """A hole is followed by the fragment `row`, or by nothing."""
        first = row - 1
        while first >= 0 and gone[first]:
            first -= 1
        if table is None:
            holes.append(Hole(begin, size))
        else:
            from_ms = int(table.end_ms[first]) if first >= 0 else 0
            until_ms = (table.segment_end(row) or 0) if row < len(table) else 0
            holes.append(Hole(begin, size, from_ms, until_ms))
        parts.append(holes[-1].head)

    for entry in entries:
        if entry.deleted or gone[row]:
            begin, size = begin if size else entry.offset, size + entry.size
        else:
            if size:
                end(row)
                size = 0
            parts.append(entry.head)
        row += not entry.deleted
    if size:
        end(row)
    return b"".join(parts), holes


def freed_by(index_path: str) -> int:
    """Bytes that the holes of a blob give back, by its index. OSError."""
    return freed_in(read_index(index_path))
