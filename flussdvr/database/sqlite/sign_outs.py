# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Sign-ins of the web page that were ended before their time."""

from __future__ import annotations

import sqlite3

from twisted.internet.defer import Deferred

from flussdvr.database.rows import read_signed_out
from flussdvr.database.sqlite.subject import Subject, durable


class SqliteSignOuts(Subject):
    """As `subjects.SignOuts`."""

    def all(self, now_ms: int) -> Deferred[dict[str, int]]:
        over = "DELETE FROM signed_out WHERE expires_ms <= ?", (now_ms,)
        select = "SELECT id, expires_ms FROM signed_out"
        return self._transactions.sane("signed_out", select, read_signed_out, over).addCallback(dict)

    @durable(lambda id, expires_ms: ())
    def add(connection: sqlite3.Connection, id: str, expires_ms: int) -> None:
        connection.execute("INSERT OR REPLACE INTO signed_out (id, expires_ms) VALUES (?, ?)", (id, expires_ms))
