# -*- test-case-name: tests.archive.test_recovery -*-
"""
Recovery: what a crash or a loss of power has left of a blob that was open.

    index   head e e e e e|e e      cut where it is torn, or where the blob does not hold what it says
    blob    head f f f f f f f f|f  walked on from there: whole fragments are added to the index, the torn one is cut

The cost is bounded by the open tails: the index, the last `VERIFY` fragments of it, and what is not in it. Nothing is
changed until everything is known; the new index replaces the old one atomically before the blob is cut, so a crash in
recovery is recovered like any other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import takewhile

from flussdvr.archive.blob import Blob
from flussdvr.archive.files import FILES, Files, sync_directory
from flussdvr.archive.marker import check_marker
from flussdvr.archive.walk import Entry, ReadAt, is_intact, read_head, reader_of, walk_blob, walk_index
from flussdvr.errors import FormatError
from flussdvr.formats.fmp4 import BlobInfo
from flussdvr.formats.fragment_table import FragmentTable

VERIFY = 32
"""Fragments that are compared with the index: half a minute, several sync intervals."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What there is of a blob now; `changed`: files were cut or completed."""

    begin_ms: int
    end_ms: int
    size: int
    index_size: int
    info: BlobInfo
    changed: bool


def recover_open(blob: Blob, uuid: str, files: Files = FILES) -> Recovered | None:
    """`recover`, on a disk that must be the one with this uuid. DvrError UNAVAILABLE, OSError."""
    check_marker(blob.root, uuid)
    return recover(blob.path, blob.index_path, VERIFY, files)


def recover(path: str, index_path: str, verify: int | None = VERIFY, files: Files = FILES) -> Recovered | None:
    """
    Make blob and index whole and equal. `None` if there is no fragment in it, and nothing has been touched.

    `verify`: how many of the last indexed fragments are compared, `None` for all. Raises OSError.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        read = reader_of(fd)
        head = read_head(read)
        if head is None:
            return None
        old = _read_file(index_path)
        entries = _indexed(old, head, size, read, verify)
        end = entries[-1].offset + entries[-1].size if entries else len(head)
        entries += takewhile(lambda entry: is_intact(read, entry), walk_blob(read, end, size))
        index = head + b"".join(entry.head for entry in entries)
        table = FragmentTable()
        try:
            table.extend(index)
        except FormatError:
            index = index[: table.consumed]
        if not len(table):
            return None
        if index != old:
            replace_index(index_path, index, files)
        if table.blob_size != size:
            files.ftruncate(fd, table.blob_size)
            files.fdatasync(fd)
        changed = index != old or table.blob_size != size
        begin_ms, end_ms = int(table.begin_ms[0]), int(table.end_ms[-1])
        return Recovered(begin_ms, end_ms, table.blob_size, len(index), table.info, changed)
    finally:
        os.close(fd)


def _indexed(old: bytes, head: bytes, size: int, read: ReadAt, verify: int | None) -> list[Entry]:
    """The entries of the index that the blob, of `size` bytes, really has."""
    if not old.startswith(head):
        return []
    entries = [entry for entry in walk_index(old, len(head)) if entry.offset + entry.size <= size]
    first = 0 if verify is None else max(0, len(entries) - verify)
    while True:
        good = first
        for entry in entries[first:]:
            if not is_intact(read, entry):
                break
            good += 1
        # A first one that is bad: those before it have not been looked at.
        if good > first or first == 0:
            return entries[:good]
        entries, first = entries[:first], max(0, first - (verify or 1))


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def replace_index(path: str, index: bytes, files: Files = FILES) -> None:
    """Atomically and durably. OSError."""
    draft = path + ".new"
    fd = files.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        written = 0
        while written < len(index):
            written += files.write(fd, index[written:])
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(draft, path)
    sync_directory(os.path.dirname(path), files)
