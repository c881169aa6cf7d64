# -*- test-case-name: tests.database.sqlite.test_schema -*-
"""
The tables of the state database, and how an older database comes to have them.

    migrations/NNN_words.sql    makes schema NNN of the schema before; what was released is never changed

`upgrade` does those that are missing, in order, each in a transaction that also records the number as `user_version`,
so that a crash leaves a version that the next start goes on from.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

_FAR = 1000
"""A version so far ahead is damage, not the future."""
_NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")


class WrongSchema(Exception):
    """The database is not one of ours, or not whole."""


class TooNew(Exception):
    """The database was made by a newer flussdvr."""


def load_migrations(folder: Traversable) -> tuple[str, ...]:
    """The text of each `.sql`, in order. ValueError where a name is no migration's, or the numbers are not 1, 2, ..."""
    texts: dict[int, str] = {}
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        number = int(match[1]) if match else 0
        if not match or number in texts:
            raise ValueError(f"{file.name} is no migration, or has the number of another")
        texts[number] = file.read_text("utf-8")
    if sorted(texts) != list(range(1, len(texts) + 1)):
        raise ValueError(f"the migrations have the numbers {sorted(texts)}")
    return tuple(text for _, text in sorted(texts.items()))


MIGRATIONS = load_migrations(files("flussdvr.database.sqlite").joinpath("migrations"))
SCHEMA_VERSION = len(MIGRATIONS)


def statements(script: str) -> Iterator[str]:
    """Those of a script, one by one: `executescript` would commit the transaction that it is in."""
    so_far = ""
    for line in script.splitlines(keepends=True):
        so_far += line
        if sqlite3.complete_statement(so_far):
            yield so_far
            so_far = ""
    if so_far.strip():
        yield so_far


def upgrade(connection: sqlite3.Connection) -> int:
    """
    Make or complete the schema; the version that was found. The connection is in no transaction (`isolation_level`
    `None`). WrongSchema, TooNew, sqlite3.Error.
    """
    found = version = read_version(connection)
    while version < SCHEMA_VERSION:
        version = _migrate(connection, version)
    check(connection)
    return found


def read_version(connection: sqlite3.Connection) -> int:
    """WrongSchema, TooNew, sqlite3.Error."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version <= SCHEMA_VERSION + _FAR:
        raise WrongSchema(f"its schema has the number {version}")
    if version > SCHEMA_VERSION:
        raise TooNew(f"it has schema {version}; this flussdvr knows up to {SCHEMA_VERSION}")
    return version


def _migrate(connection: sqlite3.Connection, version: int) -> int:
    """One step further, or as far as another process has come meanwhile: the version then, which is greater."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        reached = read_version(connection)
        if reached < version:
            raise WrongSchema(f"its schema went back from {version} to {reached}")
        if reached == version:
            reached += 1
            for statement in statements(MIGRATIONS[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {reached}")
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise WrongSchema(str(error)) from error  # such as a table that is there already, or missing
        raise
    return reached


def check(connection: sqlite3.Connection) -> None:
    """WrongSchema where a table or a column is missing."""
    found, wanted = tables(connection), expected()
    for name, columns in wanted.items():
        if missing := columns - found.get(name, set()):
            raise WrongSchema(f"its table {name} lacks {', '.join(sorted(missing))}")


def expected() -> dict[str, set[str]]:
    """The columns of each table, as the newest schema has them."""
    empty = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migration in MIGRATIONS:
            empty.executescript(migration)
        return tables(empty)
    finally:
        empty.close()


def tables(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """The columns of each table that there is."""
    query = "SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(query):
        found.setdefault(table, set()).add(column)
    return found
