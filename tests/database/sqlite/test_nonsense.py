"""Every table, every column, every kind of nonsense: the server starts, keeps the rest, and says what it does not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker
from tests.archive.store import Store, result
from tests.database.sqlite.nonsense import GOOD, cases, insert, lawless

OTHERS: dict[str, dict[str, object]] = {
    "blob": {"id": 8, "begin_ms": 5, "end_ms": 9, "holes": None},
    "lock": {"begin_ms": 5, "end_ms": 9},
    "deletion": {"begin_ms": 5, "end_ms": 9},
    "export_job": {"id": "other"},
    "stream_override": {"stream": "other"},
    "dvr_override": {"dvr": "other"},
    "signed_out": {"id": "other"},
    "link": {"id": "ff112233445566ff"},
    "event": {"id": 4},
}
"""A second row of each table, which is good, and must stay."""


def read_all(catalog: SqliteCatalog) -> dict[str, int]:
    """Read every table; how many rows each has then."""
    for read in (catalog.spool.open, catalog.roots.all, catalog.blobs.all, catalog.locks.all, catalog.deletions.all):
        result(read())
    for read in (catalog.export_jobs.all, catalog.stream_overrides.all, catalog.dvr_overrides.all, catalog.links.all):
        result(read())
    result(catalog.sign_outs.all(0))
    return {name: catalog.run(lambda c, name=name: count(c, name)) for name in GOOD}  # type: ignore[misc]


def count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("table", GOOD)
def test_one_row_never_costs_another(table: str) -> None:
    for _, column, value in [case for case in cases() if case[0] == table]:
        catalog = SqliteCatalog(":memory:", InlineWorker())
        result(catalog.open())
        lawless(catalog)
        with_nonsense = {**GOOD[table], column: value}

        def fill(connection: sqlite3.Connection, with_nonsense: dict[str, object] = with_nonsense) -> None:
            for name, row in GOOD.items():
                insert(connection, name, with_nonsense if name == table else row)
                if name in OTHERS:
                    insert(connection, name, {**row, **OTHERS[name]})

        try:
            catalog.run(fill)
        except DvrError:
            assert column in ("id", "root_id"), "SQLite checks the type of an INTEGER PRIMARY KEY only"
            continue
        about = f"{table}.{column} = {str(value)[:40]!r}"
        used = read_all(catalog)
        for name in GOOD:
            if name != table and not (table == "root" and name == "blob"):
                assert used[name] == (2 if name in OTHERS else 1), f"{about}: {name}"
        assert used[table] >= (1 if table in OTHERS else 0), about
        if used[table] < (2 if table in OTHERS else 1) and column != "expires_ms":
            assert catalog.run(lambda c: count(c, "set_aside")), about
        assert read_all(catalog) == used, f"{about}: it is the same when it is read again"


def test_what_is_set_aside_can_be_looked_at() -> None:
    catalog = SqliteCatalog(":memory:", InlineWorker())
    result(catalog.open())
    catalog.run(lambda c: insert(c, "link", {**GOOD["link"], "uses": "many"}))
    assert result(catalog.links.all()) == []
    source, row, reason = catalog.run(lambda c: c.execute("SELECT source, row, reason FROM set_aside").fetchone())
    assert source == "link" and json.loads(row)[0] == GOOD["link"]["id"] and "uses is 'many'" in reason
    (aside,) = catalog.state().aside
    assert (aside.source, aside.count, aside.reason) == ("link", 1, reason)


def test_a_table_full_of_nonsense_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.database.sqlite.aside.ASIDE_LIMIT", 10)
    catalog = SqliteCatalog(":memory:", InlineWorker())
    result(catalog.open())

    def fill(connection: sqlite3.Connection) -> None:
        for number in range(50):
            insert(connection, "lock", {"stream": "cam", "begin_ms": -number - 1, "end_ms": 5})

    catalog.run(fill)
    assert result(catalog.locks.all()) == {}
    assert catalog.run(lambda c: count(c, "set_aside")) == 10


@pytest.mark.parametrize("table", GOOD)
def test_the_archive_opens_whatever_is_in_its_tables(tmp_path: Path, table: str) -> None:
    for number, (_, column, value) in enumerate([case for case in cases() if case[0] == table][::7]):
        folder = tmp_path / str(number)
        (folder / "disk").mkdir(parents=True)
        store = Store(folder)
        result(store.catalog.open())
        row = {**GOOD[table], column: value}
        with suppress(DvrError):
            lawless(store.catalog).run(lambda c, row=row: insert(c, table, row))  # type: ignore[misc]
        store.open()
        store.stop()
