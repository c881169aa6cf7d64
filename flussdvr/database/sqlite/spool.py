# -*- test-case-name: tests.database.sqlite.test_spool -*-
"""
The spool: events that a sink has not taken yet.

    event    sink, id (counts up without holes, per sink), event (JSON)

One transaction in the SQL thread for all that has come in a while.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred

from flussdvr.database.sqlite.aside import ASIDE_LIMIT, Key
from flussdvr.database.sqlite.subject import Subject
from flussdvr.database.subjects import EventRow

HOLES = 100_000
"""Ids may be missing where rows were set aside or lost: so many, of what a sink may have waiting."""
T = TypeVar("T")


class SqliteSpool(Subject):
    """As `subjects.Spool`."""

    def open(self) -> Deferred[dict[str, tuple[int, int]]]:
        """As the Protocol; rows that make no sense are set aside before."""

        def work(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
            for key, reason in _nonsense(connection):
                self._transactions.set_row_aside(connection, "event", key, reason)
            rows = connection.execute("SELECT sink, min(id), max(id) FROM event GROUP BY sink")
            return {sink: (first, last) for sink, first, last in rows}

        return self._do(work)

    def store(self, sink: str, rows: Sequence[EventRow], taken: int) -> Deferred[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM event WHERE sink = ? AND id <= ?", (sink, taken))
            connection.executemany(
                "INSERT OR REPLACE INTO event (sink, id, event) VALUES (?, ?, ?)",
                [(sink, id, data) for id, data in rows if id > taken],
            )

        return self._do(work, durable=True)

    def load(self, sink: str, after: int, limit: int) -> Deferred[list[EventRow]]:
        def work(connection: sqlite3.Connection) -> list[EventRow]:
            query = "SELECT id, event FROM event WHERE sink = ? AND id > ? ORDER BY id LIMIT ?"
            return [(id, _data(data)) for id, data in connection.execute(query, (sink, after, limit))]

        return self._do(work)

    def forget(self, sink: str) -> Deferred[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM event WHERE sink = ?", (sink,))

        return self._do(work)

    def _do(self, work: Callable[[sqlite3.Connection], T], durable: bool = False) -> Deferred[T]:
        return self._transactions.bounded(work, durable)


def _nonsense(connection: sqlite3.Connection) -> list[tuple[Key, str]]:
    """
    The keys of rows that are no events, and why.

    Ids count up without holes, so what is far from the middle one of a sink is no id that the queue has given: it would
    count as that many events that wait.
    """
    found: list[tuple[Key, str]] = []
    odd = "typeof(sink) <> 'text' OR typeof(id) <> 'integer' OR typeof(event) NOT IN ('blob', 'text') OR id < 1"
    for key in connection.execute(f"SELECT sink, id FROM event WHERE {odd} LIMIT {ASIDE_LIMIT}"):
        found.append((key, "it is no event"))
    for sink, count in connection.execute(
        f"SELECT sink, count(*) FROM event WHERE NOT ({odd}) GROUP BY sink"
    ).fetchall():
        if not _is_utf8(sink):
            found += [((sink, id), "its sink is no text") for id in _ids(connection, sink)]
            continue
        ids = f"SELECT id FROM event WHERE sink = ? AND NOT ({odd}) ORDER BY id LIMIT 1 OFFSET ?"
        (middle,) = connection.execute(ids, (sink, count // 2)).fetchone()
        far = f"SELECT sink, id FROM event WHERE sink = ? AND NOT ({odd}) AND abs(id - ?) > ? LIMIT {ASIDE_LIMIT}"
        for key in connection.execute(far, (sink, middle, count + HOLES)):
            found.append((key, "its id is far from all others"))
    return found


def _ids(connection: sqlite3.Connection, sink: str) -> list[object]:
    query = f"SELECT id FROM event WHERE CAST(sink AS BLOB) IS ? LIMIT {ASIDE_LIMIT}"
    return [id for (id,) in connection.execute(query, (sink.encode("utf-8", "surrogateescape"),))]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _data(value: object) -> bytes:
    """What is stored as text, by whoever, is an event too."""
    return (
        value.encode("utf-8", "replace")
        if isinstance(value, str)
        else bytes(value)
        if isinstance(value, bytes)
        else b""
    )
