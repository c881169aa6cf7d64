# -*- test-case-name: tests.events.test_spool -*-
"""
The spool: events that a sink has not taken yet, in the state database, so that they outlive the process.

    event    sink, id (counts up without holes, per sink), event (JSON)

One transaction in the SQL thread for all that has come in a while.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from flussdvr.threads import Worker

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    sink TEXT NOT NULL,
    id INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (sink, id)
) WITHOUT ROWID
"""

Row = tuple[int, bytes]
T = TypeVar("T")


class Database(Protocol):
    """The catalog's connection and the one thread that may use it (`archive.catalog.SqliteCatalog`)."""

    worker: Worker

    def run(self, f: Callable[[sqlite3.Connection], T]) -> T: ...


class Spool:
    """Everything fails with DvrError UNAVAILABLE where the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self) -> Deferred[dict[str, tuple[int, int]]]:
        """First and last id of what waits, by sink."""

        def work(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
            connection.execute(SCHEMA)
            rows = connection.execute("SELECT sink, min(id), max(id) FROM event GROUP BY sink")
            return {sink: (first, last) for sink, first, last in rows}

        return self._do(work)

    def store(self, sink: str, rows: Sequence[Row], taken: int) -> Deferred[None]:
        """Keep `rows`, and nothing more of what is up to the id `taken`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM event WHERE sink = ? AND id <= ?", (sink, taken))
            connection.executemany(
                "INSERT OR REPLACE INTO event (sink, id, event) VALUES (?, ?, ?)",
                [(sink, id, data) for id, data in rows if id > taken],
            )

        return self._do(work)

    def load(self, sink: str, after: int, limit: int) -> Deferred[list[Row]]:
        """The oldest rows whose ids are greater than `after`."""

        def work(connection: sqlite3.Connection) -> list[Row]:
            query = "SELECT id, event FROM event WHERE sink = ? AND id > ? ORDER BY id LIMIT ?"
            return [(id, bytes(data)) for id, data in connection.execute(query, (sink, after, limit))]

        return self._do(work)

    def forget(self, sink: str) -> Deferred[None]:
        """Of a sink that is not configured any more."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM event WHERE sink = ?", (sink,))

        return self._do(work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        return self._database.worker.do(self._database.run, work)
