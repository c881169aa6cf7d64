# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""
The catalog in one SQLite file.

    root              a storage root by the uuid in its marker file; its path may change
    blob              one row a blob; written before the file is created, closed after it is synced
    lock              ranges that expiry leaves alone
    export_job        JSON, one row a job
    stream_override   JSON patches over the configuration file, one row a stream; dvr_override: one a storage
    deletion          ranges that are being deleted: what a crash interrupts, the next start finishes
    signed_out        sign-ins of the web page that were ended before their time
    link              signed links to a span of a stream; link_viewer: who has used one that only so many may use
    event             what a sink has not taken yet
    set_aside         rows that made no sense

Write-ahead log, synchronous=FULL: a row that was reported is on the disk, unless the disk can't be written: see
`database.sqlite.file`.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob
from flussdvr.database.catalog import CatalogState, Joined
from flussdvr.database.overrides_text import OverridesText
from flussdvr.database.rows import RootRow
from flussdvr.database.sqlite.blobs import BlobIds, Row, SqliteBlobs, new_row, whole_rows
from flussdvr.database.sqlite.deletions import SqliteDeletions
from flussdvr.database.sqlite.export_jobs import SqliteExportJobs
from flussdvr.database.sqlite.links import SqliteLinks
from flussdvr.database.sqlite.locks import SqliteLocks
from flussdvr.database.sqlite.overrides import DVRS, STREAMS, OverridesCopy, SqliteOverrides
from flussdvr.database.sqlite.rebuilding import import_rows, join_rows, restore_rows
from flussdvr.database.sqlite.roots import SqliteRoots
from flussdvr.database.sqlite.sign_outs import SqliteSignOuts
from flussdvr.database.sqlite.spool import SqliteSpool
from flussdvr.database.sqlite.transactions import Transactions
from flussdvr.database.thread import OPEN_S
from flussdvr.threads import Worker
from flussdvr.timeline import RangeSet

TABLES_OF_STREAMS = ("blob", "lock", "deletion", "stream_override")
"""Whose column `stream` is a name that a stream may change; links are signed with theirs."""


class SqliteCatalog(Transactions):
    """
    As `database.catalog.Catalog`, in the file `path`, or in RAM for `:memory:`. See `Transactions` for the arguments.

    Any method fails with DvrError UNAVAILABLE when the database can't be used.
    """

    def __init__(
        self,
        path: str,
        worker: Worker,
        clock: IReactorTime | None = None,
        spare: Callable[[], Worker] | None = None,
    ) -> None:
        super().__init__(path, worker, clock, spare)
        beside = os.path.join(os.path.dirname(path), "overrides.json") if path != ":memory:" else None
        self._copy = OverridesCopy(self, OverridesText(beside))
        self._ids = BlobIds()
        self.roots = SqliteRoots(self)
        self.blobs = SqliteBlobs(self, self._ids)
        self.locks = SqliteLocks(self)
        self.deletions = SqliteDeletions(self)
        self.export_jobs = SqliteExportJobs(self)
        self.stream_overrides = SqliteOverrides(self, STREAMS, self._copy)
        self.dvr_overrides = SqliteOverrides(self, DVRS, self._copy)
        self.links = SqliteLinks(self)
        self.sign_outs = SqliteSignOuts(self)
        self.spool = SqliteSpool(self)

    # -- its life ---------------------------------------------------------------------------------------------

    def open(self, patience_s: float = OPEN_S) -> Deferred[None]:
        """Fails with UNAVAILABLE `catalog_too_new` only: whatever else is wrong, there is a catalog then."""
        return self.start(patience_s, self._opened, self._ids.after_unknown_rows)

    def _opened(self) -> None:
        self.run(lambda connection: self._copy.load(connection, self.file.moved_aside is not None))
        self.run(self._ids.after_rows)
        self._copy.write()

    def look(self) -> Deferred[None]:
        """Instead of `open`: read a copy, change nothing."""

        def look() -> None:
            self.file.look()
            self.run(self._ids.after_rows)

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
            self._copy.text.refused,
            tuple(self.aside.values()),
        )

    def retry(self) -> Deferred[bool]:
        """Where the file or the text could not be written: try again. Whether the file is used again."""
        if self.thread.late is not None:
            return succeed(False)  # it is tried when it answers
        return self.thread.do(self._retry)

    def _retry(self) -> bool:
        again = self.file.retry()
        if again or self._copy.text.refused:
            self._copy.write()
        return again

    # -- rows of several subjects -----------------------------------------------------------------------------

    def import_blobs(
        self, path: str, blobs: Sequence[Blob], locks: dict[str, RangeSet], whole: bool
    ) -> Deferred[list[int]]:
        rows = [new_row(blob, id) for blob, id in zip(blobs, self._ids.new(len(blobs)), strict=True)]
        return self.thread.do(partial(self.run, lambda connection: import_rows(connection, path, rows, locks, whole)))

    def rename_stream(self, old: str, new: str) -> Deferred[int]:
        """Everything but its links, whose tokens are signed with the name. How many rows. CONFLICT."""

        def work(connection: sqlite3.Connection) -> int:
            updates = [f"UPDATE {table} SET stream = ? WHERE stream = ?" for table in TABLES_OF_STREAMS]
            count = sum(connection.execute(update, (new, old)).rowcount for update in updates)
            self._copy.count(connection)
            return count

        def rename() -> int:
            count = self.run(work, True)
            self._copy.write()
            return count

        return self.thread.do(rename)

    @property
    def broken(self) -> bool:
        """Whether it broke while it was used, or rows that it was to hold could not be written: see `restore`."""
        return (self.emptied or self.thread.lost) and self.thread.late is None

    def restore(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[None]:
        self.thread.lost = False
        return self.thread.do(partial(self._restore, roots, whole_rows(blobs), locks)).addErrback(self._not_restored)

    def _restore(self, roots: Sequence[RootRow], blobs: Sequence[tuple[Row, Row]], locks: dict[str, RangeSet]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            restore_rows(connection, roots, blobs, locks)
            self._copy.load(connection, broken=self.emptied)

        self.run(work)
        self.emptied = False
        self._copy.write()

    def join(self, roots: Sequence[RootRow], blobs: Sequence[Blob], locks: dict[str, RangeSet]) -> Deferred[Joined]:
        """Use the file that answers now, and bring it to what the archive knows: see `database.sqlite.rebuilding`."""
        rows = whole_rows(blobs)
        self.switch_back()

        def work() -> Joined:
            self.run(lambda connection: self._copy.load(connection, self.file.moved_aside is not None))
            joined, nonsense = self.run(lambda connection: join_rows(connection, roots, rows, locks))
            self.run(lambda connection: self.set_rows_aside(connection, "blob", nonsense))
            self._copy.write()
            return joined

        return self.thread.do(work).addErrback(self._not_restored)

    def _not_restored(self, failure: Failure) -> Failure:
        self.thread.lost = True
        return failure
