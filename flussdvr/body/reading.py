"""
Reading what an extent names, in a reader thread.

A recording may expire while it is being sent: its file is unlinked (harmless while it is open) or a hole is punched
into it, which would read as zeros. So every read is followed by a look for holes.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from flussdvr.body.body import Extent
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Worker

ReaderOf = Callable[[str], Worker]
"""The worker that may read a file: the one of its storage root."""


class DataGone(DvrError):
    """The file is not there any more, shorter, or has a hole where the extent's bytes were."""

    def __init__(self, path: str) -> None:
        super().__init__(Kind.NOT_FOUND, "data_gone", f"{path} has been deleted")
        self.path = path


def has_hole(descriptor: int, start: int, stop: int) -> bool:
    """Whether part of `[start, stop)` has been punched out of the file."""
    try:
        return os.lseek(descriptor, start, os.SEEK_HOLE) < stop
    except OSError:
        return True


def read_extent(extent: Extent) -> bytes:
    """The bytes of `extent`. Raises `DataGone`, or `OSError` of a failing disk."""
    try:
        descriptor = os.open(extent.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DataGone(extent.path) from None
    try:
        data = os.pread(descriptor, extent.length, extent.offset)
        if len(data) < extent.length or has_hole(descriptor, extent.offset, extent.offset + extent.length):
            raise DataGone(extent.path)
        return data
    finally:
        os.close(descriptor)
