from __future__ import annotations

import os
from pathlib import Path

import pytest

from flussdvr.archive.retention import blob_bytes, blob_ms
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.tools import fsck
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Fate, Killed, Store, files, result


def at(begin_s: float, end_s: float) -> Range:
    return Range(UTC_MS + int(begin_s * 1000), UTC_MS + int(end_s * 1000))


def recorded(store: Store, count: int = 20, size: int = 20_000, **settings: int) -> LocalStreamArchive:
    """A closed blob of 20 s: segments of 2 s, a sync sample every 2 s."""
    recorder = store.recorder(**settings)
    store.record(recorder, Camera(size=size), count)
    result(recorder.close())
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, now_ms=UTC_MS + 20_000).open()


def disk_usage(folder: Path) -> int:
    return sum(os.stat(path).st_blocks * 512 for path in folder.rglob("*.*4"))


def check(store: Store, archive: LocalStreamArchive, ranges: list[Range]) -> None:
    """Everything agrees on what is there: the list, the index, the catalog, the disk, the tools."""
    assert list(archive.ranges()) == ranges
    found = RangeSet()
    for blob in archive.blobs():
        table = result(archive.table(blob))
        data = Path(blob.path).read_bytes()
        assert len(data) == blob.size == table.blob_size and os.path.getsize(blob.index_path) == blob.index_size
        for row in range(len(table)):
            found.add(Range(int(table.begin_ms[row]), int(table.end_ms[row])))
            head = data[int(table.offset[row]) : int(table.offset[row]) + int(table.head_size[row])]
            assert head[4:8] == b"moof"
    assert list(found) == ranges
    rows = {row.begin_ms: row for row in result(store.catalog.blobs.all())}
    assert {begin: (row.holes, row.freed, row.index_size, row.state) for begin, row in rows.items()} == {
        blob.begin_ms: (blob.holes, blob.freed, blob.index_size, blob.state) for blob in archive.blobs()
    }
    assert not list(store.folder.rglob("*.new"))
    assert fsck(store.root(), False, str(store.folder / "state")).problems == []


