# -*- test-case-name: tests.archive.test_recorder -*-
"""
Blobs: one file of uninterrupted recording, and its index beside it.

    <root>/<stream>/YYYY/MM/DD/HH/<begin_ms>.mp4     ftyp moov uuid (moof mdat)*
                                  <begin_ms>.idx     ftyp moov uuid (moof mdat-header)*

Order of writes: the fragment into the blob, then its head into the index, so that the index is never ahead of the
data; order of syncs: the blob, the index, once the directories that were made for them. Appending happens in the
root's writer thread, syncing and closing in its syncer thread; no append is under way when `close` is asked for.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import IntEnum

from flussdvr.body.files import FILES, Files, sync_directory
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import Range

SUFFIXES = (".mp4", ".idx", ".thumbs.mp4", ".thumbs.idx")
"""Of all the files that belong to a blob."""


class BlobState(IntEnum):
    """As stored in the catalog."""

    OPEN = 0
    """Being recorded, or left so by a crash: to be recovered."""
    CLOSED = 1
    DELETING = 2
    """Its files are being deleted; a crash only delays that."""
    SUSPECT = 3
    """A sync of it failed: what the disk really holds is found out at the next start."""
    TRIMMING = 4
    """Fragments of it are being deleted; a crash only delays that."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Blob:
    """
    What is known of a blob. `[begin_ms, end_ms)` and the sizes tell what has been written and may be listed and read.

    `segment_ms`, `sequence` (media sequence number of its first segment) `after` (why there is a gap before it) and
    `discontinuity` (how many discontinuities the stream had up to its beginning, 0 if not counted) also stand in the
    file. `holes` are the parts of it that were deleted, `freed` how many bytes that gave back.
    Lives in the reactor thread.
    """

    stream: str
    root: str
    begin_ms: int
    end_ms: int
    size: int = 0
    index_size: int = 0
    state: BlobState = BlobState.OPEN
    segment_ms: int = 0
    sequence: int = 0
    after: str | None = None
    id: int = 0
    holes: tuple[Range, ...] = ()
    freed: int = 0
    discontinuity: int = 0

    @property
    def disk_size(self) -> int:
        """Bytes on the disk, the index included."""
        return self.size + self.index_size - self.freed

    @property
    def closed(self) -> bool:
        return self.state is not BlobState.OPEN

    @property
    def range(self) -> Range:
        return Range(self.begin_ms, self.end_ms)

    @property
    def name(self) -> str:
        """What its files are called on its root, wherever that is; without the suffix."""
        return blob_name(self.stream, self.begin_ms)

    @property
    def path(self) -> str:
        return blob_stem(self.root, self.stream, self.begin_ms) + ".mp4"

    @property
    def index_path(self) -> str:
        return blob_stem(self.root, self.stream, self.begin_ms) + ".idx"


def stream_directory(root: str, stream: str) -> str:
    """Where a stream is recorded. DvrError BAD_REQUEST for a name that would lead elsewhere."""
    return f"{root}/{_directory_name(stream)}"


def _directory_name(stream: str) -> str:
    if any(part in ("", ".", "..") or "\0" in part for part in stream.split("/")):
        raise DvrError(Kind.BAD_REQUEST, "bad_stream_name", f"{stream!r} names no directory")
    return stream


def blob_stem(root: str, stream: str, begin_ms: int) -> str:
    """The path of a blob without the suffix."""
    return f"{root}/{blob_name(stream, begin_ms)}"


