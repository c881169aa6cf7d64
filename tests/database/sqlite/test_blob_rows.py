"""Rows of blobs by the thousand: what SQLite finds plain is what the reader of single rows makes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS
from flussdvr.database.rows import MAX_SEQUENCE, MAX_SIZE
from flussdvr.database.sqlite.blob_rows import BATCH, _read, read_blobs
from flussdvr.database.sqlite.schema import upgrade
from flussdvr.timeline import MAX_MS

GOOD: dict[str, Any] = {
    "root_id": 1,
    "stream": "cam",
    "begin_ms": 1_795_194_000_000,
    "end_ms": 1_795_197_600_000,
    "size": 5,
    "index_size": 5,
    "state": 1,
    "segment_ms": 2000,
    "sequence": 7,
    "after": None,
    "holes": None,
    "freed": 0,
    "discontinuity": 1,
}
ODD = [
    *(None, -1, 0, 1, 2, 3, 4, 9, 0.5, 1.0, 2**62, -(2**63), MAX_MS, MAX_MS + 1, MAX_SIZE, MAX_SIZE + 1),
    *(MAX_SEQUENCE, MAX_SEQUENCE + 1, 1_795_194_000_000, 1_795_194_000_000 + LONGEST_BLOB_MS + 1, float("inf")),
    *("", "x", "7", "../x", "a/b", "[[1,2]]", "[[1795194000000,1795194001000]]", "x" * 5000, b"", b"cam", b"\xff"),
]


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    upgrade(connection)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.executemany("INSERT INTO root (id, uuid, path) VALUES (?, ?, ?)", [(1, "a", "/a"), (2, "b", None)])
    return connection


def insert(connection: sqlite3.Connection, **changed: object) -> None:
    row = GOOD | changed
    names = ", ".join(row)
    connection.execute(f"INSERT INTO blob ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def values(blobs: list[Blob]) -> list[tuple[Any, ...]]:
    return sorted(tuple(getattr(blob, one.name) for one in fields(Blob)) for blob in blobs)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(database()) as opened:
        yield opened


changes = st.dictionaries(st.sampled_from(sorted(GOOD)), st.sampled_from(ODD) | st.integers(-5, 2**63 - 1), max_size=3)


@given(st.lists(changes, max_size=6))
def test_a_row_is_read_the_same_alone_and_among_many(rows: list[dict[str, Any]]) -> None:
    with closing(database()) as connection:
        insert(connection, begin_ms=GOOD["begin_ms"] - 5)
        for row in rows:
            try:
                insert(connection, **row)
            except sqlite3.IntegrityError:
                continue
        found, nonsense = read_blobs(connection)
        alone, said = _read(connection, all_plain=False)
        assert sorted(nonsense) == sorted(said)
        assert values(found) == values(alone)
        assert connection.execute("SELECT count(*) FROM blob WHERE root_id IS NOT 2").fetchone()[0] == len(found) + len(
            said
        )


def test_one_absurd_row_among_many_is_set_apart(connection: sqlite3.Connection) -> None:
    count = BATCH + 5
    for number in range(count):
        insert(connection, begin_ms=number, end_ms=number + 1, after="restart" if number % 7 else None)
    insert(connection, stream="other", end_ms="never")
    insert(connection, stream="x/../y")
    insert(connection, stream="cam2", root_id=77)
    found, nonsense = read_blobs(connection)
    assert len(found) == count + 1 and [key for key, _ in nonsense] == [(count + 2,), (count + 3,)]
    (suspect,) = [blob for blob in found if blob.state is not BlobState.CLOSED]
    assert suspect.stream == "other" and suspect.state is BlobState.SUSPECT
    assert {blob.after for blob in found} == {None, "restart"}


def test_names_are_kept_once(connection: sqlite3.Connection) -> None:
    for number in range(3):
        insert(connection, begin_ms=number, end_ms=number + 1)
    found, _ = read_blobs(connection)
    assert len({id(blob.stream) for blob in found}) == len({id(blob.root) for blob in found}) == 1


@pytest.mark.parametrize("after", ["x" * 101, "\0"])
def test_a_reason_that_is_none(connection: sqlite3.Connection, after: str) -> None:
    insert(connection, after=after)
    insert(connection, begin_ms=5, end_ms=6)
    found, _ = read_blobs(connection)
    assert sorted(blob.state for blob in found) == [BlobState.CLOSED, BlobState.SUSPECT]
