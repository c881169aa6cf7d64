# -*- test-case-name: tests.archive.test_locks -*-
"""
`<root>/<stream>/locks.json`: the locks of a stream, beside what they protect.

    {"locks": [[begin_ms, end_ms], ...]}

Replaced atomically, before the catalog is told: a catalog that is lost is rebuilt with the locks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from flussdvr.archive.blob import stream_directory
from flussdvr.archive.files import FILES, Files, sync_directory
from flussdvr.archive.marker import MARKER, check_marker
from flussdvr.timeline import Range, RangeSet

NAME = "locks.json"


def write_locks(root: str, uuid: str, stream: str, locks: RangeSet, files: Files = FILES) -> None:
    """Durably. DvrError UNAVAILABLE where the root is another disk; OSError."""
    check_marker(root, uuid)
    directory = stream_directory(root, stream)
    path = f"{directory}/{NAME}"
    if not locks:
        if os.path.exists(path):
            files.unlink(path)
            sync_directory(directory, files)
        return
    os.makedirs(directory, exist_ok=True)
    data = json.dumps({"locks": [[lock.begin_ms, lock.end_ms] for lock in locks]}, separators=(",", ":")).encode()
    fd = files.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        written = 0
        while written < len(data):
            written += files.write(fd, data[written:])
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(path + ".new", path)
    sync_directory(directory, files)


def find_locks(root: str) -> Iterator[tuple[str, RangeSet]]:
    """The locks of every stream on a root, not of one nested in it; a damaged file is passed over. OSError."""
    for directory, below, names in os.walk(root):
        if MARKER in names and directory != root:
            below.clear()
            continue
        if NAME in names and directory != root:
            locks = read_locks(f"{directory}/{NAME}")
            if locks is not None:
                yield directory[len(root) + 1 :], locks


def read_locks(path: str) -> RangeSet | None:
    try:
        with open(path, encoding="utf-8") as file:
            pairs = json.load(file)["locks"]
        return RangeSet(Range(int(begin), int(end)) for begin, end in pairs)
    except (OSError, ValueError, TypeError, KeyError):
        return None