def test_a_range_in_the_middle(store: Store) -> None:
    archive = recorded(store)
    (blob,) = archive.blobs()
    before, old, size = disk_usage(store.folder), result(archive.table(blob)).segments(True), archive.size
    result(store.archive.delete_range("cam", at(5.5, 10)))
    check(store, archive, [at(0, 6), at(10, 20)])
    (gone,) = (event for event in store.events if event["event"] == "dvr_deleted_fragments")
    assert gone["media"] == "cam" and gone["path"] == store.root()
    assert gone["utcs"] == [at(second, 20).begin_ms // 1000 for second in range(6, 10)]
    assert archive.gaps() == [(at(6, 10), "deleted")]
    new = result(archive.table(blob)).segments(True)
    assert set(new.begin_ms.tolist()) < set(old.begin_ms.tolist())
    assert before - disk_usage(store.folder) == blob.freed > 60_000
    assert size - archive.size >= blob.freed
    result(store.archive.delete_range("cam", at(0, 12)))
    check(store, archive, [at(12, 20)])
    assert archive.bounds == at(12, 20)
    result(store.archive.delete_range("cam", at(0, 100)))
    assert archive.ranges() == RangeSet() and files(store.folder) == [] == result(store.catalog.blobs.all())
    assert archive.size == 0 and result(store.catalog.deletions.all()) == []


def test_the_end(store: Store) -> None:
    archive = recorded(store)
    result(store.archive.delete_range("cam", at(8, 30)))
    check(store, archive, [at(0, 8)])


def test_what_is_locked_stays_and_nothing_else(store: Store) -> None:
    archive = recorded(store, expiration_s=1)
    result(store.archive.lock("cam", at(7.2, 9.1)))
    store.now_ms += 60_000
    result(store.archive.retention.sweep())
    check(store, archive, [at(6, 10)])
    calls = len(store.fate.calls)
    result(store.archive.retention.sweep())
    assert "rename" not in store.fate.calls[calls:]
    result(store.archive.delete_range("cam", at(0, 20)))
    check(store, archive, [at(6, 10)])
    result(store.archive.unlock("cam", at(8, 9.1)))
    result(store.archive.retention.sweep())
    check(store, archive, [at(6, 8)])
    result(store.archive.unlock("cam", at(0, 100)))
    result(store.archive.retention.sweep())
    assert not len(archive) and files(store.folder) == []


def test_it_is_all_the_same_after_a_restart(store: Store, tmp_path: Path) -> None:
    archive = recorded(store)
    result(store.archive.delete_range("cam", at(4, 8)))
    size = archive.size
    store.stop()
    again = Store(tmp_path).open()
    archive = again.archive.stream("cam")  # type: ignore[assignment]
    check(again, archive, [at(0, 4), at(8, 20)])
    assert archive.size == size


def test_what_is_being_recorded_is_ended_first(store: Store) -> None:
    recorder, camera = store.recorder(), Camera()
    store.record(recorder, camera, 11)
    archive = store.archive.stream("cam")
    assert archive is not None
    from twisted.internet.defer import Deferred

    done: list[object] = []
    Deferred.fromCoroutine(store.archive.delete_range("cam", at(0, 8))).addBoth(done.append)
    assert not done
    store.record(recorder, camera, 4)
    assert [list(report.deleted) for report in done] == [[at(0, 8)]]  # type: ignore[attr-defined]
    check_open = list(archive.ranges())
    assert check_open == [at(8, 15)], check_open
    Deferred.fromCoroutine(store.archive.delete_range("cam", at(8, 100))).addBoth(done.append)
    store.clock.advance(5)
    assert len(done) == 2 and not len(archive)
    store.record(recorder, camera, 4)
    assert archive.blobs()[0].after == "deleted"


def test_a_shorter_expiration(store: Store) -> None:
    archive = recorded(store, 60)
    store.now_ms = UTC_MS + 60_000
    store.archive.set_policy("cam", None)
    recorder = store.recorder(expiration_s=30)
    assert recorder.blob_ms == 10_000
    result(store.archive.retention.sweep())
    check(store, archive, [at(30, 60)])


def test_blobs_are_short_where_little_is_kept() -> None:
    class Policy:
        expiration_s, storage_limit = 90, 80 << 20

    assert blob_ms(Policy) == 11_250 and blob_bytes(Policy) == 10 << 20  # type: ignore[arg-type]
    assert blob_ms(None) == HOUR_MS and blob_bytes(None) is None


def test_ninety_seconds_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, now_ms=UTC_MS).open()
    recorder, camera = store.recorder(expiration_s=90), Camera()
    for _ in range(20):
        store.record(recorder, camera, 20)
        store.now_ms = camera.now_ms
        result(store.archive.retention.sweep())
        archive = store.archive.stream("cam")
        assert archive is not None
        kept = archive.ranges().duration_ms
        assert min(90_000, camera.now_ms - UTC_MS) <= kept <= 90_000 + recorder.blob_ms + 2000
        assert len(archive.ranges()) == 1


def test_killed_at_any_moment_of_a_deletion(tmp_path: Path) -> None:
    """After the restart it is as before the request, or as after it."""
    ranges = [[at(0, 20)], [at(0, 4), at(12, 20)]]
    for kill_at in range(1000):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        store = Store(folder).open()
        archive = recorded(store, size=5000)
        fate = store.fate
        fate.kill_at = len(fate.calls) + kill_at
        try:
            result(store.archive.delete_range("cam", at(4, 12)))
            killed = False
        except (Killed, AssertionError):
            killed = fate.dead
        again = Store(folder, fate=Fate()).open()
        archive = again.archive.stream("cam")  # type: ignore[assignment]
        after = list(archive.ranges())
        assert after in ranges, kill_at
        check(again, archive, after)
        if not killed:
            break
    assert 8 < kill_at < 100 and after == ranges[1]
