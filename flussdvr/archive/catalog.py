# -*- test-case-name: tests.archive.test_catalog -*-
"""
The catalog: all the SQL there is.

    root              a storage root by the uuid in its marker file; its path may change
    blob              one row a blob; written before the file is created, closed after it is synced
    lock              ranges that expiry leaves alone
    export_job        JSON, one row a job
    stream_override   JSON patches over the configuration file, one row a stream; dvr_override: one a storage
    deletion          ranges that are being deleted: what a crash interrupts, the next start finishes
    signed_out        sign-ins of the web page that were ended before their time
    link              signed links to a span of a stream; link_viewer: who has used one that only so many may use

What can be rebuilt from the disks (root, blob) is derived. `Catalog` is what the archive asks for; `SqliteCatalog`
answers with SQLite in the one thread that its worker has. Write-ahead log, synchronous=FULL: a row that was reported
is on the disk.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred

from flussdvr.archive.blob import Blob, BlobState
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Worker
from flussdvr.timeline import Range, RangeSet

SCHEMA_VERSION = 6

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

SELECT_BLOBS = """
SELECT blob.id, stream, root.path, begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after, holes, freed,
       discontinuity
FROM blob JOIN root ON root.id = root_id WHERE root.path IS NOT NULL ORDER BY stream, begin_ms
"""
INSERT_BLOB = """
INSERT INTO blob (root_id, stream, begin_ms, end_ms, size, index_size, state, segment_ms, sequence, after,
                  discontinuity)
