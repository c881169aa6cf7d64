# -*- test-case-name: tests.archive.test_hung_catalog -*-
"""
Transactions of one database, in the one thread that may use its connection.

    run       in the thread, now
    hold      done later where the disk does not answer
    bounded   done in time, or refused and undone
    sane      read: the rows that make sense; the others are set aside

A disk that hangs at the start is gone on without, until it answers:

    open --in time--> the file
     `--too late----> another thread, and a database in RAM that knows nothing    --the file answers--> `switch_back`
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.database.catalog import Aside
from flussdvr.database.sqlite import undo
from flussdvr.database.sqlite.aside import ASIDE_LIMIT, Found, Key, forget_imports, sane_rows, set_row_aside
from flussdvr.database.sqlite.file import DatabaseFile
from flussdvr.database.thread import OPEN_S, DatabaseThread
from flussdvr.errors import DvrError, Kind
from flussdvr.process.time_limits import TooSlow, within
from flussdvr.threads import Worker

T = TypeVar("T")


class Transactions:
    """
    Of the SQLite file `path`, or in RAM for `:memory:`.

    `worker` must have one thread. With a `clock`, who wants something stored waits no longer than `STORE_S` for it; and
    where the disk has not answered to `start` in time, another thread, made by `spare`, goes on without what the file
    has. In the reactor thread, but for `run` and `set_rows_aside`.
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
        self.file = DatabaseFile(path)
        self.emptied = False
        """It broke while it was used, and is empty now."""
        self.aside: dict[str, Aside] = {}
        """Rows that were set aside, by table."""
        self._clock = clock
        self._spare = spare
        self._stands_in: Callable[[], None] = lambda: None
        self._left: tuple[Worker, DatabaseFile] | None = None
        """What did not answer at the start, and does now."""

    # -- the start --------------------------------------------------------------------------------------------

    def start(self, patience_s: float, opened: Callable[[], None], stands_in: Callable[[], None]) -> Deferred[None]:
        """
        Open the file; `opened()` is called in the thread then, `stands_in()` in the reactor thread where that takes
        longer than `patience_s`. DvrError UNAVAILABLE `catalog_too_new`.
        """
        self._stands_in = stands_in
        work = partial(self._open, self.file, opened)
        if self._clock is None or self._spare is None:
            return self.thread.do(work)
        return Deferred.fromCoroutine(self._open_in_time(patience_s, work, self._clock, self._spare))

    def _open(self, file: DatabaseFile, opened: Callable[[], None]) -> None:
        file.open()
        if self.file is file:  # else that took too long
            opened()

    async def _open_in_time(
        self, patience_s: float, work: Callable[[], None], clock: IReactorTime, spare: Callable[[], Worker]
    ) -> None:
        opening = self.thread.worker.do(work)  # however late, it is wanted
        try:
            await within(patience_s, opening, clock)
        except TooSlow:
            opening.addErrback(self._not_opened)
            await self._stand_in(spare)

    async def _stand_in(self, spare: Callable[[], Worker]) -> None:
        """The disk hangs at the start: go on without what the file has, until it answers."""
        worker, file = self.thread.worker, self.file
        reason = "its disk has not answered since the start"
        self.file, self._spare = DatabaseFile(self.path), None
        self._stands_in()
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
        """Whether the file that did not answer at the start does now."""
        return self._left is not None

    def switch_back(self) -> None:
        """Use the file that answers now; what stood in is gone."""
        assert self._left is not None
        stand_in = self.file
        self.thread.do(stand_in.close).addErrback(lambda failure: None)
        spare = self.thread.worker
        worker, self.file = self._left
        self._left = None
        self.thread.replace(worker)
        spare.stop()

    # -- changing ---------------------------------------------------------------------------------------------

    def run(self, f: Callable[[sqlite3.Connection], T], durable: bool = False) -> T:
        """In the SQL thread: as `DatabaseFile.run`."""
        try:
            return self.file.run(f, durable)
        except DvrError as error:
            if error.code == "catalog_broken":
                self.emptied = self.file.replace(error.title) or self.emptied
            raise

    def hold(self, f: Callable[[sqlite3.Connection], T], otherwise: T) -> Deferred[T]:
        """A transaction that is done later, and whose result is `otherwise`, where the disk does not answer."""
        return self.thread.hold(partial(self.run, f), otherwise)

    def bounded(
        self, f: Callable[[sqlite3.Connection], T], durable: bool = False, touched: Sequence[undo.Touched] = ()
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

    # -- reading ----------------------------------------------------------------------------------------------

    def sane(
        self,
        table: str,
        select: str,
        read: Callable[[Sequence[object]], T],
        first: tuple[str, tuple[int]] | None = None,
    ) -> Deferred[list[T]]:
        """What `read` makes of the rows; those that make no sense are set aside. `first`: a statement before."""

        def read_all(connection: sqlite3.Connection) -> Found[T]:
            if first is not None:
                connection.execute(*first)
            return sane_rows(connection, table, select, read)

        return self.read(table, read_all)

    def read(self, table: str, read_all: Callable[[sqlite3.Connection], Found[T]]) -> Deferred[list[T]]:
        """As `sane`; `read_all` gives the rows that make sense, and those that don't."""

        def work(connection: sqlite3.Connection) -> list[T]:
            found, nonsense = read_all(connection)
            self.set_rows_aside(connection, table, nonsense)
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

    # -- what makes no sense ----------------------------------------------------------------------------------

    def set_aside(self, table: str, key: Key, reason: str) -> Deferred[None]:
        """Keep a row that its reader makes no sense of where it can be looked at, and nowhere else."""
        return self.hold(lambda connection: self.set_row_aside(connection, table, key, reason), None)

    def set_rows_aside(self, connection: sqlite3.Connection, table: str, nonsense: Sequence[tuple[Key, str]]) -> None:
        """In a transaction: rows by their keys, and why."""
        for key, reason in nonsense[:ASIDE_LIMIT]:
            self.set_row_aside(connection, table, key, reason)
        if nonsense and table in ("root", "blob"):
            forget_imports(connection)

    def set_row_aside(self, connection: sqlite3.Connection, table: str, key: Key, reason: str) -> None:
        """In a transaction."""
        set_row_aside(connection, table, key, reason)
        before = self.aside.get(table)
        self.aside[table] = Aside(table, (before.count if before else 0) + 1, before.reason if before else reason)
