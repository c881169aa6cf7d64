# -*- test-case-name: tests.archive.test_deletion -*-
"""
Removing the files of blobs, and finding out what is left where that fails. Blocking: in a root's syncer thread.

    .mp4  .idx  .thumbs.mp4  .thumbs.idx      in this order: while the first is there, nothing has been removed
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from flussdvr.archive.blob import Blob, blob_stem, delete_files
from flussdvr.archive.files import FILES, Files
from flussdvr.archive.marker import check_marker


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


def remove_blobs(blobs: Sequence[Blob], uuid: str, files: Files = FILES) -> list[Removal]:
    """
    Remove the files of blobs on one root, each for itself: one that fails is not the others' failure.

    What is not there because its disk is not mounted has not been deleted: DvrError UNAVAILABLE where the root is not
    the disk with this uuid.
    """
    if blobs:
        check_marker(blobs[0].root, uuid)
    return [_remove(blob, files) for blob in blobs]


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
