# -*- test-case-name: tests.archive.disk.test_recovery -*-
"""
Walking: what a blob and its index hold, header by header, without trusting either.

    blob    ftyp moov uuid | moof mdat........ | moof mdat........ | free........ | moof md
    index   ftyp moov uuid | moof mdat-header  | moof mdat-header  | free-header  | moof m
            `--- head ---'  `---- entry ----'                                      `- torn

An entry is what the index holds of one fragment, or of a span that was deleted: `free` or `skip`, see
`formats.index_headers`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from flussdvr.formats.mp4.fmp4 import MAX_INIT, MAX_MOOF

MAX_HEAD = MAX_INIT + (1 << 16)
MAX_FRAGMENT = 256 << 20
"""No more than this waits for a writer (see `archive.root`), so no fragment on a disk is larger."""
CHUNK = 1 << 20
"""Bytes compared at once."""
PAGE = 4096
"""What a disk writes at once, at least."""

_HEADER = struct.Struct(">I4s")
_LARGE = struct.Struct(">I4sQ")
_SKIPPED = struct.Struct(">I4sQQQ")
DELETED = {b"free": _LARGE.size, b"skip": _SKIPPED.size}
"""The types of deleted spans, and how many bytes of them are in the index."""

ReadAt = Callable[[int, int], bytes]
"""`(offset, length)` -> at most that many bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`head`: the entry's bytes in the index; `offset`, `size`: what it stands for in the blob; `deleted`: a hole."""

    head: bytes
    offset: int
    size: int
    deleted: bool = False


def reader_of(fd: int) -> ReadAt:
    return lambda offset, length: os.pread(fd, length, offset)


def read_head(read: ReadAt) -> bytes | None:
    """The bytes in front of the first fragment; `None` where they are not complete."""
    data = read(0, MAX_HEAD)
    at, has_moov = 0, False
    while len(data) - at >= 8:
        size, kind = _HEADER.unpack_from(data, at)
        if kind in (b"moof", *DELETED) and has_moov:
            return data[:at]
        if kind not in (b"ftyp", b"moov", b"uuid") or size < 8 or at + size > len(data):
            break
        has_moov = has_moov or kind == b"moov"
        at += size
    return data[:at] if has_moov and at == len(data) else None


def walk_index(data: bytes, head_size: int) -> Iterator[Entry]:
    """The complete entries of an index, up to the first thing that is none."""
    at = offset = head_size
    while (entry := _entry(lambda start, length: data[start : start + length], at, offset)) is not None:
        yield entry
        at += len(entry.head)
        offset += entry.size


def walk_blob(read: ReadAt, start: int, stop: int) -> Iterator[Entry]:
    """The fragments and deleted spans that lie whole in `[start, stop)` of a blob, up to what is none."""
    while (entry := _entry(read, start, start)) is not None and start + entry.size <= stop:
        yield entry
        start += entry.size


def _entry(read: ReadAt, at: int, offset: int) -> Entry | None:
    """The entry at `at` of an index or a blob, which stands for what is at `offset` of the blob."""
    header = read(at, _SKIPPED.size)
    if len(header) < _LARGE.size:
        return None
    size, kind = _HEADER.unpack_from(header)
    if kind in DELETED and size == 1:
        head = header[: DELETED[kind]]
        span: int = _LARGE.unpack_from(head)[2]
        return Entry(head, offset, span, deleted=True) if span >= DELETED[kind] == len(head) else None
    if kind != b"moof" or not 24 <= size <= MAX_MOOF:
        return None
    head = read(at, size + 8)
    if len(head) < size + 8:
        return None
    payload, kind = _HEADER.unpack_from(head, size)
    if kind != b"mdat" or not 8 <= payload <= MAX_FRAGMENT:
        return None
    return Entry(head, offset, size + payload)


def is_intact(read: ReadAt, entry: Entry) -> bool:
    """
    Whether the blob holds what the index says, as far as that can be told.

    After a loss of power an index page may have reached the disk before a page of the data, which then reads as zeros
    (file systems give zeros, never stale data). No codec's frames have a whole page of zeros.
    """
    head = read(entry.offset, len(entry.head))
    if head != entry.head:
        return False
    return entry.deleted or all(_is_written(read, at, stop) for at, stop in _chunks(entry))


def _chunks(entry: Entry) -> Iterator[tuple[int, int]]:
    """The entry's bytes in pieces that end at the edges of pages."""
    at, end = entry.offset, entry.offset + entry.size
    while at < end:
        stop = min(end, (at // CHUNK + 1) * CHUNK)
        yield at, stop
        at = stop


def _is_written(read: ReadAt, at: int, stop: int) -> bool:
    """Whether the bytes are there, and no whole page of them is zeros."""
    data = read(at, stop - at)
    if len(data) < stop - at:
        return False
    first = -at % PAGE
    count = max(0, len(data) - first) // PAGE
    pages = np.frombuffer(data, np.uint8, count * PAGE, min(first, len(data) - 1)).reshape(-1, PAGE)
    return bool(pages.any(axis=1).all())
