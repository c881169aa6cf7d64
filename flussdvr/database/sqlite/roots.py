# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Storage roots."""

from __future__ import annotations

import sqlite3

from twisted.internet.defer import Deferred

from flussdvr.database.rows import RootRow, read_root
from flussdvr.database.sqlite.subject import Subject


class SqliteRoots(Subject):
    """As `subjects.Roots`."""

    def all(self) -> Deferred[list[RootRow]]:
        return self._transactions.sane("root", "SELECT uuid, path, imported FROM root ORDER BY id", read_root)

    def adopt(self, path: str, uuid: str) -> Deferred[bool]:
        def work(connection: sqlite3.Connection) -> bool:
            connection.execute("UPDATE root SET path = NULL WHERE path = ? AND uuid <> ?", (path, uuid))
            connection.execute(
                "INSERT INTO root (uuid, path, imported) VALUES (?, ?, 0) "
                "ON CONFLICT (uuid) DO UPDATE SET path = excluded.path",
                (uuid, path),
            )
            (imported,) = connection.execute("SELECT imported FROM root WHERE uuid = ?", (uuid,)).fetchone()
            return bool(imported)

        return self._transactions.hold(work, False)
