from __future__ import annotations

import time
from pathlib import Path

import pytest
from camera import UTC_MS, Camera
from store import Store, result

from flussdvr.archive.locks import NAME, find_locks, read_locks
from flussdvr.errors import DvrError
from flussdvr.timeline import Range, RangeSet


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path).open()
    store.record(store.recorder("site/cam"), Camera(), 2)
    return store


def test_locks_are_beside_what_they_protect(store: Store, tmp_path: Path) -> None:
    result(store.archive.lock("site/cam", Range(5, 10)))
    result(store.archive.lock("site/cam", Range(10, 20)))
    result(store.archive.unlock("site/cam", Range(7, 8)))
    locks = RangeSet([Range(5, 7), Range(8, 20)])
    assert list(find_locks(store.root())) == [("site/cam", locks)]
    assert result(store.catalog.locks()) == {"site/cam": locks}
    store.stop()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    again = Store(tmp_path)
    again.archive._configured.append(store.root())
    archive = again.open().archive.stream("site/cam")
    assert archive is not None and archive.locks == locks and result(again.catalog.locks()) == {"site/cam": locks}
    result(again.archive.unlock("site/cam", Range(0, 100)))
    assert list(tmp_path.rglob("locks.json*")) == [] and archive.locks == RangeSet()


def test_a_disk_that_refuses_changes_nothing(store: Store) -> None:
    result(store.archive.lock("site/cam", Range(5, 10)))
    store.fate.faults["rename"] = OSError(28, "No space left on device")
    with pytest.raises(DvrError, match="disk_failed"):
        result(store.archive.lock("site/cam", Range(50, 100)))
    archive = store.archive.stream("site/cam")
    assert archive is not None and archive.locks == RangeSet([Range(5, 10)])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"locks": [1]}', '{"locks": [[2, 1]]}', "\0"])
def test_a_damaged_file_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert read_locks(str(tmp_path / NAME)) is None


def test_a_hundred_thousand_locks(store: Store) -> None:
    archive = store.archive.stream("site/cam")
    assert archive is not None
    archive.locks = RangeSet(Range(UTC_MS - n * 1000, UTC_MS - n * 1000 + 500) for n in range(100_000, 0, -1))
    result(store.catalog.replace_locks("site/cam", archive.locks))
    begun = time.monotonic()
    result(store.archive.lock("site/cam", Range(UTC_MS - 500, UTC_MS)))
    result(store.archive.retention.sweep())
    assert time.monotonic() - begun < 5  # about 0.3 s
    assert len(archive.locks) == 100_000
