# -*- test-case-name: tests.database.sqlite.test_file -*-
"""What can be saved of a broken database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass, field
from urllib.parse import quote

from flussdvr.database.sqlite.connection import connect
from flussdvr.database.sqlite.schema import expected, tables

REBUILT = ("root", "blob", "lock")
"""Tables that are made again of what is on the disks."""
NAMED = dict(
    (
        ("stream_override", "changes of streams by the API"),
        ("dvr_override", "changes of storages by the API"),
        ("export_job", "export jobs"),
        ("link", "links"),
        ("link_viewer", "who has used links"),
        ("signed_out", "sign-outs"),
        ("deletion", "deletions under way"),
        ("event", "undelivered events"),
        ("set_aside", "rows set aside earlier"),
        ("counter", "counters"),
    )
)
"""What an operator calls the other tables."""


@dataclass(frozen=True, slots=True)
class MovedAside:
    """`aside`: where the broken file is now, `None` where there was none; `saved`, `lost`: rows by what they are."""

    reason: str
    aside: str | None
    saved: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    def __str__(self) -> str:
        kept = ", ".join(f"{count} {what}" for what, count in self.saved.items() if count)
        lost = f"; lost, as far as there were any: {', '.join(self.lost)}" if self.lost else ""
        where = f" and is kept as {self.aside}" if self.aside else ""
        return f"{self.reason}{where}; recordings and locks are found on the disks, saved: {kept or 'nothing'}{lost}"


def salvage(path: str, connection: sqlite3.Connection) -> tuple[dict[str, int], tuple[str, ...]]:
    """
    Copy what can still be read of a broken database into a new one: how many rows of what, and what is not whole.

    Roots, blobs and locks are not copied: the disks know better.
    """
    saved: dict[str, int] = {}
    lost: list[str] = []
    if not os.path.isfile(path):
        return {}, tuple(NAMED.values())
    broken: sqlite3.Connection | None = None
    try:
        broken = connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
        found = tables(broken)
    except sqlite3.Error:
        found = {}
    for table, columns in expected().items():
        if table in REBUILT:
            continue
        count, whole = 0, False
        if broken is not None and columns <= found.get(table, set()):
            count, whole = _copy_rows(broken, connection, table, sorted(columns))
        saved[NAMED[table]] = count
        if not whole:
            lost.append(NAMED[table])
    if broken is not None:
        broken.close()
    return saved, tuple(lost)


def _copy_rows(
    broken: sqlite3.Connection, connection: sqlite3.Connection, table: str, columns: list[str]
) -> tuple[int, bool]:
    """How many rows of a table could be read, and whether these are all."""
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    count = 0
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for row in broken.execute(f"SELECT {names} FROM {table}"):
            with contextlib.suppress(sqlite3.IntegrityError, UnicodeEncodeError):
                cursor = connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)
                count += cursor.rowcount
        whole = True
    except (sqlite3.Error, MemoryError, OverflowError):
        whole = False
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
    return count, whole
