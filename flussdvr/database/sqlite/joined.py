# -*- test-case-name: tests.archive.test_late_catalog -*-
"""
A database that did not answer at the start, and does now: the archive has gone on with what the disks hold.

    a root that is there, and known whole    its rows become those of the archive
    a root that is known in part             the rows of the archive hold, those besides are for it to list
    a root that is not there                 its rows are as they were, and are for the archive to list
    locks                                    of a stream that the archive has: its own; of others: as they were

Blocking: in the SQL thread, in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flussdvr.archive.disk.blob import Blob
from flussdvr.database.rows import RootRow, read_root, read_stream_range
from flussdvr.database.sqlite.aside import Key, sane_rows
from flussdvr.database.sqlite.blob_rows import read_blobs
from flussdvr.timeline import Range, RangeSet

NewRow = tuple[tuple[object, ...], tuple[object, ...]]
"""Parameters of `INSERT_BLOB` and of `UPDATE_BLOB`."""
INSERT_BLOB = """
INSERT INTO blob (id, root_id, stream, begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after,
                  discontinuity)
VALUES (?, (SELECT id FROM root WHERE path = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_BLOB = """
UPDATE blob SET end_ms = ?, size = ?, index_size = ?, state = ?, holes = ?, freed = ?, segment_ms = ?, sequence = ?,
after = ?, discontinuity = ? WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """What the database knows besides: `roots` all, `blobs` and `locks` without those of the archive."""

    roots: list[RootRow]
    blobs: list[Blob]
    locks: list[tuple[str, Range]]
    nonsense: list[tuple[Key, str]]


def join_rows(
    connection: sqlite3.Connection, roots: Sequence[RootRow], blobs: Sequence[NewRow], locks: Mapping[str, RangeSet]
) -> Joined:
    for root in roots:
        connection.execute("UPDATE root SET path = NULL WHERE path = ? AND uuid <> ?", (root.path, root.uuid))
        connection.execute(
            "INSERT INTO root (uuid, path, imported) VALUES (?, ?, ?) "
            "ON CONFLICT (uuid) DO UPDATE SET path = excluded.path, imported = max(imported, excluded.imported)",
            (root.uuid, root.path, int(root.imported)),
        )
    known = set()
    for new, whole in blobs:
        id, path, stream, begin_ms, *_ = new
        known.add(id)
        connection.execute(
            "DELETE FROM blob WHERE root_id = (SELECT id FROM root WHERE path = ?) AND stream = ? AND begin_ms = ?",
            (path, stream, begin_ms),
        )
        connection.execute(INSERT_BLOB, new)
        connection.execute(UPDATE_BLOB, whole)
    whole_roots = {root.path for root in roots if root.imported}
    found, nonsense = read_blobs(connection)
    others = [blob for blob in found if blob.id not in known]
    gone = [(blob.id,) for blob in others if blob.root in whole_roots]
    connection.executemany("DELETE FROM blob WHERE id = ?", gone)
    for stream, some in locks.items():
        connection.execute("DELETE FROM lock WHERE stream = ?", (stream,))
        rows = [(stream, lock.begin_ms, lock.end_ms) for lock in some]
        connection.executemany("INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)", rows)
    locked, _ = sane_rows(connection, "lock", "SELECT stream, begin_ms, end_ms FROM lock", read_stream_range)
    all_roots, _ = sane_rows(connection, "root", "SELECT uuid, path, imported FROM root", read_root)
    return Joined(
        all_roots,
        [blob for blob in others if blob.root not in whole_roots],
        [(stream, lock) for stream, lock in locked if stream not in locks],
        nonsense,
    )
