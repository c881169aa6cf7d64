# -*- test-case-name: tests.database.sqlite.test_file -*-
"""
A copy in RAM that stands in for a database which can't be written.

    file --fill--> copy --write_back--> file: what has changed, in one transaction
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from urllib.parse import quote

from flussdvr.database.sqlite.connection import connect
from flussdvr.database.sqlite.schema import expected, upgrade


def fill(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Everything of one database into the other. WrongSchema, sqlite3.Error."""
    source.backup(copy)
    upgrade(copy)


@contextlib.contextmanager
def readable(path: str) -> Iterator[sqlite3.Connection | None]:
    """
    The database for reading only, on a disk that can't be written; `None` where there is none. sqlite3.Error, OSError.

    SQLite writes beside a database with a write-ahead log even to read it: where it can't, it reads a copy.
    """
    if not os.path.exists(path):
        yield None
        return
    with contextlib.ExitStack() as stack:
        connection = _read_in_place(path) or _read_copy(path, stack)
        stack.callback(connection.close)
        yield connection


def _read_in_place(path: str) -> sqlite3.Connection | None:
    connection = connect(f"file:{quote(path)}?mode=ro", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        return None
    return connection


def _read_copy(path: str, stack: contextlib.ExitStack) -> sqlite3.Connection:
    """A copy in RAM if there is such a file system; the system's directory for such files may be as full as ours."""
    for place in ("/dev/shm", None):
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flussdvr-", dir=place))
            copied = os.path.join(folder, "catalog.sqlite")
            for suffix in ("", "-wal"):
                if os.path.exists(path + suffix):
                    shutil.copyfile(path + suffix, copied + suffix)
            return connect(copied)
        except OSError:
            continue
    return connect(f"file:{quote(path)}?immutable=1", uri=True)  # without what is only in the log


def write_back(copy: sqlite3.Connection, path: str) -> None:
    """What has changed in the copy, in one transaction. sqlite3.Error."""
    copy.execute("PRAGMA foreign_keys = OFF")
    copy.execute("ATTACH ? AS disk", (path,))
    try:
        copy.execute("PRAGMA disk.synchronous = FULL")
        copy.execute("BEGIN IMMEDIATE")
        for table in expected():
            _write_table(copy, table)
        copy.execute("COMMIT")
    finally:
        if copy.in_transaction:
            copy.execute("ROLLBACK")
        copy.execute("DETACH disk")
        copy.execute("PRAGMA foreign_keys = ON")


def _write_table(copy: sqlite3.Connection, table: str) -> None:
    """Make a table on the disk equal, row by row: a disk that is nearly full has no room for all of them twice."""
    about = copy.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
    names = ", ".join(name for name, _ in about)
    keys = ", ".join(name for name, pk in about if pk)
    gone = f"SELECT {names} FROM disk.{table} EXCEPT SELECT {names} FROM main.{table}"
    new = f"SELECT {names} FROM main.{table} EXCEPT SELECT {names} FROM disk.{table}"
    copy.execute(f"DELETE FROM disk.{table} WHERE ({keys}) IN (SELECT {keys} FROM ({gone}))")
    copy.execute(f"INSERT INTO disk.{table} ({names}) {new}")
