# -*- test-case-name: tests.archive.disk.test_locks -*-
"""
Small files that are replaced whole: atomically, and durably when the call returns; and read within bounds.

What is read may have been put there by anybody: a FIFO never blocks, a file that is too large is never loaded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from flussdvr.body.files import FILES, Files, sync_directory


def replace_file(path: str, data: bytes, files: Files = FILES, mode: int = 0o644) -> None:
    """Write a draft, sync it, rename it over `path`, sync the directory. OSError: `path` is as it was."""
    draft = path + ".new"
    fd = files.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        written = 0
        while written < len(data):
            more = files.write(fd, data[written:])
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), draft)
            written += more
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(draft, path)
    sync_directory(os.path.dirname(path) or ".", files)


def make_directories(path: str, files: Files = FILES) -> None:
    """Like `mkdir -p`; what was made is there after a loss of power. OSError."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            files.mkdir(directory, 0o755)
        sync_directory(os.path.dirname(directory), files)


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file. OSError EINVAL for anything else: a FIFO, a socket, a device, a directory."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_bounded(path: str, limit: int) -> bytes:
    """All of a regular file. OSError; EFBIG where it has more than `limit` bytes."""
    with open(open_regular(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"more than {limit} bytes", path)
    return data
