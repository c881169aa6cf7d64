# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""Signed links, and who has used one that only so many may use."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from flussdvr.database.rows import LinkRow, read_link
from flussdvr.database.sqlite.subject import Subject, durable, held

SELECT_LINKS = """
SELECT id, stream, begin_ms, end_ms, formats, expires_ms, max_uses, uses, title, created_by, created_ms, revoked
FROM link ORDER BY created_ms, id
"""
INSERT_LINK = """
INSERT INTO link (
    id, stream, begin_ms, end_ms, formats, expires_ms, max_uses, uses, title, created_by, created_ms, revoked
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class SqliteLinks(Subject):
    """As `subjects.Links`."""

    def all(self) -> Deferred[list[LinkRow]]:
        return self._transactions.sane("link", SELECT_LINKS, read_link)

    @durable(lambda link: [("link", {"id": link.id})])
    def insert(connection: sqlite3.Connection, link: LinkRow) -> None:
        row = dataclasses.asdict(link) | {"formats": " ".join(link.formats)}
        connection.execute(INSERT_LINK, tuple(row.values()))

    @durable(lambda id: [("link", {"id": id}), ("link_viewer", {"link_id": id})])
    def revoke(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("UPDATE link SET revoked = 1 WHERE id = ?", (id,))

    @durable(lambda ids: ())
    def delete(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        connection.executemany("DELETE FROM link WHERE id = ?", [(id,) for id in ids])

    @durable(lambda id, viewer: [("link", {"id": id}), ("link_viewer", {"link_id": id})])
    def use(connection: sqlite3.Connection, id: str, viewer: bytes) -> int | None:
        row = connection.execute("SELECT uses, max_uses FROM link WHERE id = ? AND NOT revoked", (id,)).fetchone()
        if row is None:
            return None
        uses: int = row[0]
        known = "SELECT 1 FROM link_viewer WHERE link_id = ? AND viewer = ?"
        if connection.execute(known, (id, viewer)).fetchone() is not None:
            return uses
        if row[1] is not None and uses >= row[1]:
            return None
        connection.execute("INSERT INTO link_viewer (link_id, viewer) VALUES (?, ?)", (id, viewer))
        connection.execute("UPDATE link SET uses = ? WHERE id = ?", (uses + 1, id))
        return uses + 1

    @held
    def store_uses(connection: sqlite3.Connection, uses: Sequence[tuple[str, int]]) -> None:
        connection.executemany("UPDATE link SET uses = ? WHERE id = ?", [(count, id) for id, count in uses])
