"""
Copying recordings into a file, by the kernel where it can (some file systems then share the blocks).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EINVAL, ENOSYS, EOPNOTSUPP, EXDEV

from flussdvr.body.body import Body, Extent
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.made import Made

COPY = 16 << 20
"""Bytes between two reports."""


def write_body(body: Body, out_fd: int, copied: Callable[[int], None] = lambda count: None) -> None:
    """
    Append a body to a file. `copied(count)` is told of every piece, and may raise to stop it.

    DvrError NOT_FOUND where a recording has been deleted meanwhile; OSError.
    """
    for part in body.parts:
        if isinstance(part, Extent):
            _copy_extent(part, out_fd, copied)
        else:
            _write(out_fd, part.data() if isinstance(part, Made) else part)
            copied(len(part))


def _copy_extent(extent: Extent, out_fd: int, copied: Callable[[int], None]) -> None:
    try:
        fd = os.open(extent.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DvrError(Kind.NOT_FOUND, "no_recordings", f"{extent.path} has been deleted") from None
    try:
        at, left = extent.offset, extent.length
        while left:
            count = copy_some(fd, at, min(left, COPY), out_fd)
            if not count:
                raise DvrError(Kind.NOT_FOUND, "no_recordings", f"{extent.path} ends at {at}")
            at, left = at + count, left - count
            copied(count)
    finally:
        os.close(fd)


def copy_some(fd: int, offset: int, length: int, out_fd: int) -> int:
    """Append up to `length` bytes at `offset` of a file; how many. OSError."""
    try:
        return os.copy_file_range(fd, out_fd, length, offset)
    except OSError as error:
        if error.errno not in (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP):
            raise
    data = os.pread(fd, min(length, 1 << 20), offset)
    _write(out_fd, data)
    return len(data)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
