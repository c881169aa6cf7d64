# -*- test-case-name: tests.archive.test_joining -*-
"""
What lies on a storage root, by the names alone: `<stream>/YYYY/MM/DD/HH/<begin_ms>.mp4`, `<stream>/locks.json`.

A disk has other things on it: what somebody put there, what another program keeps, what a crash has left. Each is
skipped with a reason, and nothing of it ends the scan. Links are not followed, so that none leads in circles or away.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from flussdvr.archive.disk.blob import SUFFIXES, Blob, BlobState, blob_stem
from flussdvr.archive.disk.locks import BROKEN, NAME, read_locks
from flussdvr.archive.disk.marker import MARKER
from flussdvr.timeline import RangeSet

_BLOB = re.compile(
    r"(?P<stream>.+)/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}/(?P<begin>[0-9]{1,15})\.(?P<kind>mp4|idx|idx\.new)"
)
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)
SHOWN = 100
"""So many of what was skipped are named, the others are counted."""


@dataclass(slots=True)
class Skipped:
    """What was passed over: `count` in all, the first of them in words."""

    count: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, path: str, reason: str) -> None:
        self.count += 1
        if len(self.lines) < SHOWN:
            self.lines.append(f"{printable(path)}: {reason}")

    def __str__(self) -> str:
        more = self.count - len(self.lines)
        return "; ".join([*self.lines, *([f"and {more} more"] if more else [])])


@dataclass(slots=True)
class Scanned:
    """
    What is on a root. `unread`: directories that could not be listed: what is in them is not known, and not gone.
    """

    blobs: list[Blob] = field(default_factory=list)
    locks: dict[str, RangeSet] = field(default_factory=dict)
    skipped: Skipped = field(default_factory=Skipped)
    unread: list[str] = field(default_factory=list)


def scan(root: str) -> Scanned:
    """All of a root. A blob is one whose contents are still to be looked into: SUSPECT, with no size. OSError."""
    root = os.path.abspath(root)
    found = Scanned()
    for path, stream, begin_ms, kind in _find(root, found):
        if kind == "mp4":
            found.blobs.append(Blob(stream, root, begin_ms, begin_ms, state=BlobState.SUSPECT))
        elif kind == "locks":
            read = read_locks(path)
            if read.problem is not None:
                found.skipped.add(path, read.problem)
            if read.locks or read.problem is None:
                found.locks[stream] = read.locks
    found.blobs.sort(key=lambda blob: (blob.stream, blob.begin_ms))
    return found


def find_files(root: str, found: Scanned | None = None) -> Iterator[tuple[str, str, int, str]]:
    """
    `(path, stream, begin_ms, kind)` of every blob (`mp4`), index (`idx`) and draft of one (`idx.new`).

    A directory with a marker of its own is another root, and not looked into. `found` is told of what is skipped.
    """
    for one in _find(root, found or Scanned()):
        if one[3] != "locks":
            yield one


def find_locks(root: str) -> Iterator[tuple[str, RangeSet]]:
    """The locks of every stream on a root, not of one nested in it; a damaged file is passed over."""
    for path, stream, _, kind in _find(root, Scanned()):
        if kind == "locks" and (read := read_locks(path)).problem is None:
            yield stream, read.locks


def find_blobs(root: str) -> list[Blob]:
    """Every blob on a root: what is in it is still to be looked into."""
    return scan(root).blobs


def _find(root: str, found: Scanned) -> Iterator[tuple[str, str, int, str]]:
    root = root.rstrip("/")
    for directory, names in _directories(root or "/", found):
        for name in names:
            path = f"{directory.rstrip('/')}/{name}"
            if name == NAME and directory != (root or "/"):
                yield path, path[len(root) + 1 : -len(NAME) - 1], 0, "locks"
            elif (named := blob_name(root, path)) is not None:
                yield path, *named
            elif not (
                name.startswith((MARKER, BROKEN))
                or name.endswith((*SUFFIXES, NAME + ".new"))
                and _is_beside(root, path)
            ):
                found.skipped.add(path, "not a recording")


def blob_name(root: str, path: str) -> tuple[str, int, str] | None:
    """Stream, begin and kind that the path of a file below a root says, if it is one of a blob."""
    named = _BLOB.fullmatch(path[len(root) + 1 :])
    if named is None:
        return None
    begin_ms = int(named["begin"])
    if f"{blob_stem(root, named['stream'], begin_ms)}.{named['kind']}" != path:
        return None
    return named["stream"], begin_ms, named["kind"]


def _is_beside(root: str, path: str) -> bool:
    """Whether it is a file of a blob's, such as its thumbnails."""
    stem, _, suffix = path.partition(".thumbs.")
    return blob_name(root, f"{stem}.{suffix or 'mp4'}") is not None or path.endswith(NAME + ".new")


def _directories(root: str, found: Scanned) -> Iterator[tuple[str, list[str]]]:
    """Every directory below a root, and the regular files in it. OSError where the root itself can't be listed."""
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if directory == root:
                raise
            if not isinstance(error, FileNotFoundError):  # expired meanwhile
                found.unread.append(directory)
                found.skipped.add(directory, error.strerror or str(error))
            continue
        if directory != root and any(entry.name == MARKER for entry in entries):
            found.skipped.add(directory, "another storage root")
            continue
        below, names = [], []
        for entry in entries:
            problem = _problem(entry, found)
            if problem is not None:
                found.skipped.add(entry.path, problem)
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            else:
                names.append(entry.name)
        yield directory, names
        pending += reversed(below)


def _problem(entry: os.DirEntry[str], found: Scanned) -> str | None:
    """Why an entry of a directory is none of ours, or `None`."""
    if not is_utf8(entry.name):
        return "its name is not UTF-8"
    try:
        if entry.is_symlink():
            return "a symbolic link, not followed"
        if entry.is_dir(follow_symlinks=False):
            if entry.name.startswith("."):
                return "a hidden directory"
            return None if entry.name.isprintable() else "its name has control characters"
        if entry.is_file(follow_symlinks=False):
            return None
        mode = entry.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return "gone meanwhile"
    except OSError as error:
        found.unread.append(entry.path)
        return error.strerror or str(error)
    return next((what for test, what in _KINDS if test(mode)), "not a regular file")


def is_utf8(name: str) -> bool:
    """Whether a name that the system gave is text (PEP 383)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str) -> str:
    """A path for people, whatever bytes are in it."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
