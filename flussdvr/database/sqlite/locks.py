# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Locks, by stream."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from twisted.internet.defer import Deferred

from flussdvr.database.rows import read_stream_range
from flussdvr.database.sqlite.subject import Subject, held
from flussdvr.timeline import Range, RangeSet

SELECT_LOCKS = "SELECT stream, begin_ms, end_ms FROM lock"
_INSERT = "INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)"


class SqliteLocks(Subject):
    """As `subjects.Locks`."""

    def all(self) -> Deferred[dict[str, RangeSet]]:
        return self._transactions.sane("lock", SELECT_LOCKS, read_stream_range).addCallback(_by_stream)

    @held
    def replace(connection: sqlite3.Connection, stream: str, locks: RangeSet) -> None:
        replace_locks(connection, stream, locks)

    @held
    def change(connection: sqlite3.Connection, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> None:
        rows = [(stream, lock.begin_ms) for lock in gone]
        connection.executemany("DELETE FROM lock WHERE stream = ? AND begin_ms = ?", rows)
        connection.executemany(_INSERT, [(stream, lock.begin_ms, lock.end_ms) for lock in new])


def replace_locks(connection: sqlite3.Connection, stream: str, locks: RangeSet) -> None:
    connection.execute("DELETE FROM lock WHERE stream = ?", (stream,))
    connection.executemany(_INSERT, [(stream, lock.begin_ms, lock.end_ms) for lock in locks])


def _by_stream(pairs: Iterable[tuple[str, Range]]) -> dict[str, RangeSet]:
    result: dict[str, RangeSet] = {}
    for stream, item in pairs:
        result.setdefault(stream, RangeSet()).add(item)
    return result