VALUES ((SELECT id FROM root WHERE path = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_BLOB = "UPDATE blob SET end_ms = ?, size = ?, index_size = ?, state = ?, holes = ?, freed = ? WHERE id = ?"
UPDATE_STATE = "UPDATE blob SET state = ? WHERE id = ?"
DELETE_BLOB = "DELETE FROM blob WHERE id = ?"
SELECT_LINKS = """
SELECT id, stream, begin_ms, end_ms, formats, expires_ms, max_uses, uses, title, created_by, created_ms, revoked
FROM link ORDER BY created_ms, id
"""
INSERT_LINK = """
INSERT INTO link (
    id, stream, begin_ms, end_ms, formats, expires_ms, max_uses, uses, title, created_by, created_ms, revoked
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RootRow:
    """`path` is `None` for a disk in whose place another was found."""

    uuid: str
    path: str | None


@dataclass(slots=True)
class LinkRow:
    """
    A link to `[begin_ms, end_ms)` of a stream, until `expires_ms`. `max_uses`: how many viewers may use it, `None`
    for any number; `uses`: how many have.
    """

    id: str
    stream: str
    begin_ms: int
    end_ms: int
    formats: tuple[str, ...]
    expires_ms: int
    max_uses: int | None
    uses: int
    title: str | None
    created_by: str
    created_ms: int
    revoked: bool = False


class Catalog(Protocol):
    """What the archive asks of its database; everything is done or nothing is."""

    def open(self) -> Deferred[None]: ...
    def close(self) -> Deferred[None]: ...

    def roots(self) -> Deferred[list[RootRow]]: ...

    def adopt_root(self, path: str, uuid: str) -> Deferred[bool]:
        """The root with this uuid is at `path` from now on. Whether it was known before."""
        ...

    def blobs(self) -> Deferred[list[Blob]]:
        """All blobs of the roots that have a path, by stream and begin."""
        ...

    def insert_blobs(self, blobs: Sequence[Blob]) -> Deferred[list[int]]:
        """The ids of the new rows. Fails with CONFLICT where a blob of that stream and begin is known."""
        ...

    def update_blobs(self, blobs: Sequence[Blob]) -> Deferred[None]:
        """Store end, sizes, holes and state of the rows with these ids."""
        ...

    def mark(self, ids: Sequence[int], state: BlobState) -> Deferred[None]: ...
    def delete_blobs(self, ids: Sequence[int]) -> Deferred[None]: ...
    def locks(self) -> Deferred[dict[str, RangeSet]]: ...
    def replace_locks(self, stream: str, locks: RangeSet) -> Deferred[None]: ...

    def change_locks(self, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> Deferred[None]:
        """Replace some of a stream's locks, however many there are."""
        ...

    def deletions(self) -> Deferred[list[tuple[str, Range]]]: ...
    def add_deletion(self, stream: str, within: Range) -> Deferred[None]: ...
    def remove_deletion(self, stream: str, within: Range) -> Deferred[None]: ...
    def export_jobs(self) -> Deferred[dict[str, str]]: ...
    def save_export_job(self, id: str, created_ms: int, job: str) -> Deferred[None]: ...
    def delete_export_job(self, id: str) -> Deferred[None]: ...

    def signed_out(self, now_ms: int) -> Deferred[dict[str, int]]:
        """Until when (UTC ms) each sign-in that was ended is remembered; those of before `now_ms` are forgotten."""
        ...

    def sign_out(self, id: str, expires_ms: int) -> Deferred[None]: ...
    def overrides(self) -> Deferred[dict[str, str]]: ...

    def dvr_overrides(self) -> Deferred[dict[str, str]]: ...

    def replace_dvr_override(self, dvr: str, patch: str | None) -> Deferred[None]:
        """`None` removes it."""
        ...

    def replace_override(self, stream: str, patch: str | None) -> Deferred[None]:
        """Store the JSON patch of a stream; `None` removes it."""
        ...

    def links(self) -> Deferred[list[LinkRow]]:
        """All of them, oldest first, also those that are revoked."""
        ...

    def insert_link(self, link: LinkRow) -> Deferred[None]: ...
    def revoke_link(self, id: str) -> Deferred[None]: ...
    def delete_links(self, ids: Sequence[str]) -> Deferred[None]: ...

    def use_link(self, id: str, viewer: bytes) -> Deferred[int | None]:
        """
        Count a viewer as one who uses this link, once. How many do then; `None` if he would be one too many, or the
        link is revoked or gone.
        """
        ...

    def store_link_uses(self, uses: Sequence[tuple[str, int]]) -> Deferred[None]:
        """How many have used links that any number may use: (id, uses)."""
        ...


def transaction(
    f: Callable[Concatenate[sqlite3.Connection, P], T],
) -> Callable[Concatenate[SqliteCatalog, P], Deferred[T]]:
    """A method that runs in the SQL thread, in a transaction of its own."""

    def method(self: SqliteCatalog, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return self.worker.do(self.run, lambda connection: f(connection, *args, **kwargs))

    return method


class SqliteCatalog:
    """
    The catalog in one SQLite file, or in RAM for `:memory:`.

    `worker` must have one thread. Any method fails with DvrError UNAVAILABLE when the database can't be used.
    """

    def __init__(self, path: str, worker: Worker) -> None:
        self.path = path
        self.worker = worker
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Deferred[None]:
        return self.worker.do(self._open)

    def close(self) -> Deferred[None]:
        return self.worker.do(self._close)

    def run(self, f: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        if connection is None:
            raise DvrError(Kind.UNAVAILABLE, "catalog_closed", "the catalog is not open")
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = f(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError as error:
            raise DvrError(Kind.CONFLICT, "catalog_conflict", str(error)) from error
        except sqlite3.Error as error:
            raise DvrError(Kind.UNAVAILABLE, "catalog_failed", f"{self.path}: {error}") from error
        return result

    def _open(self) -> None:
        try:
            if self.path != ":memory:":
                os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
                _make_private(self.path)
            connection = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _upgrade(connection, self.path)
        except (sqlite3.Error, OSError) as error:
            raise DvrError(Kind.UNAVAILABLE, "catalog_failed", f"{self.path}: {error}") from error
        self._connection = connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @transaction
    def roots(connection: sqlite3.Connection) -> list[RootRow]:
        return [RootRow(*row) for row in connection.execute("SELECT uuid, path FROM root ORDER BY id")]

    @transaction
    def adopt_root(connection: sqlite3.Connection, path: str, uuid: str) -> bool:
        known = connection.execute("SELECT 1 FROM root WHERE uuid = ?", (uuid,)).fetchone() is not None
        connection.execute("UPDATE root SET path = NULL WHERE path = ? AND uuid <> ?", (path, uuid))
        connection.execute(
            "INSERT INTO root (uuid, path) VALUES (?, ?) ON CONFLICT (uuid) DO UPDATE SET path = excluded.path",
            (uuid, path),
        )
        return known

    @transaction
    def blobs(connection: sqlite3.Connection) -> list[Blob]:
        return [_blob(*row) for row in connection.execute(SELECT_BLOBS)]

    @transaction
    def insert_blobs(connection: sqlite3.Connection, blobs: Sequence[Blob]) -> list[int]:
        ids = []
        for b in blobs:
            values = (b.root, b.stream, b.begin_ms, b.end_ms, b.size, b.index_size, b.state)
            cursor = connection.execute(INSERT_BLOB, (*values, b.segment_ms, b.sequence, b.after, b.discontinuity))
            ids.append(cursor.lastrowid or 0)
        return ids

    @transaction
    def update_blobs(connection: sqlite3.Connection, blobs: Sequence[Blob]) -> None:
        rows = [(b.end_ms, b.size, b.index_size, b.state, _write_holes(b.holes), b.freed, b.id) for b in blobs]
        connection.executemany(UPDATE_BLOB, rows)

    @transaction
    def mark(connection: sqlite3.Connection, ids: Sequence[int], state: BlobState) -> None:
        connection.executemany(UPDATE_STATE, [(state, id) for id in ids])

    @transaction
    def delete_blobs(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        connection.executemany(DELETE_BLOB, _rows(ids))

    @transaction
    def locks(connection: sqlite3.Connection) -> dict[str, RangeSet]:
        result: dict[str, RangeSet] = {}
        for stream, begin_ms, end_ms in connection.execute("SELECT stream, begin_ms, end_ms FROM lock"):
            result.setdefault(stream, RangeSet()).add(Range(begin_ms, end_ms))
        return result

    @transaction
    def replace_locks(connection: sqlite3.Connection, stream: str, locks: RangeSet) -> None:
        connection.execute("DELETE FROM lock WHERE stream = ?", (stream,))
        rows = [(stream, lock.begin_ms, lock.end_ms) for lock in locks]
        connection.executemany("INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)", rows)

    @transaction
    def change_locks(connection: sqlite3.Connection, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> None:
        rows = [(stream, lock.begin_ms) for lock in gone]
        connection.executemany("DELETE FROM lock WHERE stream = ? AND begin_ms = ?", rows)
        added = [(stream, lock.begin_ms, lock.end_ms) for lock in new]
        connection.executemany("INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)", added)

    @transaction
    def deletions(connection: sqlite3.Connection) -> list[tuple[str, Range]]:
        rows = connection.execute("SELECT stream, begin_ms, end_ms FROM deletion")
        return [(stream, Range(begin_ms, end_ms)) for stream, begin_ms, end_ms in rows]

    @transaction
    def add_deletion(connection: sqlite3.Connection, stream: str, within: Range) -> None:
        row = (stream, within.begin_ms, within.end_ms)
        connection.execute("INSERT OR IGNORE INTO deletion (stream, begin_ms, end_ms) VALUES (?, ?, ?)", row)

    @transaction
    def remove_deletion(connection: sqlite3.Connection, stream: str, within: Range) -> None:
        row = (stream, within.begin_ms, within.end_ms)
        connection.execute("DELETE FROM deletion WHERE stream = ? AND begin_ms = ? AND end_ms = ?", row)

    @transaction
    def export_jobs(connection: sqlite3.Connection) -> dict[str, str]:
        return dict(connection.execute("SELECT id, job FROM export_job ORDER BY created_ms"))

    @transaction
    def save_export_job(connection: sqlite3.Connection, id: str, created_ms: int, job: str) -> None:
        connection.execute(
            "INSERT INTO export_job (id, created_ms, job) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET job = excluded.job",
            (id, created_ms, job),
        )

    @transaction
    def delete_export_job(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("DELETE FROM export_job WHERE id = ?", (id,))

    @transaction
    def signed_out(connection: sqlite3.Connection, now_ms: int) -> dict[str, int]:
        connection.execute("DELETE FROM signed_out WHERE expires_ms <= ?", (now_ms,))
        return dict(connection.execute("SELECT id, expires_ms FROM signed_out"))

    @transaction
    def sign_out(connection: sqlite3.Connection, id: str, expires_ms: int) -> None:
        connection.execute("INSERT OR REPLACE INTO signed_out (id, expires_ms) VALUES (?, ?)", (id, expires_ms))

    @transaction
    def overrides(connection: sqlite3.Connection) -> dict[str, str]:
        return dict(connection.execute("SELECT stream, patch FROM stream_override ORDER BY stream"))

    @transaction
    def replace_override(connection: sqlite3.Connection, stream: str, patch: str | None) -> None:
        connection.execute("DELETE FROM stream_override WHERE stream = ?", (stream,))
        if patch is not None:
            connection.execute("INSERT INTO stream_override (stream, patch) VALUES (?, ?)", (stream, patch))

    @transaction
    def dvr_overrides(connection: sqlite3.Connection) -> dict[str, str]:
        return dict(connection.execute("SELECT dvr, patch FROM dvr_override ORDER BY dvr"))

    @transaction
    def replace_dvr_override(connection: sqlite3.Connection, dvr: str, patch: str | None) -> None:
        connection.execute("DELETE FROM dvr_override WHERE dvr = ?", (dvr,))
        if patch is not None:
            connection.execute("INSERT INTO dvr_override (dvr, patch) VALUES (?, ?)", (dvr, patch))

    @transaction
    def links(connection: sqlite3.Connection) -> list[LinkRow]:
        return [_link(*row) for row in connection.execute(SELECT_LINKS)]

    @transaction
    def insert_link(connection: sqlite3.Connection, link: LinkRow) -> None:
        row = dataclasses.asdict(link) | {"formats": " ".join(link.formats)}
        connection.execute(INSERT_LINK, tuple(row.values()))

    @transaction
    def revoke_link(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("UPDATE link SET revoked = 1 WHERE id = ?", (id,))

    @transaction
    def delete_links(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        connection.executemany("DELETE FROM link WHERE id = ?", [(id,) for id in ids])

    @transaction
    def use_link(connection: sqlite3.Connection, id: str, viewer: bytes) -> int | None:
        row = connection.execute("SELECT uses, max_uses FROM link WHERE id = ? AND NOT revoked", (id,)).fetchone()
        if row is None:
            return None
        uses: int = row[0]
        known = "SELECT 1 FROM link_viewer WHERE link_id = ? AND viewer = ?"
        if connection.execute(known, (id, viewer)).fetchone() is not None:
            return uses
        if row[1] is not None and uses >= row[1]:
            return None
        connection.execute("INSERT INTO link_viewer (link_id, viewer) VALUES (?, ?)", (id, viewer))
        connection.execute("UPDATE link SET uses = ? WHERE id = ?", (uses + 1, id))
        return uses + 1

    @transaction
    def store_link_uses(connection: sqlite3.Connection, uses: Sequence[tuple[str, int]]) -> None:
        connection.executemany("UPDATE link SET uses = ? WHERE id = ?", [(count, id) for id, count in uses])


def _rows(ids: Iterable[int]) -> list[tuple[int]]:
    return [(id,) for id in ids]


def _blob(id: int, stream: str, root: str, begin_ms: int, end_ms: int, size: int, index: int, *rest: Any) -> Blob:
    state, segment_ms, sequence, after, holes, freed, discontinuity = rest
    blob = Blob(stream, root, begin_ms, end_ms, size, index, BlobState(state), segment_ms, sequence, after, id)
    blob.holes, blob.freed = tuple(Range(*hole) for hole in json.loads(holes or "[]")), freed
    blob.discontinuity = discontinuity
    return blob


def _link(id: str, stream: str, begin_ms: int, end_ms: int, formats: str, *rest: Any) -> LinkRow:
    link = LinkRow(id, stream, begin_ms, end_ms, tuple(formats.split()), *rest)
    link.revoked = bool(link.revoked)
    return link


def _write_holes(holes: Sequence[Range]) -> str | None:
    return json.dumps([[hole.begin_ms, hole.end_ms] for hole in holes]) if holes else None


def _make_private(path: str) -> None:
    """Passwords of sources and streams are in it, as the API was given them. SQLite's files beside it are as it is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _upgrade(connection: sqlite3.Connection, path: str) -> None:
    """Make or check the schema. A catalog from a newer flussdvr is left alone: DvrError UNAVAILABLE."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        title = f"{path} has schema {version}; this flussdvr knows up to {SCHEMA_VERSION}"
        raise DvrError(Kind.UNAVAILABLE, "catalog_too_new", title)
    if version < 1:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = 1; COMMIT;")
    if version < 2:
        connection.executescript(f"BEGIN IMMEDIATE; {SECOND_SCHEMA} PRAGMA user_version = 2; COMMIT;")
    if version < 3:
        connection.executescript(f"BEGIN IMMEDIATE; {THIRD_SCHEMA} PRAGMA user_version = 3; COMMIT;")
    if version < 4:
        connection.executescript(f"BEGIN IMMEDIATE; {FOURTH_SCHEMA} PRAGMA user_version = 4; COMMIT;")
    if version < 5:
        connection.executescript(f"BEGIN IMMEDIATE; {FIFTH_SCHEMA} PRAGMA user_version = 5; COMMIT;")
    if version < 6:
        connection.executescript(f"BEGIN IMMEDIATE; {SIXTH_SCHEMA} PRAGMA user_version = 6; COMMIT;")
