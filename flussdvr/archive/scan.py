# -*- test-case-name: tests.archive.test_tools -*-
"""
What lies on a storage root, by the names alone: `<stream>/YYYY/MM/DD/HH/<begin_ms>.mp4`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from flussdvr.archive.blob import Blob, BlobState, blob_stem
from flussdvr.archive.marker import MARKER

_BLOB = re.compile(r"(?P<stream>.+)/\d{4}/\d\d/\d\d/\d\d/(?P<begin>\d{1,15})\.(?P<kind>mp4|idx|idx\.new)")


def find_files(root: str) -> Iterator[tuple[str, str, int, str]]:
    """
    `(path, stream, begin_ms, kind)` of every blob (`mp4`), index (`idx`) and draft of one (`idx.new`).

    A directory with a marker of its own is another root, and not looked into.
    """
    for directory, below, names in os.walk(root):
        if MARKER in names and directory != root:
            below.clear()
            continue
        for name in sorted(names):
            path = f"{directory}/{name}"
            if (found := _BLOB.fullmatch(path[len(root) + 1 :])) is None:
                continue
            begin_ms = int(found["begin"])
            if f"{blob_stem(root, found['stream'], begin_ms)}.{found['kind']}" == path:
                yield path, found["stream"], begin_ms, found["kind"]


def find_blobs(root: str) -> list[Blob]:
    """Every blob on a root as one that was left open: what is in it is still to be looked into."""
    root = os.path.abspath(root)
    found = [(stream, begin_ms) for _, stream, begin_ms, kind in find_files(root) if kind == "mp4"]
    return [Blob(stream, root, begin_ms, begin_ms, state=BlobState.OPEN) for stream, begin_ms in sorted(found)]
