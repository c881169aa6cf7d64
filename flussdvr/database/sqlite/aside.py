# -*- test-case-name: tests.database.sqlite.test_nonsense -*-
"""
Rows that make no sense are set aside: out of their table, into `set_aside`, with the reason.

A row is never a reason not to start, and never lost: an operator can look at it with the `sqlite3` shell.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from flussdvr.database.rows import Nonsense

KEYS = {
    "root": ("uuid",),
    "blob": ("id",),
    "lock": ("stream", "begin_ms"),
    "deletion": ("stream", "begin_ms", "end_ms"),
    "export_job": ("id",),
    "stream_override": ("stream",),
    "dvr_override": ("dvr",),
    "signed_out": ("id",),
    "link": ("id",),
    "event": ("sink", "id"),
}
"""What a row of each table is known by."""
ASIDE_LIMIT = 10_000
"""So many are kept, the newest; a table may be full of nonsense."""
ROW_LIMIT = 100_000
"""Characters kept of a row."""

T = TypeVar("T")
Key = tuple[object, ...]
Found = tuple[list[T], list[tuple[Key, str]]]
"""What rows say; the keys of those that make no sense, and why."""


def sane_rows(
    connection: sqlite3.Connection, table: str, select: str, read: Callable[[Sequence[object]], T]
) -> Found[T]:
    """What `read` makes of the rows of `select`; the keys of those that it can't read, and why."""
    lenient = connection.text_factory
    connection.text_factory = str  # much faster for a million rows; it fails at text that is not UTF-8
    try:
        return _sane_rows(connection, table, select, read)
    except sqlite3.OperationalError:
        connection.text_factory = lenient
        return _sane_rows(connection, table, select, read)
    finally:
        connection.text_factory = lenient


def _sane_rows(
    connection: sqlite3.Connection, table: str, select: str, read: Callable[[Sequence[object]], T]
) -> Found[T]:
    cursor = connection.execute(select)
    names = [about[0] for about in cursor.description]
    at = [names.index(key) for key in KEYS[table]]
    found: list[T] = []
    nonsense: list[tuple[Key, str]] = []
    for row in cursor:
        try:
            found.append(read(row))
        except Nonsense as error:
            nonsense.append((tuple(row[index] for index in at), str(error)))
    return found, nonsense


def set_row_aside(connection: sqlite3.Connection, table: str, key: Sequence[object], reason: str) -> None:
    """Move the row with this key."""
    conditions, values = zip(*(_equals(name, value) for name, value in zip(KEYS[table], key, strict=True)), strict=True)
    where = " AND ".join(conditions)
    for row in connection.execute(f"SELECT * FROM {table} WHERE {where}", values).fetchall():
        kept = json.dumps(row, default=lambda value: value.hex() if isinstance(value, bytes) else repr(value))
        connection.execute(
            "INSERT INTO set_aside (source, row, reason, found_ms) VALUES (?, ?, ?, ?)",
            (table, kept[:ROW_LIMIT], reason.encode("ascii", "backslashreplace").decode(), time.time_ns() // 1_000_000),
        )
    if table == "root":  # its blobs are found again when the disk is
        connection.execute(f"DELETE FROM blob WHERE root_id IN (SELECT id FROM root WHERE {where})", values)
    connection.execute(f"DELETE FROM {table} WHERE {where}", values)
    connection.execute("DELETE FROM set_aside WHERE id <= (SELECT max(id) FROM set_aside) - ?", (ASIDE_LIMIT,))


def forget_imports(connection: sqlite3.Connection) -> None:
    """Something is missing: what is on the roots is to be looked for again."""
    connection.execute("UPDATE root SET imported = 0")


def _equals(name: str, value: object) -> tuple[str, object]:
    """A condition; text is compared as bytes, as it may be no UTF-8."""
    if isinstance(value, str):
        return f"CAST({name} AS BLOB) IS ?", value.encode("utf-8", "surrogateescape")
    return f"{name} IS ?", value
