# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Ranges that are being deleted."""

from __future__ import annotations

import sqlite3

from twisted.internet.defer import Deferred

from flussdvr.database.rows import read_deletion
from flussdvr.database.sqlite.subject import Subject, durable, held
from flussdvr.timeline import Range


class SqliteDeletions(Subject):
    """As `subjects.Deletions`."""

    def all(self) -> Deferred[list[tuple[str, Range, bool]]]:
        return self._transactions.sane(
            "deletion", "SELECT stream, begin_ms, end_ms, cover FROM deletion", read_deletion
        )

    @durable(
        lambda stream, within, cover: [
            ("deletion", {"stream": stream, "begin_ms": within.begin_ms, "end_ms": within.end_ms})
        ]
    )
    def add(connection: sqlite3.Connection, stream: str, within: Range, cover: bool) -> None:
        row = (stream, within.begin_ms, within.end_ms, cover)
        connection.execute(
            "INSERT INTO deletion (stream, begin_ms, end_ms, cover) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (stream, begin_ms, end_ms) DO UPDATE SET cover = max(cover, excluded.cover)",
            row,
        )

    @held
    def remove(connection: sqlite3.Connection, stream: str, within: Range) -> None:
        row = (stream, within.begin_ms, within.end_ms)
        connection.execute("DELETE FROM deletion WHERE stream = ? AND begin_ms = ? AND end_ms = ?", row)
