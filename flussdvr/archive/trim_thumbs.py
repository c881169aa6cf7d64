# -*- test-case-name: tests.archive.test_trim_thumbs -*-
"""
Deleting parts of a blob with their thumbnails: who deletes a recording does not want to keep pictures of it.

    trim    .mp4, .idx                  whole fragments become holes
    then    .thumbs.mp4, .thumbs.idx    the JPEGs of these holes, by the same means

A crash in between leaves the blob marked, and the next start does both again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.hold import StreamHolds
from flussdvr.archive.disk.punch import punch
from flussdvr.archive.disk.recovery import read_index, replace_index
from flussdvr.archive.disk.removal import held
from flussdvr.archive.disk.trim import Cut, Trimmed, trim, without
from flussdvr.archive.disk.walk import read_head, walk_index
from flussdvr.archive.thumbs import thumbs_paths
from flussdvr.body.files import FILES, Files
from flussdvr.errors import FormatError
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range


def trim_held(blob: Blob, uuid: str, holds: StreamHolds, cut: Cut, files: Files = FILES) -> Trimmed:
    """`trim_with_thumbs`; DvrError CONFLICT `in_use` where another process has the stream's directory."""
    with held(holds, blob.stream):
        return trim_with_thumbs(blob, uuid, cut, files)


def trim_with_thumbs(blob: Blob, uuid: str, cut: Cut, files: Files = FILES) -> Trimmed:
    """`trim`, and the thumbnails of what is gone. Raises as that does."""
    result = trim(blob, uuid, cut, files)
    if not result.empty:
        try:
            trim_thumbs(blob, result.holes, files)
        except OSError as error:
            return replace(result, error=result.error or error)
    return result


def trim_thumbs(blob: Blob, holes: Sequence[Range], files: Files = FILES) -> None:
    """Delete the thumbnails taken in `holes`; what of the index cannot be read is left out of it. OSError."""
    path, index_path = thumbs_paths(blob)
    index = read_index(index_path)
    if not index or not holes:
        return
    table = FragmentTable()
    try:
        table.extend(index)
    except FormatError:
        pass  # a torn end: what is in front of it has been added
    whole = index[: table.consumed]
    head = read_head(lambda offset, length: whole[offset : offset + length])
    gone = np.array([any(at_ms in hole for hole in holes) for at_ms in table.begin_ms.tolist()], np.bool_)
    if head is None or gone.all():
        for file in (path, index_path):
            try:
                files.unlink(file)
            except FileNotFoundError:
                continue
        return
    trimmed, spans = without(head, list(walk_index(whole, len(head))), gone)
    if trimmed != index:
        replace_index(index_path, trimmed, files)
    punch(path, spans, files)
