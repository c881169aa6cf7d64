from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive import retention
from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.disk.locks import BROKEN, NAME, read_locks, write_locks
from flussdvr.archive.disk.scan import find_locks, scan
from flussdvr.errors import DvrError
from flussdvr.timeline import HOUR_MS, MAX_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, result


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
    assert result(store.catalog.locks.all()) == {"site/cam": locks}
    store.stop()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    again = Store(tmp_path)
    again.archive._configured.append(store.root())
    archive = again.open().archive.stream("site/cam")
    assert archive is not None and archive.locks == locks and result(again.catalog.locks.all()) == {"site/cam": locks}
    result(again.archive.unlock("site/cam", Range(0, 100)))
    assert list(tmp_path.rglob("locks.json*")) == [] and archive.locks == RangeSet()


def test_a_disk_that_refuses_changes_nothing(store: Store) -> None:
    result(store.archive.lock("site/cam", Range(5, 10)))
    store.fate.faults["rename"] = OSError(28, "No space left on device")
    with pytest.raises(DvrError, match="disk_failed"):
        result(store.archive.lock("site/cam", Range(50, 100)))
    archive = store.archive.stream("site/cam")
    assert archive is not None and archive.locks == RangeSet([Range(5, 10)])


NONSENSE = [
    "",
    "{}",
    "[]",
    "null",
    "\0",
    '{"locks": 5}',
    '{"locks": {"1": 2}}',
    "[" * 100_000,
    '{"locks": ' + "[" * 100_000,
    '{"locks": [[NaN, 2]]}',
    '{"locks": [[1, Infinity]]}',
    '{"locks": [[%s, 2]]}' % ("9" * 5000),
    "\udcff\udcfe",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_a_damaged_file_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    read = read_locks(str(tmp_path / NAME))
    assert not read.locks and read.problem


PAIRS = [
    "[5, 1]",
    "[5, 5]",
    "[1e400, 2]",
    "[0, 99999999999999999999999]",
    "[-1, 3]",
    "[1]",
    '["1", 2]',
    "[true, 2]",
    "7",
]


@pytest.mark.parametrize("pair", PAIRS)
def test_a_lock_that_is_none_does_not_cost_the_others(tmp_path: Path, pair: str) -> None:
    (tmp_path / NAME).write_text(f'{{"locks": [[7, 9], {pair}, [1, 3.0]]}}')
    read = read_locks(str(tmp_path / NAME))
    assert read.locks == RangeSet([Range(1, 3), Range(7, 9)]) and read.problem == "1 of its 3 locks are no ranges"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.just("locks"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.one_of(json_values, st.builds(lambda locks: {"locks": locks}, json_values)))
def test_whatever_json_it_is(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / NAME
    path.write_text(json.dumps(value))
    read = read_locks(str(path))
    assert read.problem or isinstance(value, dict)
    assert all(0 <= lock.begin_ms < lock.end_ms <= MAX_MS for lock in read.locks)


@given(st.binary(max_size=80))
def test_whatever_bytes_they_are(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / NAME
    path.write_bytes(data)
    assert read_locks(str(path)).problem


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    for name in ("fifo", "directory", "loop", "huge"):
        assert read_locks(str(tmp_path / name)).problem


def test_what_locks_leave_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of hours with a hundred thousand locks in them, all expired: the next sweep passes them over."""
    store = Store(tmp_path, now_ms=UTC_MS).open()
    store.recorder("cam", expiration_s=3600)
    archive = store.archive.stream("cam")
    assert archive is not None
    hours = range(8760, 0, -1)
    blobs = [Blob("cam", store.root(), UTC_MS - n * HOUR_MS, UTC_MS - (n - 1) * HOUR_MS) for n in hours]
    for blob in blobs:
        blob.state, blob.holes = BlobState.CLOSED, (Range(blob.begin_ms, blob.end_ms - 1000),)
    archive.add_all(blobs)
    archive.locks = RangeSet(Range(UTC_MS - n * 315_000, UTC_MS - n * 315_000 + 2000) for n in range(100_000, 0, -1))
    for blob in blobs:
        archive.locks.add(Range(blob.end_ms - 1000, blob.end_ms))
    looked_at: list[Blob] = []
    unlocked = retention.unlocked
    monkeypatch.setattr(retention, "unlocked", lambda archive, blob: looked_at.append(blob) or unlocked(archive, blob))
    result(store.archive.retention.sweep())
    assert len(looked_at) >= 8759
    looked_at.clear()
    result(store.archive.retention.sweep())
    assert len(looked_at) <= 1 and len(archive) == 8760  # the newest may have been recorded as a long one


def test_a_hundred_thousand_locks(store: Store) -> None:
    archive = store.archive.stream("site/cam")
    assert archive is not None
    archive.locks = RangeSet(Range(UTC_MS - n * 1000, UTC_MS - n * 1000 + 500) for n in range(100_000, 0, -1))
    result(store.catalog.locks.replace("site/cam", archive.locks))
    result(store.archive.lock("site/cam", Range(UTC_MS - 500, UTC_MS)))
    result(store.archive.retention.sweep())
    assert len(archive.locks) == 100_000


def test_a_damaged_file_is_kept_when_the_next_lock_replaces_it(store: Store, tmp_path: Path, event_schema: Any) -> None:
    result(store.archive.lock("site/cam", Range(5, 10)))
    (path,) = tmp_path.rglob(NAME)
    path.write_text('{"locks": [[5, 1')
    result(store.archive.lock("site/cam", Range(20, 30)))
    kept = [one for one in path.parent.iterdir() if one.name.startswith(BROKEN)]
    assert [one.read_text() for one in kept] == ['{"locks": [[5, 1']
    assert read_locks(str(path)).locks == RangeSet([Range(5, 10), Range(20, 30)])
    (event,) = [one for one in store.events if one["event"] == "dvr_locks_damaged"]
    event_schema.check_own([event])
    assert event["media"] == "site/cam" and event["kept"] == str(kept[0]) and event["error"]
    path.write_text("{}")
    result(store.archive.unlock("site/cam", Range(0, 100)))
    texts = {one.read_text() for one in path.parent.glob("*.broken-*")}
    assert not path.exists() and texts == {'{"locks": [[5, 1', "{}"}
    found = scan(store.root())
    assert not found.skipped.count and list(find_locks(store.root())) == []


@pytest.mark.parametrize("now", [1e9, -5.0])
def test_no_kept_file_takes_the_place_of_another(store: Store, now: float) -> None:
    root = store.archive.root(store.root())
    directory = Path(store.root(), "site/cam")
    for text in ("1", "2", "3"):
        (directory / NAME).write_text(text)
        kept = write_locks(root.path, root.uuid or "", "site/cam", RangeSet([Range(1, 2)]), now=lambda: now)
        assert kept is not None and Path(kept.path).read_text() == text
    assert sorted(one.read_text() for one in directory.glob("*.broken-*")) == ["1", "2", "3"]
    assert write_locks(root.path, root.uuid or "", "site/cam", RangeSet([Range(1, 3)])) is None


def test_a_damaged_file_that_cannot_be_kept_stays(store: Store) -> None:
    path = Path(store.root(), "site/cam", NAME)
    path.write_text("?")
    store.fate.faults["rename"] = OSError(28, "No space left on device")
    for change in (store.archive.lock, store.archive.unlock):
        with pytest.raises(DvrError, match="disk_failed"):
            result(change("site/cam", Range(1, 2)))
    assert path.read_text() == "?"
