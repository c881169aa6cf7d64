# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Export jobs, as JSON."""

from __future__ import annotations

import sqlite3

from twisted.internet.defer import Deferred

from flussdvr.database.rows import read_named_text
from flussdvr.database.sqlite.subject import Subject, durable


class SqliteExportJobs(Subject):
    """As `subjects.ExportJobs`."""

    def all(self) -> Deferred[dict[str, str]]:
        select = "SELECT id, job FROM export_job ORDER BY created_ms"
        return self._transactions.sane("export_job", select, read_named_text).addCallback(dict)

    @durable(lambda id, created_ms, job: [("export_job", {"id": id})])
    def save(connection: sqlite3.Connection, id: str, created_ms: int, job: str) -> None:
        connection.execute(
            "INSERT INTO export_job (id, created_ms, job) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET job = excluded.job",
            (id, created_ms, job),
        )

    @durable(lambda id: [("export_job", {"id": id})])
    def delete(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("DELETE FROM export_job WHERE id = ?", (id,))

    def set_aside(self, id: str, reason: str) -> Deferred[None]:
        return self._transactions.set_aside("export_job", (id,), reason)
