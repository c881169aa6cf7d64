# -*- test-case-name: tests.archive.disk.test_trim -*-
"""
How the space of holes comes back.

    .mp4   head f [free or skip~~~~~] f f      ~ no blocks on the disk; zeros where the file system has no holes

fallocate(2), FALLOC_FL_PUNCH_HOLE: whole blocks are given back, the rest of the span becomes zeros. Blocking: in a
root's syncer thread.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from errno import EINVAL, ENOSYS, EOPNOTSUPP

from flussdvr.archive.disk.holes import BLOCK, Hole
from flussdvr.body.files import FILES, Files

KEEP_SIZE, PUNCH_HOLE = 1, 2
ZEROS = bytes(1 << 18)


def punch(path: str, holes: Sequence[Hole], files: Files = FILES) -> int:
    """Write the header of each hole and give its blocks back: how many bytes that is, for all of them. OSError."""
    if not holes:
        return 0
    freed = 0
    fd = files.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for hole in holes:
            if os.pread(fd, len(hole.head), hole.offset) != hole.head:
                _write(fd, hole.offset, hole.head, files)
        files.fdatasync(fd)
        for hole in holes:
            begin = hole.offset + len(hole.head)
            if _punch(fd, begin, hole.size - len(hole.head)):
                freed += hole.blocks
            else:
                _overwrite(fd, begin, hole.offset + hole.size, files)
        files.fdatasync(fd)
    finally:
        files.close(fd)
    return freed


def _write(fd: int, offset: int, data: bytes, files: Files) -> None:
    os.lseek(fd, offset, os.SEEK_SET)
    while data:
        count = files.write(fd, data)
        if count <= 0:
            raise OSError("nothing more can be written")
        data = data[count:]


def _overwrite(fd: int, begin: int, end: int, files: Files) -> None:
    """Zeros from `begin` to `end`, unless the last of them are there already: they are written in order."""
    last = max(begin, end - BLOCK)
    if os.pread(fd, end - last, last).strip(b"\0"):
        while begin < end:
            size = min(len(ZEROS), end - begin)
            _write(fd, begin, ZEROS[:size], files)
            begin += size


def _fallocate() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function


def _punch(fd: int, offset: int, length: int) -> bool:
    """Whether the file system can do that. OSError."""
    if length > 0 and _fallocate()(fd, PUNCH_HOLE | KEEP_SIZE, offset, length):
        error = ctypes.get_errno()
        if error not in (EOPNOTSUPP, ENOSYS, EINVAL):
            raise OSError(error, os.strerror(error))
        return False
    return True
