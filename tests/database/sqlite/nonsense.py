"""Rows of every table, and every kind of nonsense in each of their columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from flussdvr.database.sqlite.catalog import SqliteCatalog

UUID = "11111111-2222-4333-8444-555555555555"
BEGIN_MS = 1_795_194_000_000

GOOD: dict[str, dict[str, object]] = {
    "root": {"id": 1, "uuid": UUID, "path": "/disk", "imported": 1},
    "blob": {
        "id": 7,
        "root_id": 1,
        "stream": "cam",
        "begin_ms": BEGIN_MS,
        "end_ms": BEGIN_MS + 60_000,
        "size": 1000,
        "index_size": 100,
        "state": 1,
        "segment_ms": 5000,
        "sequence": 3,
        "after": "disk",
        "holes": f"[[{BEGIN_MS + 1000}, {BEGIN_MS + 2000}]]",
        "freed": 8,
        "discontinuity": 2,
    },
    "lock": {"stream": "cam", "begin_ms": BEGIN_MS, "end_ms": BEGIN_MS + 5},
    "deletion": {"stream": "cam", "begin_ms": BEGIN_MS, "end_ms": BEGIN_MS + 5},
    "export_job": {"id": "job", "created_ms": 5, "job": "{}"},
    "stream_override": {"stream": "ort", "patch": '{"title": "x"}'},
    "dvr_override": {"dvr": "main", "patch": '{"root": "/x"}'},
    "signed_out": {"id": "somebody", "expires_ms": BEGIN_MS},
    "link": {
        "id": "00112233445566ff",
        "stream": "cam",
        "begin_ms": BEGIN_MS,
        "end_ms": BEGIN_MS + 5,
        "formats": "mp4 hls",
        "expires_ms": BEGIN_MS,
        "max_uses": 2,
        "uses": 1,
        "title": None,
        "created_by": "admin",
        "created_ms": 5,
        "revoked": 0,
    },
    "event": {"sink": "usage", "id": 3, "event": b'{"event": "x"}'},
}
VALUES: tuple[object, ...] = (
    -1,
    0,
    77,
    (1 << 63) - 1,
    -(1 << 63),
    3.5,
    1e300,
    float("inf"),
    "",
    "abc",
    "../../etc",
    "\0",
    "{not json",
    "[[5,1]]",
    "[" * 10_000,
    "[[1e400, 2]]",
    "9" * 5000,
    b"\xff\xfe",
    b"",
    "CAST(x'fffe' AS TEXT)",
)


def insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    """Whatever the constraints: SQLite checks no types, and a flipped bit none of the others."""
    names = ", ".join(row)
    raw = ["CAST(x'fffe' AS TEXT)" if value == VALUES[-1] else "?" for value in row.values()]
    values = [value for value in row.values() if value != VALUES[-1]]
    connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({', '.join(raw)})", values)


def lawless(catalog: SqliteCatalog) -> SqliteCatalog:
    """Without foreign keys."""
    assert catalog.file._connection is not None
    catalog.file._connection.execute("PRAGMA foreign_keys = OFF")
    return catalog


def cases() -> Iterator[tuple[str, str, object]]:
    """Table, column, value."""
    for table, row in GOOD.items():
        for column in row:
            for value in VALUES:
                yield table, column, value
