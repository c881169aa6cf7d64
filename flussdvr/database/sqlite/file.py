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
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from twisted.logger import Logger

from flussdvr.database.sqlite.schema import TooNew, WrongSchema, expected, tables, upgrade
from flussdvr.errors import DvrError, Kind

SUFFIXES = ("", "-wal", "-shm", "-journal")
BUSY_S = 2.0
"""How long a lock of another process on the database is waited for."""
REBUILT = ("root", "blob", "lock")
"""Tables that are made again of what is on the disks."""
NAMED = dict(
    (
        ("stream_override", "changes of streams by the API"),
        ("dvr_override", "changes of storages by the API"),
        ("export_job", "export jobs"),
        ("link", "links"),
        ("link_viewer", "who has used links"),
        ("signed_out", "sign-outs"),
        ("deletion", "deletions under way"),
        ("event", "undelivered events"),
        ("set_aside", "rows set aside earlier"),
        ("counter", "counters"),
    )
)
"""What an operator calls the other tables."""

T = TypeVar("T")


class Broken(Exception):
    """SQLite can't make sense of the file, or it is not one of ours."""


@dataclass(frozen=True, slots=True)
class MovedAside:
    """`aside`: where the broken file is now, `None` where there was none; `saved`, `lost`: rows by what they are."""

    reason: str
    aside: str | None
    saved: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    def __str__(self) -> str:
        kept = ", ".join(f"{count} {what}" for what, count in self.saved.items() if count)
        lost = f"; lost, as far as there were any: {', '.join(self.lost)}" if self.lost else ""
        where = f" and is kept as {self.aside}" if self.aside else ""
        return f"{self.reason}{where}; recordings and locks are found on the disks, saved: {kept or 'nothing'}{lost}"


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
        self._connection, self.refused, self.partial = _empty(), reason, True

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open_or_replace(self) -> sqlite3.Connection:
        """The good one, or a new one in place of a broken one. TooNew, sqlite3.Error, OSError."""
        if self.path == ":memory:":
            return _empty()
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
        connection = _connection(self.path)
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
            self._connection, self.refused, self.partial = _empty(), str(error), True
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
        copy = _empty()
        partial = False
        try:
            if source is not None:
                _fill(source, copy)
            else:
                with _readable(self.path) as readable:
                    if readable is not None:
                        _fill(readable, copy)
        except (sqlite3.Error, WrongSchema, OSError):
            copy.close()
            copy, partial = _empty(), True
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
            _write_back(copy, self.path)
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


# -- pieces -------------------------------------------------------------------------------------------------------


def is_broken(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged."""
    return _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_write_failure(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file can't be written: a full, read-only or failing disk, another's lock."""
    return _primary(error) in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    )


def _primary(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html: the lowest 8 bits), -1 for errors of the module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else -1


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


def _connection(path: str, uri: bool = False) -> sqlite3.Connection:
    made = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=uri)
    # Text that is not UTF-8 must not end the reading of the others: it shows as what can't be encoded.
    made.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return made


def _empty() -> sqlite3.Connection:
    connection = _connection(":memory:")
    upgrade(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _fill(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Everything of one database into the other. WrongSchema, sqlite3.Error."""
    source.backup(copy)
    upgrade(copy)


@contextlib.contextmanager
def _readable(path: str) -> Iterator[sqlite3.Connection | None]:
    """
    The database for reading only, on a disk that can't be written; `None` where there is none. sqlite3.Error, OSError.

    SQLite writes beside a database with a write-ahead log even to read it: where it can't, it reads a copy.
    """
    if not os.path.exists(path):
        yield None
        return
    with contextlib.ExitStack() as stack:
        connection = _read_in_place(path) or _read_copy(path, stack)
        stack.callback(connection.close)
        yield connection


def _read_in_place(path: str) -> sqlite3.Connection | None:
    connection = _connection(f"file:{quote(path)}?mode=ro", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        return None
    return connection


def _read_copy(path: str, stack: contextlib.ExitStack) -> sqlite3.Connection:
    """A copy in RAM if there is such a file system; the system's directory for such files may be as full as ours."""
    for place in ("/dev/shm", None):
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flussdvr-", dir=place))
            copied = os.path.join(folder, "catalog.sqlite")
            for suffix in ("", "-wal"):
                if os.path.exists(path + suffix):
                    shutil.copyfile(path + suffix, copied + suffix)
            return _connection(copied)
        except OSError:
            continue
    return _connection(f"file:{quote(path)}?immutable=1", uri=True)  # without what is only in the log


def _write_back(copy: sqlite3.Connection, path: str) -> None:
    """What has changed in the copy, in one transaction. sqlite3.Error."""
    copy.execute("PRAGMA foreign_keys = OFF")
    copy.execute("ATTACH ? AS disk", (path,))
    try:
        copy.execute("PRAGMA disk.synchronous = FULL")
        copy.execute("BEGIN IMMEDIATE")
        for table in expected():
            _write_table(copy, table)
        copy.execute("COMMIT")
    finally:
        if copy.in_transaction:
            copy.execute("ROLLBACK")
        copy.execute("DETACH disk")
        copy.execute("PRAGMA foreign_keys = ON")


def _write_table(copy: sqlite3.Connection, table: str) -> None:
    """Make a table on the disk equal, row by row: a disk that is nearly full has no room for all of them twice."""
    about = copy.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
    names = ", ".join(name for name, _ in about)
    keys = ", ".join(name for name, pk in about if pk)
    gone = f"SELECT {names} FROM disk.{table} EXCEPT SELECT {names} FROM main.{table}"
    new = f"SELECT {names} FROM main.{table} EXCEPT SELECT {names} FROM disk.{table}"
    copy.execute(f"DELETE FROM disk.{table} WHERE ({keys}) IN (SELECT {keys} FROM ({gone}))")
    copy.execute(f"INSERT INTO disk.{table} ({names}) {new}")


def salvage(path: str, connection: sqlite3.Connection) -> tuple[dict[str, int], tuple[str, ...]]:
    """
    Copy what can still be read of a broken database into a new one: how many rows of what, and what is not whole.

    Roots, blobs and locks are not copied: the disks know better.
    """
    saved: dict[str, int] = {}
    lost: list[str] = []
    if not os.path.isfile(path):
        return {}, tuple(NAMED.values())
    broken: sqlite3.Connection | None = None
    try:
        broken = _connection(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
        found = tables(broken)
    except sqlite3.Error:
        found = {}
    for table, columns in expected().items():
        if table in REBUILT:
            continue
        count, whole = 0, False
        if broken is not None and columns <= found.get(table, set()):
            count, whole = _copy_rows(broken, connection, table, sorted(columns))
        saved[NAMED[table]] = count
        if not whole:
            lost.append(NAMED[table])
    if broken is not None:
        broken.close()
    return saved, tuple(lost)


def _copy_rows(
    broken: sqlite3.Connection, connection: sqlite3.Connection, table: str, columns: list[str]
) -> tuple[int, bool]:
    """How many rows of a table could be read, and whether these are all."""
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    count = 0
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for row in broken.execute(f"SELECT {names} FROM {table}"):
            with contextlib.suppress(sqlite3.IntegrityError, UnicodeEncodeError):
                cursor = connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)
                count += cursor.rowcount
        whole = True
    except (sqlite3.Error, MemoryError, OverflowError):
        whole = False
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
    return count, whole


def make_private(path: str) -> None:
    """Passwords of sources and streams are in it, as the API was given them. SQLite's files beside it are as it is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
