# -*- test-case-name: tests.archive.disk.test_locks -*-
"""
`<root>/<stream>/locks.json`: the locks of a stream, beside what they protect.

    {"locks": [[begin_ms, end_ms], ...]}

Replaced atomically, before the catalog is told: a catalog that is lost is rebuilt with the locks. A file that is
damaged is kept beside the new one, as `locks.json.broken-<time>`: somebody may still make sense of it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from flussdvr.archive.disk.blob import stream_directory
from flussdvr.archive.disk.marker import check_marker
from flussdvr.body.durable import read_bounded, replace_file
from flussdvr.body.files import FILES, Files, sync_directory
from flussdvr.json_text import parse_json
from flussdvr.timeline import MAX_MS, Range, RangeSet

NAME = "locks.json"
BROKEN = NAME + ".broken-"
"""So begin the names of damaged files that are kept; the time in UTC follows."""
LIMIT = 64 << 20
"""Bytes of a file: two million locks."""


@dataclass(frozen=True, slots=True)
class ReadLocks:
    """The locks of a file that make sense; `problem`: what of it does not, or `None`."""

    locks: RangeSet
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A damaged file that is kept. `path`: where it is now; `problem`: what is wrong with it."""

    path: str
    problem: str


def write_locks(
    root: str, uuid: str, stream: str, locks: RangeSet, files: Files = FILES, now: Callable[[], float] = time.time
) -> Kept | None:
    """
    Durably. What became of a damaged file in its place, `None` where there was none.

    DvrError UNAVAILABLE where the root is another disk; OSError: the file is as it was.
    """
    check_marker(root, uuid)
    directory = stream_directory(root, stream)
    path = f"{directory}/{NAME}"
    kept = _keep_broken(path, files, now)
    if not locks:
        if os.path.exists(path):
            files.unlink(path)
            sync_directory(directory, files)
        return kept
    os.makedirs(directory, exist_ok=True)
    data = json.dumps({"locks": [[lock.begin_ms, lock.end_ms] for lock in locks]}, separators=(",", ":")).encode()
    replace_file(path, data, files)
    return kept


def _keep_broken(path: str, files: Files, now: Callable[[], float]) -> Kept | None:
    """Rename a damaged file, so that the next one is written beside it. OSError."""
    if not os.path.lexists(path) or (problem := read_locks(path).problem) is None:
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(max(0, int(now()))))
    stem, number = f"{os.path.dirname(path)}/{BROKEN}{stamp}", 0
    while os.path.lexists(kept := f"{stem}.{number}" if number else stem):
        number += 1
    files.rename(path, kept)
    return Kept(kept, problem)


def read_locks(path: str) -> ReadLocks:
    """What a file says, whatever stands in it."""
    try:
        value = parse_json(read_bounded(path, LIMIT), LIMIT)
    except (OSError, ValueError, RecursionError) as error:
        return ReadLocks(RangeSet(), f"{error}"[:200])
    pairs = value.get("locks") if isinstance(value, dict) else None
    if not isinstance(pairs, list):
        return ReadLocks(RangeSet(), "it has no list of locks")
    good = sorted(found for pair in pairs if (found := _range(pair)) is not None)
    bad = len(pairs) - len(good)
    return ReadLocks(RangeSet(good), f"{bad} of its {len(pairs)} locks are no ranges" if bad else None)


def _range(pair: object) -> Range | None:
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    begin_ms, end_ms = (_moment(value) for value in pair)
    return Range(begin_ms, end_ms) if begin_ms is not None and end_ms is not None and begin_ms < end_ms else None


def _moment(value: object) -> int | None:
    """UTC milliseconds; a JSON number may be written with a fraction of zero."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_MS else None
