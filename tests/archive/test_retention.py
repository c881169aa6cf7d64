from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flussdvr.archive.retention import DiskUsage
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Dvr, Store, files, result


def month(store: Store, stream: str = "cam", hours: int = 10, **settings: Any) -> LocalStreamArchive:
    """A blob of two fragments in each of the last hours; the newest is open."""
    recorder, camera = store.recorder(stream, **settings), Camera()
    for hour in range(hours):
        camera.now_ms = UTC_MS - (hours - hour) * HOUR_MS
        store.record(recorder, camera, 2)
        if hour < hours - 1:
            recorder.gap("source_lost")
    archive = store.archive.stream(stream)
    assert archive is not None and len(archive) == hours
    return archive


def sweep(store: Store) -> None:
    result(store.archive.retention.sweep())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, now_ms=UTC_MS).open()


def test_nothing_configured_nothing_deleted(store: Store) -> None:
    archive = month(store)
    sweep(store)
    assert len(archive) == 10


def test_expiration(store: Store) -> None:
    archive, kept = month(store, expiration_s=4 * 3600), month(store, "other")
    sweep(store)
    assert [blob.begin_ms for blob in archive.blobs()] == [UTC_MS - hour * HOUR_MS for hour in (4, 3, 2, 1)]
    assert len(kept) == 10 and archive.size == sum(blob.size + blob.index_size for blob in archive.blobs())
    assert len(archive.ranges()) == 4
    assert len(files(store.folder)) == len(files(store.folder, ".idx")) == 14
    assert len(result(store.catalog.blobs.all())) == 14
    hours = list((Path(store.root()) / "cam/2026/11/20").iterdir())
    assert len(hours) == 4
    (event, *others) = [event for event in store.events if event["event"] == "dvr_blob_deleted"]
    assert event["media"] == "cam" and event["reason"] == "expiration" and len(others) == 5
    gone = [event for event in store.events if event["event"] == "dvr_deleted_fragments"]
    hours = [UTC_MS // 1000 - hour * 3600 for hour in (10, 9, 8, 7, 6, 5)]
    assert [event["utcs"] for event in gone] == [[hour, hour + 1] for hour in hours]
    assert {(event["media"], event["path"]) for event in gone} == {("cam", store.root())}


def test_a_locked_range_stays(store: Store) -> None:
    archive = month(store, expiration_s=3600)
    locked = archive.blobs()[2]
    result(store.archive.lock("cam", Range(locked.begin_ms + 1999, locked.begin_ms + 3000)))
    sweep(store)
    assert archive.blobs()[0] is locked and len(archive) == 2
    result(store.archive.unlock("cam", Range(locked.begin_ms, locked.end_ms)))
    sweep(store)
    assert len(archive) == 1


def test_what_is_being_recorded_stays(store: Store) -> None:
    archive = month(store, expiration_s=1)
    sweep(store)
    (blob,) = archive.blobs()
    assert not blob.closed


def test_a_storage_limit_of_a_stream(store: Store) -> None:
    archive = month(store, storage_limit=1)
    other = month(store, "other")
    sweep(store)
    assert len(archive) == 1 and len(other) == 10


def test_a_storage_limit_that_streams_share(store: Store) -> None:
    one = month(store, "one", name="main", storage_limit=10_000)
    two = month(store, "two", hours=2, name="main", storage_limit=10_000)
    sweep(store)
    assert one.size + two.size <= 10_000
    assert abs(one.blobs()[0].begin_ms - two.blobs()[0].begin_ms) <= 2 * HOUR_MS  # the oldest of both go


@pytest.mark.parametrize(
    ("total", "free", "limit", "left"),
    [
        (1000, 500, 90, 10),
        (1000, 50, 90, 9),  # 5 % over: a blob is more
        (100_000, 2500, 90, None),
        (100_000, 2500, 99, 10),
        (100_000, 1000, None, 9),  # the reserve, whatever is configured
    ],
)
def test_the_usage_of_the_disk(store: Store, total: int, free: int, limit: int | None, left: int | None) -> None:
    archive = month(store, disk_usage_limit=limit)
    asked = []

    def usage(path: str) -> DiskUsage:
        asked.append(path)
        return DiskUsage(total, free)

    store.archive.retention._usage = usage
    size = archive.blobs()[0].size + archive.blobs()[0].index_size
    sweep(store)
    if left is None:
        left = 10 - -(-(total - free - total * 90 // 100) // size)
    assert len(archive) == left and asked == [store.root()]


def test_the_lowest_limit_holds_and_nobody_starves(store: Store) -> None:
    lower, higher = month(store, "lower", disk_usage_limit=90), month(store, "higher", 5, disk_usage_limit=98)
    free, size = month(store, "unlimited"), lower.size + higher.size
    store.archive.retention._usage = lambda path: DiskUsage(10 * size, 10 * size // 10 - size // 3)
    sweep(store)
    assert 6 <= len(lower) <= 7 and 3 <= len(higher) <= 4 and len(free) == 10


def test_a_disk_that_fails_keeps_its_recordings(store: Store, tmp_path: Path) -> None:
    archive = month(store, expiration_s=1)
    store.fate.faults["unlink"] = OSError(5, "Input/output error")
    sweep(store)
    assert len(archive) == 10 == len(files(tmp_path)) == len(result(store.catalog.blobs.all()))
    store.stop()
    again = Store(tmp_path).open()
    archive = again.archive.stream("cam")  # type: ignore[assignment]
    assert len(archive) == 10 == len(files(tmp_path))


def test_nothing_is_deleted_from_a_disk_that_is_not_there(store: Store, tmp_path: Path) -> None:
    month(store, expiration_s=1)
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    sweep(store)
    assert len(result(store.catalog.blobs.all())) == 10
    (tmp_path / "unplugged").rename(tmp_path / "disk")
    assert len(files(tmp_path)) == 10


def test_sweeps_come_by_themselves(store: Store) -> None:
    store.archive.startService()
    archive = month(store, expiration_s=3600)
    store.clock.pump([1] * 15)
    assert len(archive) == 1


def test_nobody_reads_what_nobody_wants_to_know(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    month(store, expiration_s=3600)
    store.archive.deletion._wants = lambda event: event != "dvr_deleted_fragments"
    monkeypatch.setattr("flussdvr.archive.deletion.read_index", None)
    sweep(store)
    assert store.kinds().count("dvr_blob_deleted") == 9 and "dvr_deleted_fragments" not in store.kinds()


def test_what_is_not_deleted_is_not_told(store: Store) -> None:
    month(store, expiration_s=3600)
    store.fate.faults["unlink"] = OSError(5, "Input/output error")
    sweep(store)
    assert "dvr_blob_deleted" not in store.kinds()


def test_nothing_expires_while_the_clock_cannot_be_believed(tmp_path: Path) -> None:
    believed = False
    store = Store(tmp_path, now_ms=UTC_MS).open()
    store.archive.retention._trusts_clock = lambda: believed
    archive = month(store, expiration_s=4 * 3600)
    sweep(store)
    assert len(archive) == 10
    believed = True
    sweep(store)
    assert len(archive) == 4


def test_a_blob_that_was_cut_in_part_expires_as_a_whole_afterwards(store: Store) -> None:
    """A long blob, from a time when more was to be kept, loses what is too old, and in the end all of it."""
    recorder, camera = store.recorder(), Camera(gop=1)
    begin_ms = camera.now_ms
    store.record(recorder, camera, 600)
    recorder.gap("source_lost")
    archive = store.archive.stream("cam")
    assert archive is not None
    (blob,) = archive.blobs()
    store.archive.set_policy("cam", Dvr(store.root(), expiration_s=300))
    kept = []
    for old_s in (300, 400, 500):
        store.now_ms = begin_ms + (300 + old_s) * 1000
        sweep(store)
        assert archive.blobs() == [blob]
        kept.append(archive.ranges().duration_ms // 1000)
    assert kept == [300, 200, 100]
    store.now_ms = begin_ms + 901_000
    sweep(store)
    assert archive.blobs() == [] and files(store.folder) == []
    assert result(store.catalog.blobs.all()) == []
