# -*- test-case-name: tests.archive.test_late_catalog -*-
"""
Rows made again of what is on the disks, and of what the archive knows.

    import    a root was looked through
    restore   the database lost its rows: those of the archive are written anew
    join      a database that did not answer at the start does now, and the archive has gone on with what the disks hold

        a root that is there, and known whole    its rows become those of the archive
        a root that is known in part             the rows of the archive hold, those besides are for it to list
        a root that is not there                 its rows are as they were, and are for the archive to list
        locks                                    of a stream that the archive has: its own; of others: as they were

Blocking: in the SQL thread, each in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from flussdvr.database.catalog import Joined
from flussdvr.database.rows import RootRow, read_root, read_stream_range
from flussdvr.database.sqlite.aside import Key, sane_rows
from flussdvr.database.sqlite.blob_rows import read_blobs
from flussdvr.database.sqlite.blobs import INSERT_BLOB, INSERT_FOUND_BLOB, UPDATE_BLOB, Row
from flussdvr.database.sqlite.locks import SELECT_LOCKS, replace_locks
from flussdvr.timeline import RangeSet

_OF_ROOT = "uuid = ? OR path = ?"


def import_rows(
    connection: sqlite3.Connection, path: str, blobs: Sequence[Row], locks: Mapping[str, RangeSet], whole: bool
) -> list[int]:
    """The ids of new rows, 0 for a blob that has one. `blobs`: parameters of `INSERT_BLOB`."""
    ids = []
    for row in blobs:
        cursor = connection.execute(INSERT_FOUND_BLOB, row)
        ids.append((cursor.lastrowid or 0) if cursor.rowcount else 0)
    for stream, some in locks.items():
        replace_locks(connection, stream, some)
    if whole:
        connection.execute("UPDATE root SET imported = 1 WHERE path = ?", (path,))
    return ids


def restore_rows(
    connection: sqlite3.Connection,
    roots: Sequence[RootRow],
    blobs: Sequence[tuple[Row, Row]],
    locks: Mapping[str, RangeSet],
) -> None:
    """`blobs`: as of `whole_rows`."""
    for root in roots:  # what is known of others stays
        of_root = root.uuid, root.path
        connection.execute(f"DELETE FROM blob WHERE root_id IN (SELECT id FROM root WHERE {_OF_ROOT})", of_root)
        connection.execute(f"DELETE FROM root WHERE {_OF_ROOT}", of_root)
        row = root.uuid, root.path, int(root.imported)
        connection.execute("INSERT INTO root (uuid, path, imported) VALUES (?, ?, ?)", row)
    for new, whole in blobs:
        connection.execute(INSERT_BLOB, new)
        connection.execute(UPDATE_BLOB, whole)
    connection.execute("DELETE FROM lock")
    for stream, some in locks.items():
        replace_locks(connection, stream, some)


def join_rows(
    connection: sqlite3.Connection,
    roots: Sequence[RootRow],
    blobs: Sequence[tuple[Row, Row]],
    locks: Mapping[str, RangeSet],
) -> tuple[Joined, list[tuple[Key, str]]]:
    """What the database knows besides; rows of blobs that make no sense. `blobs`: as of `whole_rows`."""
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
        replace_locks(connection, stream, some)
    locked, _ = sane_rows(connection, "lock", SELECT_LOCKS, read_stream_range)
    all_roots, _ = sane_rows(connection, "root", "SELECT uuid, path, imported FROM root", read_root)
    joined = Joined(
        all_roots,
        [blob for blob in others if blob.root not in whole_roots],
        [(stream, lock) for stream, lock in locked if stream not in locks],
    )
    return joined, nonsense
