# -*- test-case-name: tests.database.sqlite.test_file -*-
"""
The file of the state database.

    open     good           -> used
             broken         -> moved aside as <path>.broken-<time>, made anew, with all rows that can still be read
             not writable   -> a copy in RAM stands in for it until the file can be written again
    run      one transaction; where the file fails the copy in RAM takes over, and what must be durable is refused

SQLite itself says what is broken (SQLITE_CORRUPT, SQLITE_NOTADB); a missing table is, too. Everything here blocks, and
is done by one thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from twisted.logger import Logger

from flussdvr.database.sqlite.connection import connect, empty, is_broken, is_write_failure, make_private
from flussdvr.database.sqlite.salvage import NAMED, MovedAside, salvage
from flussdvr.database.sqlite.schema import TooNew, WrongSchema, upgrade
from flussdvr.database.sqlite.stand_in import fill, readable, write_back
from flussdvr.errors import DvrError, Kind

SUFFIXES = ("", "-wal", "-shm", "-journal")

T = TypeVar("T")


class Broken(Exception):
    """SQLite can't make sense of the file, or it is not one of ours."""


class DatabaseFile:
    """
    SQLite in the file `path`, or in RAM for `:memory:`. One thread.

    `refused`: why the file can't be written now, or `None`; `moved_aside`: what became of a broken one.
    `partial`: what stands in knows nothing of what the file has.
    """

    log = Logger()

    def __init__(self, path: str, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.refused: str | None = None
        self.moved_aside: MovedAside | None = None
        self.partial = False
        self._now = now
        self._connection: sqlite3.Connection | None = None

    @property
    def usable(self) -> bool:
        """Whether it is open, and what it has can be read."""
        return self._connection is not None and not self.partial

    # -- opening ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """DvrError UNAVAILABLE for a database of a newer flussdvr, which is left alone."""
        try:
            self._connection = self._open_or_replace()
        except TooNew as error:
            raise DvrError(Kind.UNAVAILABLE, "catalog_too_new", f"{self.path}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            self._stand_in(str(error))

    def look(self) -> None:
        """Open a copy in RAM of what can be read; the file stays as it is, whatever is done."""
        self._stand_in("it is only looked at")

    def stand_in(self, reason: str) -> None:
        """Instead of `open`, where the disk does not answer: nothing of the file is known, and nothing is read."""
        self._connection, self.refused, self.partial = empty(), reason, True

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open_or_replace(self) -> sqlite3.Connection:
        """The good one, or a new one in place of a broken one. TooNew, sqlite3.Error, OSError."""
        if self.path == ":memory:":
            return empty()
        existed = os.path.lexists(self.path)
        beside = [os.path.join(os.path.dirname(self.path), name) for name in ("overrides.json", "secret.key")]
        try:
            if existed and not stat.S_ISREG(os.stat(self.path).st_mode):
                raise Broken("it is not a regular file")
            connection, version = self._connect()
        except Broken as error:
            return self._replace(str(error))
        if not version and (existed or any(map(os.path.lexists, beside))):
            reason = "it was empty" if existed else "it was missing"
            self.moved_aside = MovedAside(reason, None, lost=tuple(NAMED.values()))
        return connection

    def _connect(self) -> tuple[sqlite3.Connection, int]:
        """And the version of the schema that it had. Broken, TooNew, sqlite3.Error, OSError."""
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        make_private(self.path)
        connection = connect(self.path)
        try:
            with _broken():
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                for (finding,) in connection.execute("PRAGMA quick_check(1)"):
                    if finding != "ok":
                        raise Broken(str(finding).replace("\n", " ")[:200])
                version = upgrade(connection)
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE")  # a full disk or a lock shows now, not at the first recording
                connection.execute(
                    "INSERT OR REPLACE INTO counter (name, value) VALUES ('opened', ?)", (self._now_s(),)
                )
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection, version

    def _now_s(self) -> int:
        return max(0, int(self._now()))

    # -- a broken one -----------------------------------------------------------------------------------------

    def replace(self, reason: str) -> bool:
        """It broke while it was used: go on with a new one, or with one in RAM. Whether it is to be filled: always."""
        self.close()
        try:
            self._connection = self._replace(reason)
        except (sqlite3.Error, OSError, TooNew) as error:
            self._connection, self.refused, self.partial = empty(), str(error), True
        return True

    def _replace(self, reason: str) -> sqlite3.Connection:
        """A new database in place of a broken one, with what can still be read of it. sqlite3.Error, OSError."""
        aside = self._move_aside()
        try:
            connection, _ = self._connect()
        except Broken as error:
            raise OSError(f"made anew and broken again: {error}") from error
        saved, lost = salvage(aside, connection)
        self.moved_aside = MovedAside(f"it was broken ({reason})", aside, saved, lost)
        return connection

    def _move_aside(self) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now_s()))
        stem, number = f"{self.path}.broken-{stamp}", 0
        while os.path.lexists(aside := f"{stem}.{number}" if number else stem):
            number += 1
        for suffix in reversed(SUFFIXES):  # the main file last: without it SQLite would take up the others
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.path + suffix, aside + suffix)
        return aside

    # -- one that can't be written ----------------------------------------------------------------------------

    def _stand_in(self, reason: str) -> None:
        """From now on a copy in RAM does what need not be durable."""
        source, self._connection = self._connection, None
        copy = empty()
        partial = False
        try:
            if source is not None:
                fill(source, copy)
            else:
                with readable(self.path) as source_file:
                    if source_file is not None:
                        fill(source_file, copy)
        except (sqlite3.Error, WrongSchema, OSError):
            copy.close()
            copy, partial = empty(), True
        finally:
            if source is not None:
                with contextlib.suppress(sqlite3.Error):
                    source.close()
        self._connection, self.refused, self.partial = copy, reason, partial

    def retry(self) -> bool:
        """If a copy stands in: write it back, if that can be done now. Whether the file is used again."""
        copy = self._connection
        if self.refused is None or copy is None or self.partial:
            return False
        try:
            connection, _ = self._connect()
        except (Broken, TooNew, sqlite3.Error, OSError) as error:
            self.refused = str(error)
            return False
        try:
            write_back(copy, self.path)
        except sqlite3.Error as error:
            self.refused = str(error)
            connection.close()
            return False
        copy.close()
        self._connection, self.refused = connection, None
        return True

    # -- using it ---------------------------------------------------------------------------------------------

    def run(self, f: Callable[[sqlite3.Connection], T], durable: bool = False) -> T:
        """
        `f(connection)` in a transaction of its own. `durable`: what it writes must be on the disk, or nothing is done.

        DvrError CONFLICT where a constraint forbids it; UNAVAILABLE `state_not_writable` where it must be durable and
        can't be, `catalog_closed`, `catalog_broken`, `catalog_failed`.
        """
        if self._connection is None:
            raise DvrError(Kind.UNAVAILABLE, "catalog_closed", "the catalog is not open")
        try:
            if self.refused is None:
                try:
                    return self._transact(f)
                except sqlite3.Error as error:
                    if not is_write_failure(error):
                        raise
                    self._stand_in(str(error))
            if durable:
                title = f"{self.path} can't be written: {self.refused}"
                raise DvrError(Kind.UNAVAILABLE, "state_not_writable", title)
            return self._transact(f)
        except sqlite3.IntegrityError as error:
            raise DvrError(Kind.CONFLICT, "catalog_conflict", str(error)) from error
        except sqlite3.Error as error:
            code = "catalog_broken" if is_broken(error) else "catalog_failed"
            raise DvrError(Kind.UNAVAILABLE, code, f"{self.path}: {error}") from error

    def _transact(self, f: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = f(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except WrongSchema as error:
        raise Broken(str(error)) from error
    except sqlite3.Error as error:
        if is_broken(error):
            raise Broken(str(error)) from error
        raise
