# -*- test-case-name: tests.archive.test_trim -*-
"""
Deleting parts of a closed blob: whole fragments of it become holes, nothing moves.

    before   .idx  head e e e e e e           .mp4  head f f f f f f
    after    .idx  head e free e e            .mp4  head f [free~~~~~] f f      ~ a hole: no blocks on the disk

First the index is replaced, atomically; then the `free` headers are written into the blob; then the holes are punched
(fallocate(2), FALLOC_FL_PUNCH_HOLE). A crash in between leaves an index that says what is gone, and `trim` of nothing
more does the rest. Where the file system has no holes, the space comes back with the whole blob.

What is left of a deletion begins with a segment, so that the segments that remain are those that were there before.
Blocking: in a root's syncer thread.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EINVAL, ENOSYS, EOPNOTSUPP

import numpy as np
from numpy.typing import NDArray

from flussdvr.archive.blob import Blob
from flussdvr.archive.files import FILES, Files
from flussdvr.archive.holes import FREE_HEADER, Span, blocks_of, freed_in, holes_of
from flussdvr.archive.marker import check_marker
from flussdvr.archive.recovery import read_index, replace_index
from flussdvr.archive.walk import Entry, read_head, walk_index
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.fragment_table import FragmentTable
from flussdvr.timeline import Range

KEEP_SIZE, PUNCH_HOLE = 1, 2


@dataclass(frozen=True, slots=True)
class Trimmed:
    """
    What the blob is now. `holes`: times of it that are gone; `freed`: bytes given back; `empty`: nothing would be left,
    and nothing was touched; `begins_ms`: of the fragments that have gone just now.
    """

    index_size: int
    holes: tuple[Range, ...]
    freed: int
    empty: bool = False
    begins_ms: tuple[int, ...] = ()


def trim(blob: Blob, uuid: str, unwanted: Sequence[Range], files: Files = FILES) -> Trimmed:
    """
    Delete the fragments that lie in `unwanted`, and finish what a crash has left undone.

    DvrError UNAVAILABLE where the root is not the disk with this uuid, CORRUPT for a damaged index; OSError.
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
    gone = rows_in(table, unwanted)
    if gone.all():
        return Trimmed(len(index), (blob.range,), blob.freed, empty=True)
    trimmed, spans = without(head, list(walk_index(index, len(head))), gone)
    if trimmed != index:
        replace_index(blob.index_path, trimmed, files)
    elif os.path.exists(blob.index_path + ".new"):
        files.unlink(blob.index_path + ".new")
    punch(blob.path, spans, files)
    begins_ms = tuple(table.begin_ms[gone].tolist())
    holes = holes_of(FragmentTable(trimmed), blob.range)
    return Trimmed(len(trimmed), holes, sum(map(blocks_of, spans)), begins_ms=begins_ms)


def rows_in(table: FragmentTable, unwanted: Sequence[Range]) -> NDArray[np.bool_]:
    """Which fragments to delete: those that lie in `unwanted`, up to the segment that its end lies in."""
    gone = np.zeros(len(table), np.bool_)
    segments = table.segments(closed=True)
    for item in unwanted:
        first = int(np.searchsorted(table.begin_ms, item.begin_ms))
        stop = int(np.searchsorted(table.begin_ms, item.end_ms))
        if stop and int(table.end_ms[stop - 1]) > item.end_ms:
            stop -= 1  # this fragment is not over by then
        if stop < len(table):
            stop = int(segments.first[np.searchsorted(segments.first, stop, side="right") - 1])
        gone[first:stop] = True
    return gone


def without(head: bytes, entries: list[Entry], gone: NDArray[np.bool_]) -> tuple[bytes, list[Span]]:
    """The index with the deleted fragments and spans as one `free` header each, and these spans."""
    parts, row = [head], 0
    spans: list[Span] = []
    for entry in entries:
        deleted = entry.deleted or bool(gone[row])
        row += not entry.deleted
        if not deleted:
            parts.append(entry.head)
        elif spans and sum(spans[-1]) == entry.offset:
            spans[-1] = spans[-1][0], spans[-1][1] + entry.size
            parts[-1] = free_header(spans[-1][1])
        else:
            spans.append((entry.offset, entry.size))
            parts.append(free_header(entry.size))
    return b"".join(parts), spans


def free_header(size: int) -> bytes:
    return FREE_HEADER.pack(1, b"free", size)


def freed_by(index_path: str) -> int:
    """Bytes that the holes of a blob give back, by its index. OSError."""
    return freed_in(read_index(index_path))


def punch(path: str, spans: Sequence[Span], files: Files = FILES) -> None:
    """Write the header of each span and give its blocks back. OSError."""
    if not spans:
        return
    fd = files.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for offset, length in spans:
            header = free_header(length)
            if os.pread(fd, len(header), offset) != header:
                os.lseek(fd, offset, os.SEEK_SET)
                files.write(fd, header)
        files.fdatasync(fd)
        for offset, length in spans:
            _punch(fd, offset + FREE_HEADER.size, length - FREE_HEADER.size)
    finally:
        files.close(fd)


def _fallocate() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function


def _punch(fd: int, offset: int, length: int) -> None:
    if length > 0 and _fallocate()(fd, PUNCH_HOLE | KEEP_SIZE, offset, length):
        error = ctypes.get_errno()
        if error not in (EOPNOTSUPP, ENOSYS, EINVAL):
            raise OSError(error, os.strerror(error))
