# -*- test-case-name: tests.database.sqlite.test_catalog -*-
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
    set_aside         rows that made no sense

What can be rebuilt from the disks (root, blob, lock) is derived. `Catalog` is what the archive asks for;
`SqliteCatalog` answers with SQLite in the one thread that its worker has. Write-ahead log, synchronous=FULL: a row that
was reported is on the disk, unless the disk can't be written: see `database.sqlite.file`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.overrides_text import OverridesText
from flussdvr.database.rows import (
    LinkRow,
    Nonsense,
    RootRow,
    read_deletion,
    read_link,
    read_named_text,
    read_root,
    read_signed_out,
    read_stream_range,
)
from flussdvr.database.sqlite import undo
from flussdvr.database.sqlite.aside import ASIDE_LIMIT, Aside, Key, sane_rows, set_row_aside
from flussdvr.database.sqlite.blob_rows import read_blobs
from flussdvr.database.sqlite.file import DatabaseFile
from flussdvr.database.sqlite.joined import INSERT_BLOB, UPDATE_BLOB, Joined, join_rows
from flussdvr.database.thread import DatabaseThread
from flussdvr.errors import DvrError, Kind
from flussdvr.process.patience import TooSlow, within
from flussdvr.threads import Worker
from flussdvr.timeline import Range, RangeSet

DELETE_BLOBS_OF = "DELETE FROM blob WHERE root_id IN (SELECT id FROM root WHERE uuid = ? OR path = ?)"
STAND_IN_IDS = 1 << 42
"""Ids given without knowing those of the file begin anywhere from here to a thousand times as much."""
MAX_ID = 1 << 53
"""The id of a row that is greater is damage."""
INSERT_FOUND_BLOB = INSERT_BLOB.replace("INSERT", "INSERT OR IGNORE")
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

OPEN_S = 60.0
"""How long the start waits for the disk of the catalog: a large one is checked and read in seconds."""

P = ParamSpec("P")
T = TypeVar("T")
Found = tuple[list[T], list[tuple[Key, str]]]


@dataclass(frozen=True, slots=True)
class CatalogState:
    """
    What is wrong with the catalog. `refused`: why it can't be written; `moved_aside`: what became of a broken one;
    `unreadable`: what stands in for it knows nothing of it; `copy_refused`: why the overrides have no copy as text.
    """

    refused: str | None = None
    moved_aside: str | None = None
    unreadable: bool = False
    copy_refused: str | None = None
    aside: tuple[Aside, ...] = ()


