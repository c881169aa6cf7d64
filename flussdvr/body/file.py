# -*- test-case-name: tests.body.test_file -*-
"""
The files that bodies have parts of, wherever they are.

    BodyFile  (place, name) --open()--> Opened    descriptor   for sendfile(2) and copy_file_range(2)
                                                  chunks       for all others

A `Place` knows how its files are read and by which threads: a directory of this machine is one; what another machine
or an object store keeps is read through further ones. The name is the same wherever the place is.

A recording may expire while it is being read: its file is unlinked (harmless while it is open) or a hole is punched
into it, which would read as zeros. So every read is followed by a look for holes.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass

from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker, Worker


class DataGone(DvrError):
    """The file is not there any more, shorter, or has a hole where the bytes were. `file`: which one, for a log."""

    def __init__(self, file: str) -> None:
        super().__init__(Kind.NOT_FOUND, "data_gone", f"{file} has been deleted")
        self.file = file


class Opened(ABC):
    """
    A file that is being read. Everything blocks; for one thread at a time, in no case the reactor's. Close it.

    `descriptor`: what the kernel may copy from, `None` where there are only chunks. Who copies from it calls `check`
    for what was copied.
    """

    descriptor: int | None = None

    def __init__(self, file: str) -> None:
        self._file = file

    def chunk(self, offset: int, length: int) -> bytes:
        """Some of the bytes from `offset` on, at least one and at most `length`. `DataGone`, OSError."""
        data = self._some(offset, length)
        if not 0 < len(data) <= length:
            raise DataGone(self._file)
        self.check(offset, offset + len(data))
        return data

    def read(self, offset: int, length: int) -> bytes:
        """Just `length` bytes from `offset` on. `DataGone`, OSError."""
        data = self.chunk(offset, length) if length else b""
        if len(data) == length:
            return data
        chunks, done = [data], len(data)
        while done < length:
            chunks.append(self.chunk(offset + done, length - done))
            done += len(chunks[-1])
        return b"".join(chunks)

    @abstractmethod
    def _some(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes, none where there are none. `DataGone`, OSError."""

    @abstractmethod
    def check(self, start: int, stop: int) -> None:
        """Raises `DataGone` where part of `[start, stop)` has been deleted, so that it may have been read as zeros."""

    @abstractmethod
    def close(self) -> None: ...


class Place(ABC):
    """Where files are. `worker` reads them. Values: compared and kept as keys."""

    @property
    @abstractmethod
    def worker(self) -> Worker: ...

    def file(self, name: str) -> BodyFile:
        return BodyFile(self, name)

    @abstractmethod
    def open(self, name: str) -> Opened:
        """Blocking. `DataGone`, OSError."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file now. Blocking. OSError, FileNotFoundError where there is none."""

    @abstractmethod
    def where(self, name: str) -> str:
        """For logs and errors."""


@dataclass(frozen=True, slots=True)
class BodyFile:
    """The file `name` of a place. In any thread; `open` and `size` block, and belong into `worker`."""

    place: Place
    name: str

    @property
    def worker(self) -> Worker:
        """The threads that may wait for the place."""
        return self.place.worker

    def open(self) -> Opened:
        """Blocking. `DataGone` where there is no such file, OSError of a disk or a connection."""
        return self.place.open(self.name)

    def size(self) -> int:
        """Bytes of it now. Blocking. OSError."""
        return self.place.size(self.name)

    def __str__(self) -> str:
        return self.place.where(self.name)


@dataclass(frozen=True, slots=True)
class Directory(Place):
    """A directory of this machine; `reader` are the threads of its disk."""

    path: str
    reader: Worker

    @property
    def worker(self) -> Worker:
        return self.reader

    def open(self, name: str) -> Opened:
        path = self.where(name)
        try:
            return _Descriptor(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise DataGone(path) from None

    def size(self, name: str) -> int:
        return os.stat(self.where(name)).st_size

    def where(self, name: str) -> str:
        return f"{self.path}/{name}"


class _Descriptor(Opened):
    descriptor: int

    def __init__(self, path: str, descriptor: int) -> None:
        super().__init__(path)
        self.descriptor = descriptor

    def _some(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self.descriptor, length, offset)
        except OSError as error:
            error.filename = self._file
            raise

    def check(self, start: int, stop: int) -> None:
        if has_hole(self.descriptor, start, stop):
            raise DataGone(self._file)

    def close(self) -> None:
        os.close(self.descriptor)


def has_hole(descriptor: int, start: int, stop: int) -> bool:
    """Whether part of `[start, stop)` has been punched out of the file, or lies behind its end."""
    try:
        return os.lseek(descriptor, start, os.SEEK_HOLE) < stop
    except OSError:
        return True


def file_at(path: str) -> BodyFile:
    """A file of this machine that is read at once, in the caller's thread: for command line tools."""
    directory, name = os.path.split(path)
    return Directory(directory, _AT_ONCE).file(name)


_AT_ONCE = InlineWorker()
