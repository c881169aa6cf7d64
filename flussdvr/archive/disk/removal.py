# -*- test-case-name: tests.archive.test_deletion -*-
"""
Removing the files of blobs, and finding out what is left where that fails. Blocking: in a root's syncer thread.

    .mp4  .idx  .thumbs.mp4  .thumbs.idx      in this order: while the first is there, nothing has been removed

Nothing is removed from a stream's directory that another process holds (see `hold`): two servers may have one root.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from flussdvr.archive.disk.blob import Blob, blob_stem, delete_files, stream_directory
from flussdvr.archive.disk.hold import StreamHolds
from flussdvr.archive.disk.marker import check_marker
from flussdvr.body.files import FILES, Files
from flussdvr.errors import DvrError


class Left(Enum):
    """What there still is of a blob."""

    ALL = 1
    """The recording and its index."""
    SOME = 2
    """The recording is gone, other files are not; or nobody can tell."""
    NOTHING = 3


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of the files of one blob; `error`: why not all of them are gone, or `None`."""

    left: Left
    error: Exception | None = None


@contextlib.contextmanager
def held(holds: StreamHolds, stream: str) -> Iterator[None]:
    """
    While a stream's files are changed. DvrError CONFLICT `in_use` where another process has the directory.

    A disk that is full or read-only takes no new lock file; one that another holds is there already. So whatever else
    fails, nobody holds it, and a full disk can be emptied.
    """
    taken = False
    if os.path.isdir(stream_directory(holds.root, stream)):
        with contextlib.suppress(OSError):
            holds.take(stream)
            taken = True
    try:
        yield
    finally:
        if taken:
            holds.give_back(stream)


def remove_blobs(blobs: Sequence[Blob], uuid: str, holds: StreamHolds, files: Files = FILES) -> list[Removal]:
    """
    Remove the files of blobs on one root, each for itself: one that fails is not the others' failure, and those of a
    stream that another process holds stay.

    What is not there because its disk is not mounted has not been deleted: DvrError UNAVAILABLE where the root is not
    the disk with this uuid.
    """
    if blobs:
        check_marker(blobs[0].root, uuid)
    found: dict[Blob, Removal] = {}
    for stream in dict.fromkeys(blob.stream for blob in blobs):
        some = [blob for blob in blobs if blob.stream == stream]
        try:
            with held(holds, stream):
                found |= {blob: _remove(blob, files) for blob in some}
        except DvrError as error:
            found |= {blob: Removal(Left.ALL, error) for blob in some if blob not in found}
    return [found[blob] for blob in blobs]


def _remove(blob: Blob, files: Files) -> Removal:
    try:
        delete_files(blob, files)
    except OSError as error:
        return Removal(_what_is_left(blob), error)
    return Removal(Left.NOTHING)


def _what_is_left(blob: Blob) -> Left:
    stem = blob_stem(blob.root, blob.stream, blob.begin_ms)
    try:
        for suffix in (".mp4", ".idx"):
            os.lstat(stem + suffix)
    except OSError:
        return Left.SOME
    return Left.ALL
