"""Catalogs that earlier versions wrote: everything in them is there today, whatever the upgrade is stopped by."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from flussdvr.archive.disk.blob import Blob
from flussdvr.database.rows import RootRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.sqlite.schema import SCHEMA_VERSION, upgrade
from flussdvr.threads import InlineWorker
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.store import result
from tests.database.sqlite import old_catalogs as old
from tests.database.sqlite.old_catalogs import BEGIN_MS, versions


def opened(path: str) -> SqliteCatalog:
    catalog = SqliteCatalog(path, InlineWorker())
    result(catalog.open())
    return catalog


def fields(blob: Blob) -> tuple[object, ...]:
    return tuple(getattr(blob, name) for name in Blob.__dataclass_fields__)


def blobs_of(version: int) -> list[Blob]:
    """What schema `version` could keep of them."""
    found = old.blobs()
    if version < 2:
        found[1] = replace(found[1], holes=(), freed=0)
    if version < 6:
        found[1] = replace(found[1], discontinuity=0)
    return found


def layout(path: str) -> dict[str, object]:
    """Columns, their types, defaults and keys, by table."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: (
                sorted(
                    connection.execute(
                        "SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info(?)", (name,)
                    )
                ),
                sorted(connection.execute("SELECT origin, [unique] FROM pragma_index_list(?)", (name,))),
                sorted(
                    connection.execute(
                        "SELECT [table], [from], [to], on_delete FROM pragma_foreign_key_list(?)", (name,)
                    )
                ),
            )
            for name in names
        }


def assert_all_is_there(catalog: SqliteCatalog, version: int) -> None:
    """What the fixture of a version has."""
    assert catalog.state().refused is None and catalog.state().moved_aside is None and not catalog.state().aside
    found = sorted(result(catalog.blobs.all()), key=lambda blob: blob.id)
    assert list(map(fields, found)) == list(map(fields, blobs_of(version)))
    imported = version < 7
    here, away, other = old.HERE, old.AWAY, old.OTHER
    assert result(catalog.roots.all()) == [
        RootRow(away, None, imported),
        RootRow(here, "/srv/dvr", True),
        RootRow(other, "/srv/old", imported),
    ]
    assert result(catalog.locks.all()) == old.LOCKS
    assert result(catalog.export_jobs.all()) == {"job-1": old.JOB}
    assert result(catalog.stream_overrides.all()) == {"cam": old.PATCH}
    within = Range(BEGIN_MS + 2000, BEGIN_MS + 3000)
    assert result(catalog.deletions.all()) == ([("cam", within, version >= 8)] if version >= 2 else [])
    assert result(catalog.sign_outs.all(BEGIN_MS)) == ({"sign-in-1": BEGIN_MS + HOUR_MS} if version >= 3 else {})
    first, second = old.links()
    first.uses, second.uses, second.revoked = 1, 7, True
    assert result(catalog.links.all()) == ([first, second] if version >= 4 else [])
    assert result(catalog.dvr_overrides.all()) == ({"main": old.DVR_PATCH} if version >= 5 else {})
    spool = catalog.spool
    assert result(spool.open()) == ({"usage": (2, 3)} if version >= 3 else {})
    assert result(spool.load("usage", 0, 10)) == (old.EVENTS[1:] if version >= 3 else [])


def assert_it_is_used(catalog: SqliteCatalog, version: int) -> None:
    """It takes what only the newest schema has a place for."""
    (number,) = result(catalog.blobs.insert([replace(old.blobs()[0], begin_ms=BEGIN_MS + 3 * HOUR_MS)]))
    assert number == 6, "ids go on behind those that there are"
    result(catalog.deletions.add("new", Range(1, 2), True))
    assert ("new", Range(1, 2), True) in result(catalog.deletions.all())
    if version >= 4:
        first = old.links()[0].id
        viewers = (b"viewer-1", b"viewer-2", b"viewer-3")
        assert [result(catalog.links.use(first, viewer)) for viewer in viewers] == [1, 2, None], (
            "who has used it counts"
        )
    assert result(catalog.roots.adopt("/srv/new", "new")) is False


def test_every_version_has_its_fixture() -> None:
    assert versions() == list(range(1, SCHEMA_VERSION + 1)), "tests/database/sqlite/fixtures/README"


@pytest.mark.parametrize("version", versions())
def test_all_of_an_old_catalog_is_there(tmp_path: Path, version: int) -> None:
    path = str(tmp_path / "catalog.sqlite")
    old.unpack(version, path)
    catalog = opened(path)
    assert_all_is_there(catalog, version)
    result(catalog.close())
    again = opened(path)
    assert_all_is_there(again, version)
    assert_it_is_used(again, version)
    result(again.close())


@pytest.mark.parametrize("version", versions())
def test_an_upgraded_catalog_is_as_one_made_anew(tmp_path: Path, version: int) -> None:
    new, upgraded = str(tmp_path / "new.sqlite"), str(tmp_path / "upgraded.sqlite")
    old.unpack(version, upgraded)
    for path in (new, upgraded):
        result(opened(path).close())
    assert layout(upgraded) == layout(new)


@pytest.mark.parametrize("version", versions()[:-1])
def test_an_upgrade_that_is_stopped_anywhere_is_gone_on_with(tmp_path: Path, version: int) -> None:
    """After so many steps of SQLite's machine; what is not committed is gone, as where the process is killed."""
    path, steps, stopped = str(tmp_path / "catalog.sqlite"), 40, {version}
    while True:
        Path(path).unlink(missing_ok=True)
        old.unpack(version, path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            left = iter(range(steps))
            connection.set_progress_handler(lambda left=left: next(left, None) is None, 1)  # type: ignore[misc]
            try:
                upgrade(connection)
            except sqlite3.OperationalError as error:
                assert error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
            else:
                break
        with closing(sqlite3.connect(path)) as connection:
            stopped.update(connection.execute("PRAGMA user_version").fetchone())
        catalog = opened(path)
        assert_all_is_there(catalog, version)
        result(catalog.close())
        steps = steps * 3 // 2
    assert stopped > {version}, "some of its transactions were done"
    assert stopped <= set(range(version, SCHEMA_VERSION + 1))


def test_what_is_written_today_is_what_the_newest_fixture_has(tmp_path: Path) -> None:
    path = str(tmp_path / "catalog.sqlite")
    catalog = opened(path)
    old.fill(catalog)
    result(catalog.close())
    catalog = opened(path)
    assert_all_is_there(catalog, SCHEMA_VERSION)
    result(catalog.close())