class Catalog(Protocol):
    """
    What the archive asks of its database; everything is done or nothing is.

    What is said of blobs, roots and locks is *held* where the disk does not answer: reported as done after a moment,
    and written later, in the order in which it was said. What must be stored fails then with UNAVAILABLE
    `state_not_writable`.
    """

    @property
    def broken(self) -> bool:
        """Whether it does not have all that it was told: `restore` is to be called."""
        ...

    def open(self, patience_s: float = OPEN_S) -> Deferred[None]: ...
    def close(self) -> Deferred[None]: ...

    def state(self) -> CatalogState:
        """What is wrong with it now."""
        ...

    def retry(self) -> Deferred[bool]:
        """Where it could not be written: try again. Whether it is written again."""
        ...

    def restore(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[None]:
        """After it broke: what the archive knows, as it was."""
        ...

    @property
    def answers(self) -> bool:
        """Whether what did not answer at the start does now: `join` is to be called."""
        ...

    def join(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[Joined]:
        """What the archive knows; from now on the catalog is the one that answers. What it knows besides."""
        ...

    def set_aside(self, source: str, key: Sequence[object], reason: str) -> Deferred[None]:
        """Keep a row that its reader makes no sense of where it can be looked at, and nowhere else."""
        ...

    def roots(self) -> Deferred[list[RootRow]]: ...

    def adopt_root(self, path: str, uuid: str) -> Deferred[bool]:
        """The root with this uuid is at `path` from now on. Whether all that is on it is known: see `import_blobs`."""
        ...

    def import_blobs(
        self, path: str, blobs: Sequence[Blob], locks: dict[str, RangeSet], whole: bool
    ) -> Deferred[list[int]]:
        """
        What was found on a root: the ids of new rows, 0 for a blob that has one. `locks` replace those of their
        streams. `whole`: from then on all that is on the root is known.
        """
        ...

    def blobs(self) -> Deferred[list[Blob]]:
        """All blobs of the roots that have a path, in no order."""
        ...

    def insert_blobs(self, blobs: Sequence[Blob]) -> Deferred[list[int]]:
        """The ids of the new rows. Fails with CONFLICT where a blob of that stream and begin is known."""
        ...

    def update_blobs(self, blobs: Sequence[Blob]) -> Deferred[None]:
        """Store end, sizes, holes and state of the rows with these ids."""
        ...

    def mark(self, ids: Sequence[int], state: BlobState, held: bool = True) -> Deferred[None]:
        """Store the state of rows; where that is not `held`, it fails with UNAVAILABLE if it takes too long."""
        ...

    def delete_blobs(self, ids: Sequence[int]) -> Deferred[None]: ...
    def locks(self) -> Deferred[dict[str, RangeSet]]: ...
    def replace_locks(self, stream: str, locks: RangeSet) -> Deferred[None]: ...

    def change_locks(self, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> Deferred[None]:
        """Replace some of a stream's locks, however many there are."""
        ...

    def deletions(self) -> Deferred[list[tuple[str, Range, bool]]]: ...
    def add_deletion(self, stream: str, within: Range, cover: bool) -> Deferred[None]: ...
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


def held(
    f: Callable[Concatenate[sqlite3.Connection, P], None],
) -> Callable[Concatenate[SqliteCatalog, P], Deferred[None]]:
    """A method that is a transaction in the SQL thread, and done later where the disk does not answer."""

    def method(self: SqliteCatalog, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[None]:
        return self.hold(lambda connection: f(connection, *args, **kwargs), None)

    return method


def durable(
    touched: Callable[P, Sequence[undo.Key]],
) -> Callable[
    [Callable[Concatenate[sqlite3.Connection, P], T]],
    Callable[Concatenate[SqliteCatalog, P], Deferred[T]],
]:
    """
    A transaction that fails with UNAVAILABLE `state_not_writable` where it can't be stored in time; what it has done to
    the rows `touched` is undone then.
    """

    def decorate(
        f: Callable[Concatenate[sqlite3.Connection, P], T],
    ) -> Callable[Concatenate[SqliteCatalog, P], Deferred[T]]:
        def method(self: SqliteCatalog, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
            return self.bounded(lambda connection: f(connection, *args, **kwargs), True, touched(*args, **kwargs))

        return method

    return decorate


class SqliteCatalog:
    """
    The catalog in one SQLite file, or in RAM for `:memory:`.

    `worker` must have one thread. Any method fails with DvrError UNAVAILABLE when the database can't be used. With a
    `clock`, who wants something stored waits no longer than `STORE_S` for it; and where the disk has not answered to
    `open` after `OPEN_S`, another thread, made by `spare`, goes on without what the file has.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        worker: Worker,
        clock: IReactorTime | None = None,
        spare: Callable[[], Worker] | None = None,
    ) -> None:
        self.path = path
        self.thread = DatabaseThread(worker, path, clock)
        self._clock = clock
        self._spare = spare
        self._next_id = 1
        self._left: tuple[Worker, DatabaseFile] | None = None
        """What did not answer at the start, and does now."""
        self.file = DatabaseFile(path)
        self._emptied = False
        """It broke while it was used, and is empty now."""
        self._text = OverridesText(
            os.path.join(os.path.dirname(path), "overrides.json") if path != ":memory:" else None
        )
        self._aside: dict[str, Aside] = {}

    def open(self, patience_s: float = OPEN_S) -> Deferred[None]:
        """Fails with UNAVAILABLE `catalog_too_new` only: whatever else is wrong, there is a catalog then."""
        if self._clock is None or self._spare is None:
            return self.thread.do(partial(self._open, self.file))
        return Deferred.fromCoroutine(self._open_in_time(patience_s, self._clock, self._spare))

    async def _open_in_time(self, patience_s: float, clock: IReactorTime, spare: Callable[[], Worker]) -> None:
        opening = self.thread.worker.do(self._open, self.file)  # however late, it is wanted
        try:
            await within(patience_s, opening, clock)
        except TooSlow:
            opening.addErrback(self._not_opened)
            await self._stand_in(spare)

    async def _stand_in(self, spare: Callable[[], Worker]) -> None:
        """The disk hangs at the start: go on without what the file has, until it answers; see `join`."""
        worker, file = self.thread.worker, self.file
        reason = "its disk has not answered since the start"
        self.file, self._spare = DatabaseFile(self.path), None
        self._next_id = STAND_IN_IDS + secrets.randbelow(STAND_IN_IDS << 10)
        self.thread.replace(spare())
        worker.do(lambda: None).addCallback(lambda _: self._found(worker, file))
        await self.thread.do(partial(self.file.stand_in, reason))

    def _not_opened(self, failure: Failure) -> None:
        error = failure.value
        self.log.critical("{path} answers, and is not used: {error}", path=self.path, error=error)

    def _found(self, worker: Worker, file: DatabaseFile) -> None:
        if file.usable:
            self._left = worker, file

    @property
    def answers(self) -> bool:
        """Whether the file that did not answer at the start does now: `join` is to be called."""
        return self._left is not None

    def join(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[Joined]:
        """Use the file that answers now, and bring it to what the archive knows: see `database.joined`."""
        assert self._left is not None
        rows = [(_row(blob), _updated(blob)) for blob in blobs]
        stand_in = self.file
        self.thread.do(stand_in.close).addErrback(lambda failure: None)
        spare = self.thread.worker
        worker, self.file = self._left
        self._left = None
        self.thread.replace(worker)
        spare.stop()

        def work() -> Joined:
            self.run(lambda connection: self._text.load(connection, self.file.moved_aside is not None))
            joined = self.run(lambda connection: join_rows(connection, roots, rows, locks))
            self.run(lambda connection: self._set_all_aside(connection, "blob", joined.nonsense))
            self._write_text()
            return joined

        return self.thread.do(work).addErrback(self._not_restored)

    def hold(self, f: Callable[[sqlite3.Connection], T], otherwise: T) -> Deferred[T]:
        """A transaction that is done later, and whose result is `otherwise`, where the disk does not answer."""
        return self.thread.hold(partial(self.run, f), otherwise)

    def bounded(
        self, f: Callable[[sqlite3.Connection], T], durable: bool = False, touched: Sequence[undo.Key] = ()
    ) -> Deferred[T]:
        """
        A transaction that takes no longer than `STORE_S`, or fails with UNAVAILABLE `state_not_writable`, and then has
        done nothing to the rows `touched`.
        """
        before = undo.Before()

        def work(check: Callable[[], None]) -> T:
            def checked(connection: sqlite3.Connection) -> T:
                before.note(connection, touched)
                result = f(connection)
                check()
                return result

            if self.file.partial:
                title = f"{self.path} can't be read: {self.file.refused}"
                raise DvrError(Kind.UNAVAILABLE, "state_not_writable", title)
            return self.run(checked, durable)

        return self.thread.refused(work, lambda: self.run(before.put_back))

    def look(self) -> Deferred[None]:
        """Instead of `open`: read a copy, change nothing."""

        def look() -> None:
            self.file.look()
            self._next_id = self.run(_next_id)

        return self.thread.do(look)

    def close(self) -> Deferred[None]:
        return self.thread.do(self.file.close)

    def state(self) -> CatalogState:
        """What is wrong with it now; in any thread."""
        moved = self.file.moved_aside
        return CatalogState(
            self.file.refused or self.thread.late,
            f"{self.path}: {moved}" if moved is not None else None,
            self.file.partial,
            self._text.refused,
            tuple(self._aside.values()),
        )

    def retry(self) -> Deferred[bool]:
        """Where the file or the text could not be written: try again. Whether the file is used again."""
        if self.thread.late is not None:
            return succeed(False)  # it is tried when it answers
        return self.thread.do(self._retry)

    @property
    def broken(self) -> bool:
        """Whether it broke while it was used, or rows that it was to hold could not be written: see `restore`."""
        return (self._emptied or self.thread.lost) and self.thread.late is None

    def run(self, f: Callable[[sqlite3.Connection], T], durable: bool = False) -> T:
        """In the SQL thread: as `DatabaseFile.run`."""
        try:
            return self.file.run(f, durable)
        except DvrError as error:
            if error.code == "catalog_broken":
                self._emptied = self.file.replace(error.title) or self._emptied
            raise

    def set_aside(self, source: str, key: Sequence[object], reason: str) -> Deferred[None]:
        """Keep a row that its reader makes no sense of where it can be looked at, and nowhere else."""
        return self.hold(lambda connection: self._set_aside(connection, source, key, reason), None)

    def restore(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[None]:
        """After it broke: what the archive knows, as it was."""
        self.thread.lost = False
        rows = [(_row(blob), _updated(blob)) for blob in blobs]
        return self.thread.do(partial(self._restore, roots, rows, locks)).addErrback(self._not_restored)

    def _not_restored(self, failure: Failure) -> Failure:
        self.thread.lost = True
        return failure

    def _open(self, file: DatabaseFile) -> None:
        file.open()
        if self.file is not file:  # that took too long
            return
        self.run(lambda connection: self._text.load(connection, self.file.moved_aside is not None))
        self._next_id = self.run(_next_id)
        self._write_text()

    def _retry(self) -> bool:
        again = self.file.retry()
        if again or self._text.refused:
            self._write_text()
        return again

    def _write_text(self) -> None:
        if self.file.refused is None:
            self._text.write(self.run(self._text.read_tables))

    def _set_aside(self, connection: sqlite3.Connection, source: str, key: Sequence[object], reason: str) -> None:
        set_row_aside(connection, source, key, reason)
        before = self._aside.get(source)
        self._aside[source] = Aside(source, (before.count if before else 0) + 1, before.reason if before else reason)

    def _sane(
        self,
        table: str,
        select: str,
        read: Callable[[Sequence[object]], T],
        first: tuple[str, tuple[int]] | None = None,
    ) -> Deferred[list[T]]:
        """The rows that make sense; the others are set aside. `first`: a statement to be done before."""

        def read_all(connection: sqlite3.Connection) -> Found[T]:
            if first is not None:
                connection.execute(*first)
            return sane_rows(connection, table, select, read)

        return self._read(table, read_all)

    def _read(self, table: str, read_all: Callable[[sqlite3.Connection], Found[T]]) -> Deferred[list[T]]:
        """As `_sane`; `read_all` gives the rows that make sense, and those that don't."""

        def work(connection: sqlite3.Connection) -> list[T]:
            found, nonsense = read_all(connection)
            self._set_all_aside(connection, table, nonsense)
            return found

        reading = self.thread.do(partial(self.run, work))
        if self._clock is None or self._spare is None:
            return reading
        return Deferred.fromCoroutine(self._read_in_time(reading, work, self._clock, self._spare))

    async def _read_in_time(
        self,
        reading: Deferred[list[T]],
        work: Callable[[sqlite3.Connection], list[T]],
        clock: IReactorTime,
        spare: Callable[[], Worker],
    ) -> list[T]:
        """At the start; later nothing is read. Where the disk hangs in between, what stands in is asked."""
        try:
            return await within(OPEN_S, reading, clock)
        except TooSlow:
            reading.addErrback(lambda failure: None)
            if self._spare is not None:
                await self._stand_in(spare)
            return await self.thread.do(partial(self.run, work))

    def _set_all_aside(self, connection: sqlite3.Connection, table: str, nonsense: Sequence[tuple[Key, str]]) -> None:
        for key, reason in nonsense[:ASIDE_LIMIT]:
            self._set_aside(connection, table, key, reason)
        if nonsense and table in ("root", "blob"):
            _forget_imports(connection)

    def _restore(
        self,
        roots: Sequence[RootRow],
        blobs: Sequence[tuple[tuple[object, ...], tuple[object, ...]]],
        locks: dict[str, RangeSet],
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for root in roots:  # what is known of others stays
                connection.execute(DELETE_BLOBS_OF, (root.uuid, root.path))
                connection.execute("DELETE FROM root WHERE uuid = ? OR path = ?", (root.uuid, root.path))
                row = root.uuid, root.path, int(root.imported)
                connection.execute("INSERT INTO root (uuid, path, imported) VALUES (?, ?, ?)", row)
            for new, whole in blobs:
                connection.execute(INSERT_BLOB, new)
                connection.execute(UPDATE_BLOB, whole)
            connection.execute("DELETE FROM lock")
            for stream, some in locks.items():
                _replace_locks(connection, stream, some)
            self._text.load(connection, broken=self._emptied)

        self.run(work)
        self._emptied = False
        self._write_text()

    def _new_ids(self, count: int) -> list[int]:
        """Of rows that may be written later: those who change them then come after, in the same queue."""
        first, self._next_id = self._next_id, self._next_id + count
        return list(range(first, first + count))

    def roots(self) -> Deferred[list[RootRow]]:
        return self._sane("root", "SELECT uuid, path, imported FROM root ORDER BY id", read_root)

    def adopt_root(self, path: str, uuid: str) -> Deferred[bool]:
        def work(connection: sqlite3.Connection) -> bool:
            connection.execute("UPDATE root SET path = NULL WHERE path = ? AND uuid <> ?", (path, uuid))
            connection.execute(
                "INSERT INTO root (uuid, path, imported) VALUES (?, ?, 0) "
                "ON CONFLICT (uuid) DO UPDATE SET path = excluded.path",
                (uuid, path),
            )
            (imported,) = connection.execute("SELECT imported FROM root WHERE uuid = ?", (uuid,)).fetchone()
            return bool(imported)

        return self.hold(work, False)

    def import_blobs(
        self, path: str, blobs: Sequence[Blob], locks: dict[str, RangeSet], whole: bool
    ) -> Deferred[list[int]]:
        rows = [_row(blob, id) for blob, id in zip(blobs, self._new_ids(len(blobs)), strict=True)]

        def work(connection: sqlite3.Connection) -> list[int]:
            ids = []
            for row in rows:
                cursor = connection.execute(INSERT_FOUND_BLOB, row)
                ids.append((cursor.lastrowid or 0) if cursor.rowcount else 0)
            for stream, some in locks.items():
                _replace_locks(connection, stream, some)
            if whole:
                connection.execute("UPDATE root SET imported = 1 WHERE path = ?", (path,))
            return ids

        return self.thread.do(partial(self.run, work))

    def blobs(self) -> Deferred[list[Blob]]:
        return self._read("blob", read_blobs)

    def insert_blobs(self, blobs: Sequence[Blob]) -> Deferred[list[int]]:
        ids = self._new_ids(len(blobs))
        rows = [_row(blob, id) for blob, id in zip(blobs, ids, strict=True)]

        def work(connection: sqlite3.Connection) -> list[int]:
            connection.executemany(INSERT_BLOB, rows)
            return ids

        return self.hold(work, ids)

    def update_blobs(self, blobs: Sequence[Blob]) -> Deferred[None]:
        rows = [(_row(blob), _updated(blob)) for blob in blobs]

        def work(connection: sqlite3.Connection) -> None:
            for new, whole in rows:
                if not connection.execute(UPDATE_BLOB, whole).rowcount:  # as its row was lost on the way
                    connection.execute(INSERT_FOUND_BLOB, new)
                    connection.execute(UPDATE_BLOB, whole)

        return self.hold(work, None)

    def mark(self, ids: Sequence[int], state: BlobState, held: bool = True) -> Deferred[None]:
        rows = [(state, id) for id in ids]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(UPDATE_STATE, rows)

        return self.hold(work, None) if held else self.thread.refused(lambda check: self.run(work))

    @held
    def delete_blobs(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        connection.executemany(DELETE_BLOB, _rows(ids))

    def locks(self) -> Deferred[dict[str, RangeSet]]:
        return self._sane("lock", "SELECT stream, begin_ms, end_ms FROM lock", read_stream_range).addCallback(
            _by_stream
        )

    @held
    def replace_locks(connection: sqlite3.Connection, stream: str, locks: RangeSet) -> None:
        _replace_locks(connection, stream, locks)

    @held
    def change_locks(connection: sqlite3.Connection, stream: str, gone: Sequence[Range], new: Sequence[Range]) -> None:
        rows = [(stream, lock.begin_ms) for lock in gone]
        connection.executemany("DELETE FROM lock WHERE stream = ? AND begin_ms = ?", rows)
        added = [(stream, lock.begin_ms, lock.end_ms) for lock in new]
        connection.executemany("INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)", added)

    def deletions(self) -> Deferred[list[tuple[str, Range, bool]]]:
        return self._sane("deletion", "SELECT stream, begin_ms, end_ms, cover FROM deletion", read_deletion)

    @durable(
        lambda stream, within, cover: [
            ("deletion", {"stream": stream, "begin_ms": within.begin_ms, "end_ms": within.end_ms})
        ]
    )
    def add_deletion(connection: sqlite3.Connection, stream: str, within: Range, cover: bool) -> None:
        row = (stream, within.begin_ms, within.end_ms, cover)
        connection.execute(
            "INSERT INTO deletion (stream, begin_ms, end_ms, cover) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (stream, begin_ms, end_ms) DO UPDATE SET cover = max(cover, excluded.cover)",
            row,
        )

    @held
    def remove_deletion(connection: sqlite3.Connection, stream: str, within: Range) -> None:
        row = (stream, within.begin_ms, within.end_ms)
        connection.execute("DELETE FROM deletion WHERE stream = ? AND begin_ms = ? AND end_ms = ?", row)

    def export_jobs(self) -> Deferred[dict[str, str]]:
        return self._named("export_job", "SELECT id, job FROM export_job ORDER BY created_ms")

    @durable(lambda id, created_ms, job: [("export_job", {"id": id})])
    def save_export_job(connection: sqlite3.Connection, id: str, created_ms: int, job: str) -> None:
        connection.execute(
            "INSERT INTO export_job (id, created_ms, job) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET job = excluded.job",
            (id, created_ms, job),
        )

    @durable(lambda id: [("export_job", {"id": id})])
    def delete_export_job(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("DELETE FROM export_job WHERE id = ?", (id,))

    def signed_out(self, now_ms: int) -> Deferred[dict[str, int]]:
        over = "DELETE FROM signed_out WHERE expires_ms <= ?", (now_ms,)
        found = self._sane("signed_out", "SELECT id, expires_ms FROM signed_out", read_signed_out, over)
        return found.addCallback(dict)

    @durable(lambda id, expires_ms: ())
    def sign_out(connection: sqlite3.Connection, id: str, expires_ms: int) -> None:
        connection.execute("INSERT OR REPLACE INTO signed_out (id, expires_ms) VALUES (?, ?)", (id, expires_ms))

    def overrides(self) -> Deferred[dict[str, str]]:
        return self._named("stream_override", "SELECT stream, patch FROM stream_override ORDER BY stream")

    def replace_override(self, stream: str, patch: str | None) -> Deferred[None]:
        return self._override("stream_override", "stream", stream, patch)

    def dvr_overrides(self) -> Deferred[dict[str, str]]:
        return self._named("dvr_override", "SELECT dvr, patch FROM dvr_override ORDER BY dvr")

    def replace_dvr_override(self, dvr: str, patch: str | None) -> Deferred[None]:
        return self._override("dvr_override", "dvr", dvr, patch)

    def _override(self, table: str, key: str, name: str, patch: str | None) -> Deferred[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (name,))
            if patch is not None:
                connection.execute(f"INSERT INTO {table} ({key}, patch) VALUES (?, ?)", (name, patch))
            self._text.count(connection)

        return self.bounded(work, True, [(table, {key: name})]).addCallback(self._copy_as_text)

    def _copy_as_text(self, result: None) -> None:
        """Behind: what is in the database is stored, whatever becomes of the copy."""
        self.thread.do(self._write_text).addErrback(lambda failure: None)  # the database's trouble, which is known

    def rename_stream(self, old: str, new: str) -> Deferred[int]:
        """Everything but its links, whose tokens are signed with the name. How many rows. CONFLICT."""
        return self.thread.do(partial(self._rename_stream, old, new))

    def _rename_stream(self, old: str, new: str) -> int:
        def work(connection: sqlite3.Connection) -> int:
            tables = ("blob", "lock", "deletion", "stream_override")
            updates = [f"UPDATE {table} SET stream = ? WHERE stream = ?" for table in tables]
            count = sum(connection.execute(update, (new, old)).rowcount for update in updates)
            self._text.count(connection)
            return count

        count = self.run(work, True)
        self._write_text()
        return count

    def _named(self, table: str, select: str) -> Deferred[dict[str, str]]:
        return self._sane(table, select, read_named_text).addCallback(dict)

    def links(self) -> Deferred[list[LinkRow]]:
        return self._sane("link", SELECT_LINKS, read_link)

    @durable(lambda link: [("link", {"id": link.id})])
    def insert_link(connection: sqlite3.Connection, link: LinkRow) -> None:
        row = dataclasses.asdict(link) | {"formats": " ".join(link.formats)}
        connection.execute(INSERT_LINK, tuple(row.values()))

    @durable(lambda id: [("link", {"id": id}), ("link_viewer", {"link_id": id})])
    def revoke_link(connection: sqlite3.Connection, id: str) -> None:
        connection.execute("UPDATE link SET revoked = 1 WHERE id = ?", (id,))

    @durable(lambda ids: ())
    def delete_links(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        connection.executemany("DELETE FROM link WHERE id = ?", [(id,) for id in ids])

    @durable(lambda id, viewer: [("link", {"id": id}), ("link_viewer", {"link_id": id})])
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

    @held
    def store_link_uses(connection: sqlite3.Connection, uses: Sequence[tuple[str, int]]) -> None:
        connection.executemany("UPDATE link SET uses = ? WHERE id = ?", [(count, id) for id, count in uses])


def _rows(ids: Iterable[int]) -> list[tuple[int]]:
    return [(id,) for id in ids]


def _row(blob: Blob, id: int | None = None) -> tuple[object, ...]:
    """For INSERT_BLOB; with another id than the blob has."""
    values = (blob.root, blob.stream, blob.begin_ms, blob.end_ms, blob.size, blob.index_size, blob.state)
    return (blob.id if id is None else id, *values, blob.segment_ms, blob.sequence, blob.after, blob.discontinuity)


def _next_id(connection: sqlite3.Connection) -> int:
    """Greater than those of all blobs, but for one that is absurd."""
    (greatest,) = connection.execute("SELECT max(id) FROM blob WHERE id < ?", (MAX_ID,)).fetchone()
    return int(greatest or 0) + 1


def _updated(blob: Blob) -> tuple[object, ...]:
    """For UPDATE_BLOB."""
    values = (blob.end_ms, blob.size, blob.index_size, blob.state, _write_holes(blob.holes), blob.freed)
    return (*values, blob.segment_ms, blob.sequence, blob.after, blob.discontinuity, blob.id)


def _write_holes(holes: Sequence[Range]) -> str | None:
    return json.dumps([[hole.begin_ms, hole.end_ms] for hole in holes]) if holes else None


def _by_stream(pairs: Iterable[tuple[str, Range]]) -> dict[str, RangeSet]:
    result: dict[str, RangeSet] = {}
    for stream, item in pairs:
        result.setdefault(stream, RangeSet()).add(item)
    return result


def _replace_locks(connection: sqlite3.Connection, stream: str, locks: RangeSet) -> None:
    connection.execute("DELETE FROM lock WHERE stream = ?", (stream,))
    rows = [(stream, lock.begin_ms, lock.end_ms) for lock in locks]
    connection.executemany("INSERT INTO lock (stream, begin_ms, end_ms) VALUES (?, ?, ?)", rows)


def _forget_imports(connection: sqlite3.Connection) -> None:
    """Something is missing: what is on the roots is to be looked for again."""
    connection.execute("UPDATE root SET imported = 0")


__all__ = ["Catalog", "CatalogState", "LinkRow", "Nonsense", "RootRow", "SqliteCatalog"]
