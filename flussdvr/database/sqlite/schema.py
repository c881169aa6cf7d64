"""
The tables of the state database, in the order in which they came.

`upgrade` brings any older database to the newest schema, one transaction a step, so that a crash leaves a version that
the next start goes on from.
"""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 8

SCHEMA = """
CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    path TEXT UNIQUE                    -- NULL: another disk stands in its place
);
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL REFERENCES root(id),
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    index_size INTEGER NOT NULL,
    state INTEGER NOT NULL,
    segment_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    after TEXT,
    UNIQUE (root_id, stream, begin_ms)
);
CREATE TABLE lock (
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, begin_ms)
) WITHOUT ROWID;
CREATE TABLE export_job (id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, job TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE stream_override (stream TEXT PRIMARY KEY, patch TEXT NOT NULL) WITHOUT ROWID;
"""

SECOND_SCHEMA = """
ALTER TABLE blob ADD COLUMN holes TEXT;                  -- JSON: [[begin_ms, end_ms], ...], NULL for none
ALTER TABLE blob ADD COLUMN freed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE deletion (
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, begin_ms, end_ms)
) WITHOUT ROWID;
"""

THIRD_SCHEMA = """
CREATE TABLE signed_out (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

FOURTH_SCHEMA = """
CREATE TABLE link (
    id TEXT PRIMARY KEY,
    stream TEXT NOT NULL,
    begin_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    formats TEXT NOT NULL,              -- with spaces between
    expires_ms INTEGER NOT NULL,
    max_uses INTEGER,
    uses INTEGER NOT NULL,
    title TEXT,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE link_viewer (
    link_id TEXT NOT NULL REFERENCES link(id) ON DELETE CASCADE,
    viewer BLOB NOT NULL,
    PRIMARY KEY (link_id, viewer)
) WITHOUT ROWID;
"""

FIFTH_SCHEMA = """
CREATE TABLE dvr_override (dvr TEXT PRIMARY KEY, patch TEXT NOT NULL) WITHOUT ROWID;
"""

SIXTH_SCHEMA = """
ALTER TABLE blob ADD COLUMN discontinuity INTEGER NOT NULL DEFAULT 0;
"""

SEVENTH_SCHEMA = """
ALTER TABLE root ADD COLUMN imported INTEGER NOT NULL DEFAULT 1;  -- 0: what is on it is not all known yet
CREATE TABLE IF NOT EXISTS event (
    sink TEXT NOT NULL,
    id INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (sink, id)
) WITHOUT ROWID;
CREATE TABLE set_aside (                -- rows that made no sense, kept to be looked at
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,               -- the table
    row TEXT NOT NULL,                  -- JSON
    reason TEXT NOT NULL,
    found_ms INTEGER NOT NULL
);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

EIGHTH_SCHEMA = """
ALTER TABLE deletion ADD COLUMN cover INTEGER NOT NULL DEFAULT 0;   -- also fragments that only touch the range
"""

STEPS = (SCHEMA, SECOND_SCHEMA, THIRD_SCHEMA, FOURTH_SCHEMA, FIFTH_SCHEMA, SIXTH_SCHEMA, SEVENTH_SCHEMA, EIGHTH_SCHEMA)
"""`STEPS[n]` makes schema n + 1 of schema n."""

_FAR = 1000
"""A version so far ahead is damage, not the future."""


class WrongSchema(Exception):
    """The database is not one of ours, or not whole."""


class TooNew(Exception):
    """The database was made by a newer flussdvr."""


def upgrade(connection: sqlite3.Connection) -> int:
    """Make or complete the schema; the version that was found. WrongSchema, TooNew, sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= SCHEMA_VERSION + _FAR:
        raise WrongSchema(f"its schema has the number {version}")
    if version > SCHEMA_VERSION:
        raise TooNew(f"it has schema {version}; this flussdvr knows up to {SCHEMA_VERSION}")
    for number, step in enumerate(STEPS[version:], version + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # such as a table that is there already, or missing
                raise WrongSchema(str(error)) from error
            raise
    check(connection)
    return int(version)


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
        for step in STEPS:
            empty.executescript(step)
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
