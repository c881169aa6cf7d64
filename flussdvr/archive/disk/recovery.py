# -*- test-case-name: tests.archive.disk.test_recovery -*-
"""
Recovery: what a crash or a loss of power has left of a blob that was open.

    index   head e e e e e|e e      cut where it is torn, or where the blob does not hold what it says
    blob    head f f f f f f f f|f  walked on from there: whole fragments are added to the index, the torn one is cut

The cost is bounded by the open tails: the index, the last `VERIFY` fragments of it, and what is not in it. Nothing is
changed until everything is known; the new index replaces the old one atomically before the blob is cut, so a crash in
recovery is recovered like any other.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.hold import StreamHolds
from flussdvr.archive.disk.holes import freed_in, holes_of
from flussdvr.archive.disk.marker import check_marker
from flussdvr.archive.disk.walk import Entry, ReadAt, is_intact, read_head, reader_of, walk_blob, walk_index
from flussdvr.body.durable import open_regular, read_bounded, replace_file
from flussdvr.body.files import FILES, Files
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fmp4 import BlobInfo
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range

MAX_INDEX = 256 << 20
"""Bytes of an index that are read: a hundred hours."""
LONGEST_BLOB_MS = 26 * 3_600_000
"""A blob ends at the hour, or at the next key frame, which a stream may lack for long: a day and some."""
ROUNDING_MS = 2
VERIFY = 32
"""Fragments that are compared with the index: half a minute, several sync intervals."""


@dataclass(frozen=True, slots=True)
class Examined:
    """
    What there is of a blob: `index` is the one it should have, `old_index` and `old_size` what is on the disk.

    `head_size`: where the first fragment begins, in both.
    """

    table: FragmentTable
    head_size: int
    index: bytes
    old_index: bytes
    old_size: int

    @property
    def changed(self) -> bool:
        """Whether anything must be cut or completed."""
        return self.index != self.old_index or self.table.blob_size != self.old_size


@dataclass(frozen=True, slots=True)
class Recovered:
    """What there is of a blob now; `holes`, `freed`: as of a `Blob`; `changed`: files were cut or completed."""

    begin_ms: int
    end_ms: int
    size: int
    index_size: int
    info: BlobInfo
    changed: bool
    holes: tuple[Range, ...] = ()
    freed: int = 0


def recover_some(
    blobs: Sequence[Blob], uuid: str, holds: StreamHolds, files: Files = FILES
) -> list[Recovered | Exception | None]:
    """`recover_open` of each; a stream that another process records is left to it. What failed is in the list."""
    found: list[Recovered | Exception | None] = []
    for blob in blobs:
        try:
            check_marker(blob.root, uuid)
            holds.take(blob.stream)
            try:
                found.append(recover_open(blob, uuid, files))
            finally:
                holds.give_back(blob.stream)
        except (DvrError, OSError) as error:
            found.append(error)
    return found


def take_over(blob: Blob, found: Recovered) -> None:
    """What was found in a blob is what is known of it."""
    blob.end_ms, blob.size, blob.index_size = found.end_ms, found.size, found.index_size
    blob.holes, blob.freed = found.holes, found.freed
    info = found.info
    blob.segment_ms, blob.sequence, blob.after = info.segment_ms, info.sequence, info.after
    blob.discontinuity = info.discontinuity
    blob.state = BlobState.CLOSED


def is_none_of_ours(error: Exception) -> bool:
    """Whether to try again is of no use: a file that only has the name of a blob."""
    if isinstance(error, DvrError):
        return error.kind is Kind.CORRUPT
    return isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.ELOOP)


def recover_open(blob: Blob, uuid: str, files: Files = FILES) -> Recovered | None:
    """
    `recover`, on a disk that must be the one with this uuid; what is missing before the first fragment is a hole too.

    DvrError UNAVAILABLE; CORRUPT where the times in it are not those of a blob with this name, which has been left as
    it was; OSError.
    """
    check_marker(blob.root, uuid)
    found = examine(blob.path, blob.index_path)
    if found is None:
        return None
    begin_ms, end_ms = int(found.table.begin_ms[0]), int(found.table.end_ms[-1])
    if not blob.begin_ms - ROUNDING_MS <= begin_ms <= end_ms <= blob.begin_ms + LONGEST_BLOB_MS:
        title = f"{blob.path}: what is in it is dated {begin_ms} to {end_ms}"
        raise DvrError(Kind.CORRUPT, "misdated_blob", title)
    return _repair(found, blob.path, blob.index_path, Range(min(blob.begin_ms, begin_ms), end_ms), files)


def recover(path: str, index_path: str, files: Files = FILES, trust_index: bool = True) -> Recovered | None:
    """
    Make blob and index whole and equal. `None` if there is no fragment in it, and nothing has been touched. OSError.

    `trust_index`: as in `examine`.
    """
    found = examine(path, index_path, trust_index)
    if found is None:
        return None
    begin_ms, end_ms = int(found.table.begin_ms[0]), int(found.table.end_ms[-1])
    return _repair(found, path, index_path, Range(begin_ms, max(begin_ms, end_ms)), files)


def _repair(found: Examined, path: str, index_path: str, within: Range, files: Files) -> Recovered:
    table = found.table
    if found.index != found.old_index:
        replace_index(index_path, found.index, files)
    if table.blob_size != found.old_size:
        _cut(path, table.blob_size, files)
    begin_ms, end_ms = int(table.begin_ms[0]), int(table.end_ms[-1])
    holes, freed = holes_of(table, within), freed_in(found.index)
    return Recovered(begin_ms, end_ms, table.blob_size, len(found.index), table.info, found.changed, holes, freed)


def examine(path: str, index_path: str, trust_index: bool = True) -> Examined | None:
    """
    What a blob and its index hold; `None` if there is no whole fragment, or no blob. OSError.

    `trust_index`: only the end of the index is compared with the blob; else the whole blob is walked, by its headers.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        read = reader_of(fd)
        head = read_head(read)
        if head is None:
            return None
        old = read_index(index_path)
        if trust_index:
            entries = _indexed(old, head, size, read)
            end = entries[-1].offset + entries[-1].size if entries else len(head)
            entries += takewhile(lambda entry: is_intact(read, entry), walk_blob(read, end, size))
        else:
            entries = _intact(list(walk_blob(read, len(head), size)), read)
    finally:
        os.close(fd)
    index = head + b"".join(entry.head for entry in entries)
    table = FragmentTable()
    try:
        table.extend(index)
    except FormatError:
        index = index[: table.consumed]
    return Examined(table, len(head), index, old, size) if len(table) else None


def _indexed(old: bytes, head: bytes, size: int, read: ReadAt) -> list[Entry]:
    """The entries of the index that the blob, of `size` bytes, really has."""
    if not old.startswith(head):
        return []
    return _intact([entry for entry in walk_index(old, len(head)) if entry.offset + entry.size <= size], read)


def _intact(entries: list[Entry], read: ReadAt) -> list[Entry]:
    """`entries` up to the first damaged one of the last `VERIFY`; further back where all of these are."""
    while entries:
        first = max(0, len(entries) - VERIFY)
        good = first + sum(1 for _ in takewhile(lambda entry: is_intact(read, entry), entries[first:]))
        entries = entries[:good]
        if good > first:
            break
    return entries


def _cut(path: str, size: int, files: Files) -> None:
    fd = files.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        files.ftruncate(fd, size)
        files.fdatasync(fd)
    finally:
        files.close(fd)


def read_index(path: str) -> bytes:
    """Empty where there is none, or one so large that it is none of ours. OSError."""
    try:
        return read_bounded(path, MAX_INDEX)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno == errno.EFBIG:
            return b""
        raise


def replace_index(path: str, index: bytes, files: Files = FILES) -> None:
    """Atomically and durably. OSError."""
    replace_file(path, index, files)
