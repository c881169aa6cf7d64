# -*- test-case-name: tests.database.sqlite.test_file -*-
"""Connections to a database, and what SQLite's errors mean. Everything here blocks."""

from __future__ import annotations

import os
import sqlite3

from flussdvr.database.sqlite.schema import upgrade

BUSY_S = 2.0
"""How long a lock of another process on the database is waited for."""


def connect(path: str, uri: bool = False) -> sqlite3.Connection:
    """Transactions are begun by hand. sqlite3.Error."""
    made = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=uri)
    # Text that is not UTF-8 must not end the reading of the others: it shows as what can't be encoded.
    made.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return made


def empty() -> sqlite3.Connection:
    """In RAM, with the newest schema."""
    connection = connect(":memory:")
    upgrade(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def is_broken(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged."""
    return _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_write_failure(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file can't be written: a full, read-only or failing disk, another's lock."""
    return _primary(error) in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    )


def _primary(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html: the lowest 8 bits), -1 for errors of the module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else -1


def make_private(path: str) -> None:
    """Passwords of sources and streams are in it, as the API was given them. SQLite's files beside it are as it is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
