# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""
Blobs, one row each.

Their ids are given before the rows are written, which may be later: who changes a row then comes after in the same
queue.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.sqlite.blob_rows import read_blobs
from flussdvr.database.sqlite.subject import Subject, held
from flussdvr.database.sqlite.transactions import Transactions
from flussdvr.timeline import Range

STAND_IN_IDS = 1 << 42
"""Ids given without knowing those of the file begin anywhere from here to a thousand times as much."""
MAX_ID = 1 << 53
"""The id of a row that is greater is damage."""
Row = tuple[object, ...]
INSERT_BLOB = """
INSERT INTO blob (id, root_id, stream, begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after,
                  discontinuity)
VALUES (?, (SELECT id FROM root WHERE path = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_FOUND_BLOB = INSERT_BLOB.replace("INSERT", "INSERT OR IGNORE")
UPDATE_BLOB = """
UPDATE blob SET end_ms = ?, size = ?, index_size = ?, state = ?, holes = ?, freed = ?, segment_ms = ?, sequence = ?,
after = ?, discontinuity = ? WHERE id = ?
"""
UPDATE_STATE = "UPDATE blob SET state = ? WHERE id = ?"
DELETE_BLOB = "DELETE FROM blob WHERE id = ?"


class BlobIds:
    """Counts up. `after_rows` in the SQL thread before the first is given, the rest in the reactor thread."""

    def __init__(self) -> None:
        self._next = 1

    def new(self, count: int) -> list[int]:
        first, self._next = self._next, self._next + count
        return list(range(first, first + count))

    def after_rows(self, connection: sqlite3.Connection) -> None:
        """Greater than those of all blobs, but for one that is absurd."""
        (greatest,) = connection.execute("SELECT max(id) FROM blob WHERE id < ?", (MAX_ID,)).fetchone()
        self._next = int(greatest or 0) + 1

    def after_unknown_rows(self) -> None:
        """The file can't be read now; its rows are to be joined later."""
        self._next = STAND_IN_IDS + secrets.randbelow(STAND_IN_IDS << 10)


class SqliteBlobs(Subject):
    """As `subjects.Blobs`."""

    def __init__(self, transactions: Transactions, ids: BlobIds) -> None:
        super().__init__(transactions)
        self._ids = ids

    def all(self) -> Deferred[list[Blob]]:
        return self._transactions.read("blob", read_blobs)

    def insert(self, blobs: Sequence[Blob]) -> Deferred[list[int]]:
        ids = self._ids.new(len(blobs))
        rows = [new_row(blob, id) for blob, id in zip(blobs, ids, strict=True)]

        def work(connection: sqlite3.Connection) -> list[int]:
            connection.executemany(INSERT_BLOB, rows)
            return ids

        return self._transactions.hold(work, ids)

    def update(self, blobs: Sequence[Blob]) -> Deferred[None]:
        rows = whole_rows(blobs)

        def work(connection: sqlite3.Connection) -> None:
            for new, whole in rows:
                if not connection.execute(UPDATE_BLOB, whole).rowcount:  # as its row was lost on the way
                    connection.execute(INSERT_FOUND_BLOB, new)
                    connection.execute(UPDATE_BLOB, whole)

        return self._transactions.hold(work, None)

    def mark(self, ids: Sequence[int], state: BlobState, held: bool = True) -> Deferred[None]:
        rows = [(state, id) for id in ids]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(UPDATE_STATE, rows)

        if held:
            return self._transactions.hold(work, None)
        return self._transactions.thread.refused(lambda check: self._transactions.run(work))

    @held
    def delete(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        connection.executemany(DELETE_BLOB, [(id,) for id in ids])


def whole_rows(blobs: Sequence[Blob]) -> list[tuple[Row, Row]]:
    """Parameters of `INSERT_BLOB` and of `UPDATE_BLOB`, which say together all that is known of a blob."""
    return [(new_row(blob, blob.id), _updated(blob)) for blob in blobs]


def new_row(blob: Blob, id: int) -> Row:
    """Parameters of `INSERT_BLOB`."""
    values = (blob.root, blob.stream, blob.begin_ms, blob.end_ms, blob.size, blob.index_size, blob.state)
    return (id, *values, blob.segment_ms, blob.sequence, blob.after, blob.discontinuity)


def _updated(blob: Blob) -> Row:
    values = (blob.end_ms, blob.size, blob.index_size, blob.state, _write_holes(blob.holes), blob.freed)
    return (*values, blob.segment_ms, blob.sequence, blob.after, blob.discontinuity, blob.id)


def _write_holes(holes: Sequence[Range]) -> str | None:
    return json.dumps([[hole.begin_ms, hole.end_ms] for hole in holes]) if holes else None
