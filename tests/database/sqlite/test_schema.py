from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flussdvr.database.sqlite import schema
from flussdvr.database.sqlite.aside import KEYS
from flussdvr.database.sqlite.catalog import TABLES_OF_STREAMS
from flussdvr.database.sqlite.salvage import NAMED, REBUILT
from flussdvr.database.sqlite.schema import (
    MIGRATIONS,
    SCHEMA_VERSION,
    TooNew,
    WrongSchema,
    load_migrations,
    read_version,
    statements,
    tables,
    upgrade,
)
from tests.database.sqlite.nonsense import GOOD
from tests.database.sqlite.old_catalogs import unpack


def connect(path: str = ":memory:", kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, factory=kind)


def write(folder: Path, names: str) -> Path:
    for name in names.split():
        (folder / name).write_text(f"-- {name}")
    return folder


def test_migrations_are_done_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, "003_c.sql 001_z.sql 002_a_b.sql README 002_a_b.sql~")
    assert load_migrations(tmp_path) == ("-- 001_z.sql", "-- 002_a_b.sql", "-- 003_c.sql")


@pytest.mark.parametrize(
    "names",
    ["001_a.sql 003_c.sql", "000_a.sql 001_b.sql", "002_a.sql", "001_a.sql 001_b.sql", "001_a.sql 2_b.sql", "1_a.sql"],
)
def test_numbers_have_no_holes_and_no_doubles(tmp_path: Path, names: str) -> None:
    with pytest.raises(ValueError, match="migration"):
        load_migrations(write(tmp_path, names))


def test_no_migration_ends_its_transaction() -> None:
    for number, text in enumerate(MIGRATIONS, 1):
        for statement in statements(text):
            bare = re.sub(r"--[^\n]*", "", statement).strip().upper()
            assert bare.startswith(("CREATE ", "ALTER ", "INSERT ", "UPDATE ", "DELETE ", "DROP ")), f"{number}: {bare}"


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("", 0),
        ("-- a; b\n\n", 0),
        ("SELECT 1", 1),
        ("SELECT 1; -- one; only\nSELECT ';'\n, 2;\n", 2),
        ("SELECT 1 /* ; \n ; */;\n-- end", 1),
        ("CREATE TRIGGER t AFTER DELETE ON x BEGIN\nDELETE FROM y;\nDELETE FROM z;\nEND;\nSELECT 1;", 2),
    ],
)
def test_a_script_is_taken_apart_between_its_statements(script: str, count: int) -> None:
    found = list(statements(script))
    assert "".join(found).rstrip() == script.rstrip()
    assert sum(bool(re.sub(r"(?m)--.*$", "", one).strip()) for one in found) == count


def test_a_new_database_has_them_all() -> None:
    with closing(connect()) as connection:
        assert upgrade(connection) == 0
        assert read_version(connection) == SCHEMA_VERSION == len(MIGRATIONS)
        assert upgrade(connection) == SCHEMA_VERSION
        assert tables(connection) == schema.expected()


@pytest.mark.parametrize("version", [-1, SCHEMA_VERSION + 1001, (1 << 31) - 1])
def test_a_version_that_is_damage(version: int) -> None:
    with closing(connect()) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        with pytest.raises(WrongSchema, match=str(version)):
            upgrade(connection)


def test_a_version_to_come_is_left_alone() -> None:
    with closing(connect()) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(TooNew):
            upgrade(connection)
        assert tables(connection) == {}


def test_a_step_that_fails_leaves_the_schema_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(connect()) as connection:
        upgrade(connection)
        broken = "CREATE TABLE more (x);\nINSERT INTO lock VALUES ('cam', 1, 2);\nALTER TABLE missing ADD COLUMN x;"
        monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, broken))
        monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(WrongSchema, match="missing"):
            upgrade(connection)
        assert read_version(connection) == SCHEMA_VERSION
        assert "more" not in tables(connection) and not connection.in_transaction
        assert connection.execute("SELECT * FROM lock").fetchall() == []


class Slow(sqlite3.Connection):
    """Another process comes in between at each beginning of a transaction."""

    meanwhile: Callable[[], object] | None = None

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN") and self.meanwhile is not None:
            self.meanwhile()
        return super().execute(sql, *args)


@pytest.mark.parametrize("start", range(SCHEMA_VERSION))
@pytest.mark.parametrize("further", [1, SCHEMA_VERSION])
def test_two_processes_upgrade_at_once(tmp_path: Path, start: int, further: int) -> None:
    path = str(tmp_path / "c.sqlite")
    with closing(connect(path, Slow)) as slow, closing(connect(path)) as other:
        for migration in MIGRATIONS[:start]:
            other.executescript(migration)
        other.execute(f"PRAGMA user_version = {start}")

        def meanwhile() -> None:
            reached = read_version(other)
            for number, migration in enumerate(MIGRATIONS[reached : reached + further], reached + 1):
                other.executescript(migration)
                other.execute(f"PRAGMA user_version = {number}")

        assert isinstance(slow, Slow)
        slow.meanwhile = meanwhile
        assert upgrade(slow) == start
        assert tables(slow) == tables(other) == schema.expected()


def test_another_process_that_is_newer_is_noticed(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sqlite")
    with closing(connect(path, Slow)) as slow, closing(connect(path)) as other:
        assert isinstance(slow, Slow)
        slow.meanwhile = lambda: other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(TooNew):
            upgrade(slow)
        assert not slow.in_transaction


def test_a_table_that_lacks_a_column() -> None:
    with closing(connect()) as connection:
        upgrade(connection)
        connection.execute("ALTER TABLE blob DROP COLUMN freed")
        with pytest.raises(WrongSchema, match="blob lacks freed"):
            upgrade(connection)


def test_every_table_is_known_where_tables_are_listed() -> None:
    """A new table has a name for operators, a key to set its rows aside by, and rows in the tests."""
    found = schema.expected()
    assert {*REBUILT, *NAMED} == found.keys() and not {*REBUILT} & NAMED.keys()
    derived = {"link_viewer", "set_aside", "counter"}
    assert KEYS.keys() == GOOD.keys() == found.keys() - derived
    assert all(set(key) <= found[table] for table, key in KEYS.items())
    assert all(row.keys() <= found[table] for table, row in GOOD.items())


def test_a_stream_that_is_renamed_is_renamed_in_every_table() -> None:
    with_streams = {table for table, columns in schema.expected().items() if "stream" in columns}
    assert with_streams == {*TABLES_OF_STREAMS, "link"}, "links are signed with the name"


def test_the_newest_old_catalog_has_rows_in_every_table(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sqlite")
    unpack(SCHEMA_VERSION, path)
    with closing(connect(path)) as connection:
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables(connection)}
    assert [name for name, (count,) in counts.items() if not count] == []
