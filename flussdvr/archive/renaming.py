# -*- test-case-name: tests.archive.test_renaming -*-
"""
Renaming a stream: its recordings, its locks and what the API has said of it go to another name.

    held      <state_dir>, <root>/OLD, <root>/NEW      no server runs, nobody records either
    checked   nothing of NEW is in the way             before anything is changed
    moved     <root>/OLD/2026 -> <root>/NEW/2026 ...   year by year, as another stream may lie in OLD
    catalog   blobs, locks, deletions, overrides       in one transaction

Each step can be repeated: what an interruption has left is finished by the same command, and what was moved is found by
the next start of the server in any case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from flussdvr.archive.disk.blob import stream_directory
from flussdvr.archive.disk.hold import StreamHolds, hold
from flussdvr.archive.disk.locks import NAME
from flussdvr.archive.disk.marker import read_marker
from flussdvr.body.durable import make_directories
from flussdvr.body.files import FILES, Files, sync_directory
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker, result_of

_YEAR = re.compile(r"[0-9]{4}")
CATALOG = "catalog.sqlite"


@dataclass(frozen=True, slots=True)
class Renamed:
    """`moved`: directories and files; `rows`: of the catalog."""

    old: str
    new: str
    moved: int
    rows: int

    def __str__(self) -> str:
        return f"{self.old} is {self.new} now: {self.moved} directories and files moved, {self.rows} rows changed"


def rename_stream(roots: Sequence[str], state_dir: str, old: str, new: str, files: Files = FILES) -> Renamed:
    """
    DvrError NOT_FOUND where there is nothing of OLD; CONFLICT where NEW has recordings of the same year, or a server
    runs or records either; UNAVAILABLE where a root is not mounted or the catalog can't be written. OSError.
    """
    with ExitStack() as stack:
        os.makedirs(state_dir, exist_ok=True)
        stack.callback(hold(state_dir, f"renaming {old}").release)
        catalog = SqliteCatalog(os.path.join(state_dir, CATALOG), InlineWorker())
        result_of(catalog.open())
        stack.callback(lambda: result_of(catalog.close()))
        known = [row.path for row in result_of(catalog.roots.all()) if row.path is not None]
        paths = list(dict.fromkeys([*map(os.path.abspath, roots), *known]))
        moves = []
        seen: set[str] = set()
        for root in paths:
            uuid = read_marker(root)
            if uuid is None:
                if root in known:
                    raise DvrError(Kind.UNAVAILABLE, "disk_not_mounted", f"{root} has no marker: is its disk mounted?")
                continue
            if uuid in seen:  # a copy of a root that comes before it: not the one that is used
                continue
            seen.add(uuid)
            holds = StreamHolds(root, files)
            stack.callback(holds.release)
            moves += list(_moves(root, old, new, holds))
        for source, target in moves:
            if os.path.lexists(target):
                raise DvrError(Kind.CONFLICT, "already_exists", f"{target} is in the way of {source}")
        for source, target in moves:
            make_directories(os.path.dirname(target), files)
            files.rename(source, target)
            sync_directory(os.path.dirname(target), files)
            sync_directory(os.path.dirname(source), files)
        rows = result_of(catalog.rename_stream(old, new))
        if not moves and not rows:
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", f"there is nothing of {old}")
        return Renamed(old, new, len(moves), rows)


def _moves(root: str, old: str, new: str, holds: StreamHolds) -> Iterator[tuple[str, str]]:
    """What of a root is the stream's own, and where it goes. DvrError CONFLICT, OSError."""
    source, target = stream_directory(root, old), stream_directory(root, new)
    try:
        names = sorted(os.listdir(source))
    except (FileNotFoundError, NotADirectoryError):
        return
    own = [name for name in names if _YEAR.fullmatch(name) or name == NAME]
    if own:
        holds.take(old)
        holds.take(new)
        yield from ((f"{source}/{name}", f"{target}/{name}") for name in own)
