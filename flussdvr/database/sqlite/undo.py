# -*- test-case-name: tests.archive.test_hung_catalog -*-
"""
Rows as they were before a change, so that one that was refused can be taken back after it was committed.

COMMIT may hang in `fsync`: whoever asked has been told by then that nothing is stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

Touched = tuple[str, Mapping[str, object]]
"""A table, and the columns that name rows of it."""


class Before:
    """What the rows of some keys are before a change; in the SQL thread."""

    def __init__(self) -> None:
        self._rows: list[tuple[Touched, list[str], list[tuple[object, ...]]]] = []

    def note(self, connection: sqlite3.Connection, keys: Iterable[Touched]) -> None:
        """In the transaction of the change."""
        self._rows = []
        for table, columns in keys:
            cursor = connection.execute(f"SELECT * FROM {table} WHERE {_where(columns)}", tuple(columns.values()))
            names = [about[0] for about in cursor.description]
            self._rows.append(((table, columns), names, cursor.fetchall()))

    def put_back(self, connection: sqlite3.Connection) -> None:
        """In a transaction of its own. Rows of the first keys come first: others may refer to them."""
        for (table, columns), _, _ in reversed(self._rows):
            connection.execute(f"DELETE FROM {table} WHERE {_where(columns)}", tuple(columns.values()))
        for (table, _), names, rows in self._rows:
            places = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)


def _where(columns: Mapping[str, object]) -> str:
    return " AND ".join(f"{column} IS ?" for column in columns)
