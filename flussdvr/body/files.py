"""
The system calls by which the store changes a disk, so that tests can let each of them fail or be the last.
"""

from __future__ import annotations

import os
from typing import Protocol, cast


class Files(Protocol):
    """What of `os` the store uses; tests give another that fails or stops where they want."""

    def open(self, path: str, flags: int, mode: int = 0o777) -> int: ...
    def write(self, fd: int, data: bytes, /) -> int: ...
    def ftruncate(self, fd: int, length: int) -> None: ...
    def fdatasync(self, fd: int) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def close(self, fd: int) -> None: ...
    def mkdir(self, path: str, mode: int = 0o777) -> None: ...
    def unlink(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def rename(self, src: str, dst: str) -> None: ...


FILES = cast(Files, os)


def sync_directory(path: str, files: Files = FILES) -> None:
    """Bring the names in a directory to the disk."""
    fd = files.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.fsync(fd)
    finally:
        files.close(fd)