def blob_name(stream: str, begin_ms: int) -> str:
    """The path of a blob on its root, without the suffix."""
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime(begin_ms // 1000))
    return f"{_directory_name(stream)}/{hour}/{begin_ms}"


class BlobFailed(Exception):
    """An earlier write of this blob failed; it takes no more."""


class BlobWriter:
    """
    The two files of an open blob.

    Any method but `close` raises OSError as the system does. After a failed append both files end where they ended
    before it, if the disk allows that much.
    """

    def __init__(self, blob: Blob, files: Files = FILES) -> None:
        self.root = blob.root
        self.stream = blob.stream
        self.path = blob.path
        self.index_path = blob.index_path
        self.size = 0
        self.index_size = 0
        self.dirty = False
        self._files = files
        self._data_fd = -1
        self._index_fd = -1
        self._failed = False
        self._created_in: list[str] = []

    def create(self, head: bytes) -> None:
        """Make the files with `head`, the init segment and the info box. FileExistsError if there are such files."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            self._make_directory(os.path.dirname(self.path))
            self._data_fd = self._files.open(self.path, flags, 0o644)
        except FileNotFoundError:  # expiry removed a directory that had become empty: once more, and it is not empty
            self._make_directory(os.path.dirname(self.path))
            self._data_fd = self._files.open(self.path, flags, 0o644)
        self._index_fd = self._files.open(self.index_path, flags, 0o644)
        self._write(self._data_fd, head)
        self._write(self._index_fd, head)
        self.size = self.index_size = len(head)
        self.dirty = True

    def abandon(self) -> None:
        """After a failed `create`: close and remove what it has made."""
        for fd, path in ((self._data_fd, self.path), (self._index_fd, self.index_path)):
            if fd >= 0:
                self._files.close(fd)
                self._files.unlink(path)
        self._data_fd = self._index_fd = -1
        self._failed = True

    def append(self, data: bytes, head_size: int) -> tuple[int, int]:
        """Add a fragment whose first `head_size` bytes go to the index too. The new sizes of blob and index."""
        if self._failed:
            raise BlobFailed(self.path)
        try:
            self._write(self._data_fd, data)
            self._write(self._index_fd, data[:head_size])
        except OSError:
            self._failed = True
            self._cut_back()
            raise
        self.size += len(data)
        self.index_size += head_size
        self.dirty = True
        return self.size, self.index_size

    def sync(self) -> None:
        """Bring what is written to the disk. If that fails, nothing is known any more of what the disk holds."""
        self.dirty = False
        self._files.fdatasync(self._data_fd)
        self._files.fdatasync(self._index_fd)
        while self._created_in:
            sync_directory(self._created_in[-1], self._files)
            self._created_in.pop()

    def close(self) -> None:
        """Sync and close. The files are closed even where it fails."""
        try:
            if self._data_fd >= 0 and self._index_fd >= 0:
                self.sync()
        finally:
            for fd in (self._data_fd, self._index_fd):
                if fd >= 0:
                    self._files.close(fd)
            self._data_fd = self._index_fd = -1
            self._failed = True

    def _write(self, fd: int, data: bytes) -> None:
        written = self._files.write(fd, data)
        while written < len(data):  # short only when the disk is full or the file as large as it may be
            more = self._files.write(fd, data[written:])
            if not more:
                raise OSError(f"{self.path}: nothing more can be written")
            written += more

    def _cut_back(self) -> None:
        for fd, size in ((self._data_fd, self.size), (self._index_fd, self.index_size)):
            try:
                self._files.ftruncate(fd, size)
            except OSError:
                continue

    def _make_directory(self, path: str) -> None:
        """Like `mkdir -p` below the root; never makes the root, which is missing when its disk is not mounted."""
        missing = []
        while path != self.root and not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        self._created_in = [path]
        for directory in reversed(missing):
            try:
                self._files.mkdir(directory, 0o755)
            except FileExistsError:
                continue
            self._created_in.append(directory)


def delete_files(blob: Blob, files: Files = FILES) -> None:
    """
    Remove a blob's files and the directories that become empty. What is missing already is fine.

    The recording goes first, and if that fails nothing else does: OSError. A later file that can't be removed keeps
    none of the others: OSError when the rest has been removed.
    """
    stem = blob_stem(blob.root, blob.stream, blob.begin_ms)
    failed: OSError | None = None
    for suffix in SUFFIXES:
        try:
            files.unlink(stem + suffix)
        except FileNotFoundError:
            continue
        except OSError as error:
            if suffix == SUFFIXES[0]:
                raise
            failed = failed or error
    if failed is not None:
        raise failed
    directory = os.path.dirname(stem)
    while directory != blob.root:
        try:
            files.rmdir(directory)
        except OSError:
            return
        directory = os.path.dirname(directory)
