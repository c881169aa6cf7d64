# -*- test-case-name: tests.archive.test_joining -*-
"""
A survey: does a root have what the catalog says, and nothing else? By directories, so that it costs little.

    <root>/<stream>/YYYY/MM/DD/HH     hours without a row are listed; rows without their hour are looked for
                                      of each stream, the first and the last hour are listed in any case: those with
                                      a row, and the first that is there (what was deleted last may still have rows)

It finds a stream whose directory was renamed, a disk that was exchanged for its backup, hours that somebody has copied
there or removed. Hours that somebody has changed in part are found by `flussdvr reindex`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flussdvr.archive.disk.blob import Blob, BlobState, stream_directory
from flussdvr.archive.disk.locks import NAME, read_locks
from flussdvr.archive.disk.marker import MARKER, check_marker
from flussdvr.archive.disk.scan import Scanned, Skipped, blob_name, is_utf8
from flussdvr.timeline import RangeSet

_PARTS = (re.compile(r"[0-9]{4}"), *(re.compile(r"[0-9]{2}"),) * 3)
"""Names of the directories of a year, a month, a day, an hour."""


@dataclass(slots=True)
class Surveyed:
    """
    `new`: blobs without a row, to be looked into; `gone`: those of the known ones that are not there any more;
    `locks`: what the files of the streams say.
    """

    new: list[Blob] = field(default_factory=list)
    gone: list[Blob] = field(default_factory=list)
    locks: dict[str, RangeSet] = field(default_factory=dict)
    skipped: Skipped = field(default_factory=Skipped)


def survey(root: str, uuid: str, known: Iterable[Blob]) -> Surveyed:
    """
    Compare a root with the blobs that are `known` on it. Blocks; changes nothing.

    DvrError UNAVAILABLE where the root is not the disk with this uuid, before or after; OSError.
    """
    check_marker(root, uuid)
    hours: dict[str, dict[str, dict[int, Blob]]] = {}
    for blob in known:
        hours.setdefault(blob.stream, {}).setdefault(os.path.dirname(blob.path), {})[blob.begin_ms] = blob
    found = Surveyed()
    missing: list[Blob] = []
    seen: set[str] = set()
    edges = {edge for listed in hours.values() for edge in (min(listed), max(listed))}
    there = list(_hours(root, found.skipped))
    first: dict[str, str] = {}
    for stream, hour in there:
        first[stream] = min(hour, first.get(stream, hour))
    edges.update(first.values())
    for stream, hour in there:
        seen.add(hour)
        rows = hours.get(stream, {}).get(hour)
        if rows is None or hour in edges:
            begins = _begins(root, hour, found.skipped)
            if begins is None:
                continue
            new = sorted(begins - (rows or {}).keys())
            found.new += [Blob(stream, root, begin_ms, begin_ms, state=BlobState.SUSPECT) for begin_ms in new]
            missing += [blob for begin_ms, blob in (rows or {}).items() if begin_ms not in begins]
    for listed in hours.values():
        missing += [blob for hour, rows in listed.items() if hour not in seen for blob in rows.values()]
    for stream in {*hours, *(blob.stream for blob in found.new)}:
        path = f"{stream_directory(root, stream)}/{NAME}"
        if os.path.lexists(path):
            read = read_locks(path)
            found.locks[stream] = read.locks
            if read.problem is not None:
                found.skipped.add(path, read.problem)
    found.gone = [blob for blob in missing if _is_gone(blob.path)]
    check_marker(root, uuid)  # an unmounted disk has nothing, and has lost nothing
    return found


def newest(root: str, uuid: str) -> Scanned:
    """
    The newest day of every stream, and all locks: what a viewer asks for first, long before a large root is scanned.

    DvrError UNAVAILABLE, OSError.
    """
    check_marker(root, uuid)
    found = Scanned()
    streams = set()
    for stream, hour in _hours(root, Skipped(), newest_only=True):
        streams.add(stream)
        begins = _begins(root, hour, found.skipped) or ()
        found.blobs += [Blob(stream, root, begin_ms, begin_ms, state=BlobState.SUSPECT) for begin_ms in begins]
    for stream in sorted(streams):
        path = f"{stream_directory(root, stream)}/{NAME}"
        if os.path.lexists(path):
            found.locks[stream] = read_locks(path).locks
    check_marker(root, uuid)
    return found


def _is_gone(path: str) -> bool:
    """Certainly: neither unreadable nor behind a link."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _hours(root: str, skipped: Skipped, newest_only: bool = False) -> Iterator[tuple[str, str]]:
    """Every directory of an hour, or those of the newest day, with the stream that it belongs to."""
    pending = [(root, "", 0)]
    while pending:
        directory, stream, depth = pending.pop()
        if depth == len(_PARTS):
            yield stream, directory
            continue
        below, nested = _below(directory, skipped)
        if nested and directory != root:
            continue
        dated = [name for name in below if stream and _PARTS[depth].fullmatch(name)]
        if newest_only and depth < len(_PARTS) - 1 and dated:
            below = [name for name in below if name not in dated] + [max(dated)]
        for name in below:
            path = f"{directory.rstrip('/')}/{name}"
            if stream and _PARTS[depth].fullmatch(name):
                pending.append((path, stream, depth + 1))
            elif not depth:
                pending.append((path, f"{stream}/{name}" if stream else name, 0))


def _below(directory: str, skipped: Skipped) -> tuple[list[str], bool]:
    """The directories in one, and whether it is another root."""
    names, nested = [], False
    try:
        with os.scandir(directory) as listing:
            for entry in listing:
                nested = nested or entry.name == MARKER
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and is_utf8(entry.name):
                    names.append(entry.name)
    except FileNotFoundError:
        return [], False
    except OSError as error:
        skipped.add(directory, error.strerror or str(error))
        return [], False
    return names, nested


def _begins(root: str, hour: str, skipped: Skipped) -> set[int] | None:
    """The blobs in the directory of an hour; `None` where it can't be listed."""
    begins = set()
    try:
        with os.scandir(hour) as listing:
            for entry in listing:
                if is_utf8(entry.name) and entry.is_file(follow_symlinks=False):
                    named = blob_name(root.rstrip("/"), entry.path)
                    if named is not None and named[2] == "mp4":
                        begins.add(named[1])
    except FileNotFoundError:
        return set()
    except OSError as error:
        skipped.add(hour, error.strerror or str(error))
        return None
    return begins
