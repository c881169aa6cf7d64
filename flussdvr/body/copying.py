"""
Copying recordings into a file, by the kernel where it can (some file systems then share the blocks).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EINVAL, ENOSYS, EOPNOTSUPP, EXDEV

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import DataGone, Opened
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.made import Made

COPY = 16 << 20
"""Bytes between two reports."""
CHUNK = 1 << 20
"""Bytes in memory at once where the kernel can't copy."""


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
        opened = extent.file.open()
        try:
            at, left = extent.offset, extent.length
            while left:
                count = _copy_some(opened, at, min(left, COPY), out_fd)
                at, left = at + count, left - count
                copied(count)
        finally:
            opened.close()
    except DataGone as gone:
        raise DvrError(Kind.NOT_FOUND, "no_recordings", gone.title) from None


def _copy_some(opened: Opened, offset: int, length: int, out_fd: int) -> int:
    """Append up to `length` bytes at `offset` of a file, at least one; how many. `DataGone`, OSError."""
    if opened.descriptor is not None:
        try:
            count = os.copy_file_range(opened.descriptor, out_fd, length, offset)
        except OSError as error:
            if error.errno not in (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP):
                raise
        else:
            opened.check(offset, offset + max(count, 1))
            return count
    data = opened.chunk(offset, min(length, CHUNK))
    _write(out_fd, data)
    return len(data)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
