"""The spool in its table; what the queues of the sinks make of it is in `tests.events.test_queue`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.sqlite.spool import HOLES
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker
from tests.archive.store import result


@pytest.fixture
def catalog() -> SqliteCatalog:
    made = SqliteCatalog(":memory:", InlineWorker())
    result(made.open())
    return made


def rows(*ids: int) -> list[tuple[int, bytes]]:
    return [(id, b'{"id": %d}' % id) for id in ids]


def test_what_is_stored_waits_until_it_is_taken(catalog: SqliteCatalog) -> None:
    spool = catalog.spool
    assert result(spool.open()) == {} and result(spool.load("a", 0, 5)) == []
    result(spool.store("a", rows(1, 2, 3), 0))
    result(spool.store("b", rows(7), 0))
    result(spool.store("a", rows(4, 5), 2))
    assert result(spool.open()) == {"a": (3, 5), "b": (7, 7)}
    assert result(spool.load("a", 0, 2)) == rows(3, 4) and result(spool.load("a", 4, 2)) == rows(5)
    result(spool.store("a", rows(6, 7), 6))
    assert result(spool.load("a", 0, 9)) == rows(7), "what is taken meanwhile is not kept"
    result(spool.forget("a"))
    assert result(spool.open()) == {"b": (7, 7)}


def test_an_id_that_is_stored_again_is_replaced(catalog: SqliteCatalog) -> None:
    result(catalog.spool.store("a", [(1, b"old")], 0))
    result(catalog.spool.store("a", [(1, b"new")], 0))
    assert result(catalog.spool.load("a", 0, 5)) == [(1, b"new")]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("('a', -5, 'x')", "no event"),
        ("('a', 3.5, 'x')", "no event"),
        ("('a', 9, 7)", "no event"),
        ("(x'00', 9, 'x')", "no event"),
        ("(CAST(x'ff' AS TEXT), 9, 'x')", "no text"),
        (f"('a', {HOLES + 100}, 'x')", "far"),
    ],
)
def test_what_is_no_event_is_set_aside_and_counted(catalog: SqliteCatalog, key: str, reason: str) -> None:
    result(catalog.spool.store("a", rows(1, 2, 3), 0))
    catalog.run(lambda connection: connection.execute(f"INSERT INTO event VALUES {key}"))
    assert result(catalog.spool.open()) == {"a": (1, 3)}
    (aside,) = catalog.state().aside
    assert aside.source == "event" and aside.count == 1 and reason in aside.reason


def test_text_is_an_event_as_bytes_are(catalog: SqliteCatalog) -> None:
    catalog.run(lambda connection: connection.execute("INSERT INTO event VALUES ('a', 1, '{}')"))
    assert result(catalog.spool.open()) == {"a": (1, 1)} and result(catalog.spool.load("a", 0, 5)) == [(1, b"{}")]


def test_what_can_not_be_stored_is_refused(catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    result(catalog.spool.store("a", rows(1), 0))
    monkeypatch.setattr(catalog.file, "refused", "the disk is full")
    with pytest.raises(DvrError, match="state_not_writable"):
        result(catalog.spool.store("a", rows(2), 1))
    assert result(catalog.spool.load("a", 0, 5)) == rows(1)


def test_it_outlives_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sqlite")
    for ids in ((1, 2), (3,)):
        catalog = SqliteCatalog(path, InlineWorker())
        result(catalog.open())
        result(catalog.spool.open())
        result(catalog.spool.store("a", rows(*ids), 0))
        result(catalog.close())
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM event ORDER BY id").fetchall() == [(1,), (2,), (3,)]
