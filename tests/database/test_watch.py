from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flussdvr.database.sqlite import connection as connection_module
from flussdvr.errors import DvrError
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, result


def told(store: Store) -> list[str]:
    return [kind for kind in store.kinds() if kind.startswith("catalog")]


def test_a_catalog_that_can_not_be_written_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event_schema: Any
) -> None:
    monkeypatch.setattr(connection_module, "BUSY_S", 0.01)
    store = Store(tmp_path).open()
    store.record(store.recorder(), Camera(), 3)
    store.stop()
    other = sqlite3.connect(tmp_path / "state" / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = Store(tmp_path).open()
    store.archive.startService()
    recorder = store.recorder()
    store.record(recorder, Camera(UTC_MS + 60_000), 3)
    assert recorder.error is None and told(store) == ["catalog_failed"]
    store.clock.pump([1] * 6)
    assert store.catalog.state().refused is not None
    other.close()
    store.clock.pump([1] * 11)
    assert store.catalog.state().refused is None and told(store) == ["catalog_failed", "catalog_recovered"]
    event_schema.check_own([event for event in store.events if event["event"].startswith("catalog")])
    result(recorder.close())
    store.stop()
    archive = Store(tmp_path).open().archive.stream("cam")
    assert archive is not None and len(archive.ranges()) == 2 and all(blob.closed for blob in archive.blobs())


def test_a_catalog_that_breaks_is_filled_from_ram(tmp_path: Path, event_schema: Any) -> None:
    store = Store(tmp_path).open()
    store.archive.startService()
    recorder = store.recorder()
    store.record(recorder, Camera(), 3)

    def corrupt(connection: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT  # type: ignore[misc]
        raise error

    with pytest.raises(DvrError, match="catalog_broken"):
        store.catalog.run(corrupt)
    store.clock.pump([1] * 6)
    event_schema.check_own(store.events)
    assert told(store) == ["catalog_rebuilt"] and not store.catalog.broken
    result(recorder.close())
    store.stop()
    archive = Store(tmp_path).open().archive.stream("cam")
    assert archive is not None and len(archive.ranges()) == 1 and len(archive.blobs()) == 1
