from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from flussdvr.database.sqlite import connection as connection_module
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.sqlite.schema import SCHEMA_VERSION
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.archive.store import result
from tests.database.sqlite.nonsense import GOOD, insert


def opened(folder: Path) -> SqliteCatalog:
    catalog = SqliteCatalog(str(folder / "catalog.sqlite"), InlineWorker())
    result(catalog.open())
    return catalog


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The folder of a closed catalog with a row in every table."""
    catalog = opened(tmp_path)

    def fill(connection: sqlite3.Connection) -> None:
        for table, row in GOOD.items():
            insert(connection, table, row)

    catalog.run(fill)
    result(catalog.stream_overrides.replace("ort", '{"title": "y"}'))
    result(catalog.close())
    return tmp_path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def garbage_everywhere(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def garbage_head(path: Path) -> None:
    overwrite(path, 0, os.urandom(200))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def garbage_page(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'export_job'").fetchone()
    overwrite(path, (page - 1) * 4096, os.urandom(4096))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_table_is_missing(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE lock")


def a_column_is_missing(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE blob DROP COLUMN freed")


def another_schema(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE root (colour)")


def an_absurd_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1073741830")


def text_of_somebody(path: Path) -> None:
    path.write_text("dear diary\n" * 1000)


BROKEN = [
    garbage_everywhere,
    garbage_head,
    truncated,
    garbage_page,
    a_directory,
    a_fifo,
    a_table_is_missing,
    a_column_is_missing,
    another_schema,
    an_absurd_version,
    text_of_somebody,
]


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_catalog_is_moved_aside_and_the_overrides_survive(
    filled: Path, damage: Callable[[Path], None]
) -> None:
    damage(filled / "catalog.sqlite")
    catalog = opened(filled)
    assert catalog.run(lambda c: c.execute("PRAGMA user_version").fetchone()) == (SCHEMA_VERSION,)
    assert result(catalog.stream_overrides.all()) == {"ort": '{"title": "y"}'}
    assert result(catalog.dvr_overrides.all()) == {"main": '{"root": "/x"}'}
    assert result(catalog.blobs.all()) == [], "the disks know better"
    (aside,) = filled.glob("catalog.sqlite.broken-*Z")
    moved = catalog.state().moved_aside
    assert moved is not None and str(aside) in moved and "links" in moved
    assert catalog.state().refused is None
    result(catalog.close())
    assert opened(filled).state().moved_aside is None, "said once"


def test_what_can_be_read_of_it_is_kept(filled: Path) -> None:
    garbage_page(filled / "catalog.sqlite")
    catalog = opened(filled)
    assert [link.id for link in result(catalog.links.all())] == [GOOD["link"]["id"]]
    assert result(catalog.sign_outs.all(0)) == {"somebody": GOOD["signed_out"]["expires_ms"]}
    assert result(catalog.export_jobs.all()) == {}
    moved = catalog.state().moved_aside
    assert moved is not None and "lost, as far as there were any: export jobs" in moved and "1 links" in moved


def test_two_broken_ones_in_one_second(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        catalog = SqliteCatalog(str(filled / "catalog.sqlite"), InlineWorker())
        catalog.file._now = lambda: 1_795_194_000.0
        garbage_head(filled / "catalog.sqlite")
        result(catalog.open())
        result(catalog.close())
    assert sorted(path.name for path in filled.glob("*broken*")) == [
        "catalog.sqlite.broken-20261120T170000Z",
        "catalog.sqlite.broken-20261120T170000Z.1",
    ]


def test_an_empty_file_is_said(filled: Path) -> None:
    for path in filled.glob("catalog.sqlite*"):
        path.unlink()
    (filled / "catalog.sqlite").touch()
    moved = opened(filled).state().moved_aside
    assert moved is not None and "it was empty" in moved
    assert list(filled.glob("*broken*")) == []


def test_a_newer_catalog_is_left_alone(filled: Path) -> None:
    with sqlite3.connect(filled / "catalog.sqlite") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = (filled / "catalog.sqlite").read_bytes()
    with pytest.raises(DvrError, match="catalog_too_new"):
        opened(filled)
    assert (filled / "catalog.sqlite").read_bytes() == before and list(filled.glob("*broken*")) == []


def test_bits_are_flipped(filled: Path) -> None:
    """Anywhere: it starts, and reads what there is."""
    whole = (filled / "catalog.sqlite").read_bytes()
    for bit in range(0, len(whole) * 8, len(whole) * 8 // 60 + 1):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        for path in filled.glob("catalog.sqlite*"):
            path.unlink()
        (filled / "catalog.sqlite").write_bytes(data)
        catalog = opened(filled)
        for read in (
            catalog.roots.all,
            catalog.blobs.all,
            catalog.locks.all,
            catalog.links.all,
            catalog.stream_overrides.all,
            catalog.export_jobs.all,
        ):
            result(read())
        result(catalog.close())


def test_it_breaks_while_it_is_used(filled: Path) -> None:
    catalog = opened(filled)
    blobs, roots, locks = result(catalog.blobs.all()), result(catalog.roots.all()), result(catalog.locks.all())

    def corrupt(connection: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # type: ignore[misc]
        raise error

    with pytest.raises(DvrError, match="catalog_broken"):
        catalog.run(corrupt)
    assert catalog.broken and result(catalog.blobs.all()) == []
    result(catalog.restore(roots, blobs, locks))
    assert not catalog.broken and [blob.id for blob in result(catalog.blobs.all())] == [blob.id for blob in blobs]
    assert result(catalog.locks.all()) == locks and result(catalog.roots.all()) == roots
    assert result(catalog.stream_overrides.all()) == {"ort": '{"title": "y"}'}


# -- a disk that can't be written ---------------------------------------------------------------------------------


class Refusing(sqlite3.Connection):
    """A connection to a disk that is full, while `full` says so."""

    full = False

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:  # type: ignore[override]
        if Refusing.full and sql == "COMMIT" and self._is_file():
            self.rollback()
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[misc]
            raise error
        return super().execute(sql, *parameters)  # type: ignore[arg-type]

    def _is_file(self) -> bool:
        return any(row[2] for row in super().execute("PRAGMA database_list"))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kw: connect(*args, **kw, factory=Refusing))

    def change(is_full: bool) -> None:
        Refusing.full = is_full

    change(False)
    return change


def test_a_disk_that_fills_up_refuses_only_what_must_be_kept(filled: Path, full: Callable[[bool], None]) -> None:
    catalog = opened(filled)
    (blob,) = result(catalog.blobs.all())
    full(True)
    blob.id, blob.begin_ms, blob.holes = 0, blob.begin_ms + 60_000, ()
    blob.end_ms = blob.begin_ms + 5
    (blob.id,) = result(catalog.blobs.insert([blob]))
    state = catalog.state()
    assert state.refused is not None and "full" in state.refused and not state.unreadable
    for refused in (
        lambda: catalog.stream_overrides.replace("ort", None),
        lambda: catalog.dvr_overrides.replace("main", "{}"),
        lambda: catalog.deletions.add("cam", Range(1, 2), False),
        lambda: catalog.sign_outs.add("x", 5),
        lambda: catalog.export_jobs.save("x", 5, "{}"),
        lambda: catalog.links.revoke("00112233445566ff"),
    ):
        with pytest.raises(DvrError, match="state_not_writable"):
            result(refused())
    assert result(catalog.retry()) is False
    assert result(catalog.stream_overrides.all()) == {"ort": '{"title": "y"}'} and len(result(catalog.links.all())) == 1
    result(catalog.blobs.update([blob]))
    full(False)
    assert result(catalog.retry()) is True and catalog.state().refused is None
    result(catalog.stream_overrides.replace("new", "{}"))
    result(catalog.close())
    again = opened(filled)
    assert [one.begin_ms for one in result(again.blobs.all())] == [GOOD["blob"]["begin_ms"], blob.begin_ms]
    assert set(result(again.stream_overrides.all())) == {"ort", "new"} and len(result(again.links.all())) == 1


def test_what_is_deleted_meanwhile_is_deleted(filled: Path, full: Callable[[bool], None]) -> None:
    catalog = opened(filled)
    (blob,) = result(catalog.blobs.all())
    full(True)
    result(catalog.blobs.delete([blob.id]))
    full(False)
    assert result(catalog.retry())
    assert opened(filled).run(lambda c: c.execute("SELECT count(*) FROM blob").fetchone()) == (0,)


def test_it_starts_on_a_full_disk(filled: Path, full: Callable[[bool], None]) -> None:
    full(True)
    catalog = opened(filled)
    assert catalog.state().refused is not None and not catalog.state().unreadable
    assert len(result(catalog.blobs.all())) == 1 and len(result(catalog.links.all())) == 1


def test_another_process_locks_it(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "BUSY_S", 0.05)
    other = sqlite3.connect(filled / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    catalog = opened(filled)
    assert catalog.state().refused == "database is locked" and len(result(catalog.blobs.all())) == 1
    other.close()
    assert result(catalog.retry()) is True


def test_there_is_no_place_for_it() -> None:
    catalog = SqliteCatalog("/proc/nowhere/catalog.sqlite", InlineWorker())
    result(catalog.open())
    assert catalog.state().refused is not None and result(catalog.blobs.all()) == []
    with pytest.raises(DvrError, match="state_not_writable"):
        result(catalog.stream_overrides.replace("cam", "{}"))


def test_nobody_else_reads_it(filled: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in filled.iterdir()} == {0o600}
