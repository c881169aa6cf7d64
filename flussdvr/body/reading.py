# -*- test-case-name: tests.body.test_file -*-
"""
Reading what an extent names: all of its bytes, or an error.
"""

from __future__ import annotations

from flussdvr.body.body import Extent
from flussdvr.body.file import DataGone
from flussdvr.errors import DvrError, Kind

__all__ = ["DataGone", "DiskFailed", "read", "read_extent"]


class DiskFailed(DvrError):
    """What a disk, or a connection to another place, says in place of the bytes."""

    def __init__(self, file: object, error: OSError) -> None:
        super().__init__(Kind.UNAVAILABLE, "disk_failed", f"{file}: {error.strerror or error}")


async def read(extent: Extent) -> bytes:
    """All the bytes of `extent`, read by the worker of its file. `DataGone`, `DiskFailed`, `Busy`."""
    try:
        return await extent.file.worker.do(read_extent, extent)
    except OSError as error:
        raise DiskFailed(extent.file, error) from error


def read_extent(extent: Extent) -> bytes:
    """As `read`, blocking: in a thread of the file's worker. `DataGone`, OSError."""
    opened = extent.file.open()
    try:
        return opened.read(extent.offset, extent.length)
    finally:
        opened.close()
