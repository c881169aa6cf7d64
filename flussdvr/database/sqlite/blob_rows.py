# -*- test-case-name: tests.database.sqlite.test_blob_rows -*-
"""
The rows of blobs, of which there may be a million when the server starts.

    plain rows    closed, without holes, nearly all: SQLite itself checks their numbers, in C
    the others    each by `rows.read_blob`, which sets the nonsense apart

What a name may be is checked once for each name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.recovery import LONGEST_BLOB_MS
from flussdvr.database.rows import (
    MAX_REASON,
    MAX_SEGMENT_MS,
    MAX_SEQUENCE,
    MAX_SIZE,
    Nonsense,
    read_blob,
    root_path,
    stream_name,
    text,
)
from flussdvr.database.sqlite.aside import Key
from flussdvr.timeline import MAX_MS

_BOUNDS = {
    "id": f"1 AND {(1 << 63) - 1}",
    "begin_ms": f"0 AND {MAX_MS}",
    "end_ms": f"begin_ms + 1 AND min({MAX_MS}, begin_ms + {LONGEST_BLOB_MS})",
    "size": f"1 AND {MAX_SIZE}",
    "index_size": f"1 AND {MAX_SIZE}",
    "segment_ms": f"0 AND {MAX_SEGMENT_MS}",
    "sequence": f"0 AND {MAX_SEQUENCE}",
    "discontinuity": f"0 AND {MAX_SEQUENCE}",
}
"""Texts and blobs are greater than any number, NULL is in no bounds (sqlite.org/datatype3.html section 4)."""
_PLAIN = " AND ".join(
    [
        f"holes IS NULL AND freed = 0 AND state = {int(BlobState.CLOSED)}",
        "typeof(stream) = 'text' AND typeof(after) IN ('text', 'null')",
        *(f"{name} BETWEEN {bounds}" for name, bounds in _BOUNDS.items()),
        # with one fraction among them the sum is none
        f"typeof({' + '.join(name for name in _BOUNDS if name != 'id')}) = 'integer'",
    ]
)
_COLUMNS = "begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after, holes, freed, discontinuity"
_OF_NO_OTHER_DISK = "root_id NOT IN (SELECT id FROM root WHERE path IS NULL)"
SELECT = f"SELECT ({_PLAIN}) IS TRUE, id, stream, root_id, {_COLUMNS} FROM blob WHERE {_OF_NO_OTHER_DISK}"
BATCH = 10_000
"""Rows that are read at once."""


class _Checked(dict[str, str]):
    """Each text that was found good, once: a million rows share a thousand names."""

    def __init__(self, check: Callable[[str], str]) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, value: str) -> str:
        self[value] = self._check(value)
        return value


def read_blobs(connection: sqlite3.Connection) -> tuple[list[Blob], list[tuple[Key, str]]]:
    """All blobs of the roots that have a path, in no order; the keys of rows that make no sense, and why."""
    lenient = connection.text_factory
    try:
        connection.text_factory = str  # much faster; it fails at text that is not UTF-8
        return _read(connection, all_plain=True)
    except (Nonsense, sqlite3.OperationalError):  # such a text, or one that is no name
        connection.text_factory = lenient
        return _read(connection, all_plain=False)
    finally:
        connection.text_factory = lenient


def _read(connection: sqlite3.Connection, all_plain: bool) -> tuple[list[Blob], list[tuple[Key, str]]]:
    """Nonsense where all texts are to be good and one is not; sqlite3.OperationalError."""
    roots: dict[object, object] = dict(connection.execute("SELECT id, path FROM root WHERE path IS NOT NULL"))
    paths = {id: root_path(path) for id, path in roots.items()} if all_plain else {}
    names, closed = _Checked(stream_name), BlobState.CLOSED
    found: list[Blob] = []
    nonsense: list[tuple[Key, str]] = []
    cursor = connection.execute(SELECT)
    while rows := cursor.fetchmany(BATCH):
        odd = rows
        if all_plain:
            odd = [row for row in rows if not row[0] or row[3] not in paths]
            found += [
                Blob(names[name], paths[root], begin, end, size, index, closed, segment, number, why, id, (), 0, count)
                for plain, id, name, root, begin, end, size, index, _, segment, number, why, _, _, count in rows
                if plain and root in paths
            ]
        for _, id, name, root, *rest in odd:
            try:
                found.append(read_blob((id, name, roots.get(root), *rest)))
            except Nonsense as error:
                nonsense.append(((id,), str(error)))
    if all_plain:
        for reason in {blob.after for blob in found} - {None}:
            text(reason, "after", MAX_REASON)
    return found, nonsense
