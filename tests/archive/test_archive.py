from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import pytest_twisted

from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.body.body import Extent
from flussdvr.body.reading import read
from flussdvr.errors import DvrError
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import SEGMENT_MS, Dvr, Store, files, result, write


def test_what_is_recorded_is_listed_and_reads_back(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    assert store.archive.streams() == [] and store.archive.stream("cam") is None
    taken = store.record(store.recorder(), camera, 7)
    archive = store.archive.stream("cam")
    assert archive is not None
    assert store.archive.streams() == ["cam"]
    assert archive.ranges() == RangeSet([Range(UTC_MS, UTC_MS + 7000)])
    assert archive.ranges(Range(UTC_MS + 500, UTC_MS + 900)) == RangeSet([Range(UTC_MS + 500, UTC_MS + 900)])
    (blob,) = archive.blobs()
    assert not blob.closed and blob.path.endswith(f"/cam/2026/11/20/17/{UTC_MS}.mp4")
    table = result(archive.table(blob))
    assert (len(table), table.info.stream, table.info.segment_ms, table.info.sequence) == (7, "cam", SEGMENT_MS, 7)
    assert table.begin_ms.tolist() == [one.begin_ms for one in taken]
    assert int(table.end_ms[-1]) == blob.end_ms
    for row, one in enumerate(taken):
        extent = Extent(archive.file(blob), int(table.offset[row]), int(table.size[row]))
        assert result(read(extent)) == one.data
    whole = Path(blob.path).read_bytes()
    assert len(whole) == blob.size and whole.endswith(b"".join(one.data for one in taken))
    store.stop()
    assert blob.closed


def test_it_is_all_there_after_a_restart(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    store.record(store.recorder(), camera, 4)
    store.stop()
    camera.now_ms += 10_000
    store = Store(tmp_path).open()
    store.record(store.recorder(), camera, 4)
    store.stop()
    store = Store(tmp_path).open()
    archive = store.archive.stream("cam")
    assert archive is not None
    assert list(archive.ranges()) == [Range(UTC_MS, UTC_MS + 4000), Range(UTC_MS + 14_000, UTC_MS + 18_000)]
    first, second = archive.blobs()
    assert (first.after, second.after) == (None, "restart")
    assert [blob.state for blob in archive.blobs()] == [BlobState.CLOSED] * 2
    assert archive.size == sum(path.stat().st_size for path in tmp_path.rglob("17*.*"))


@pytest.mark.parametrize("name", ["../cam", "/cam", "a//b", "a/../../b", ".", "", "a\0b"])
def test_a_stream_stays_under_its_root(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path).open()
    with pytest.raises(DvrError, match="bad_stream_name"):
        store.recorder(name)


def test_stream_names_have_slashes(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    store.record(store.recorder("site/cam 1"), camera, 2)
    store.stop()
    assert Store(tmp_path).open().archive.streams() == ["site/cam 1"]


def test_one_writer_per_stream(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    recorder = store.recorder()
    with pytest.raises(DvrError, match="already_recording"):
        store.recorder()
    result(recorder.close())
    store.recorder()


def test_locks_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    store.record(store.recorder(), Camera(), 2)
    result(store.archive.lock("cam", Range(5, 10)))
    result(store.archive.unlock("cam", Range(7, 8)))
    with pytest.raises(DvrError, match="stream_not_found"):
        result(store.archive.lock("other", Range(5, 10)))
    store.stop()
    archive = Store(tmp_path).open().archive.stream("cam")
    assert archive is not None and archive.locks == RangeSet([Range(5, 7), Range(8, 10)])


def test_a_hanging_disk_does_not_stop_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    store.manual = ("hung",)
    good, bad = store.recorder("good"), store.recorder("bad", "hung")
    store.record(good, Camera(), 3)
    camera = Camera()
    store.archive.root(store.root("hung")).limit_bytes = 5 * len(camera.take().data)
    store.record(bad, camera, 20)
    archive = store.archive.stream("good")
    assert archive is not None and archive.ranges() == RangeSet([Range(UTC_MS, UTC_MS + 3000)])
    assert bad.fragments_dropped >= 15 and good.fragments_dropped == 0
    empty = store.archive.stream("bad")
    assert empty is not None and len(empty.ranges()) == 0
    closing = []
    store.archive.stopService().addBoth(closing.append)
    assert not closing
    for _ in range(5):
        store.clock.advance(30)
    assert closing


def test_a_disk_that_moved_is_known_by_its_uuid(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    store.record(store.recorder(), Camera(), 2)
    store.stop()
    (tmp_path / "disk").rename(tmp_path / "other")
    store = Store(tmp_path)
    store.archive._configured.append(store.root("other"))
    archive = store.open().archive.stream("cam")
    assert archive is not None
    (blob,) = archive.blobs()
    assert blob.root == store.root("other") and os.path.exists(blob.path)
    assert list(store.archive.roots) == [store.root("other")] and "dvr_root_failed" not in store.kinds()


def test_a_lost_catalog_is_rebuilt_from_the_disk(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    store.record(store.recorder(), camera, 4)
    store.stop()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    store = Store(tmp_path)
    store.archive._configured.append(store.root())
    archive = store.open().archive.stream("cam")
    assert archive is not None and archive.ranges() == RangeSet([Range(UTC_MS, UTC_MS + 4000)])
    (blob,) = archive.blobs()
    assert blob.id and blob.closed


def test_an_unmounted_disk_is_not_written_to_and_comes_back(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    store.record(store.recorder(), camera, 2)
    store.stop()
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    (tmp_path / "disk").mkdir()
    store = Store(tmp_path).open()
    store.archive.startService()
    recorder = store.recorder()
    store.record(recorder, camera, 4)
    assert recorder.error is not None and recorder.error.code == "disk_not_mounted"
    assert list((tmp_path / "disk").iterdir()) == []
    assert store.kinds().count("dvr_root_failed") == 1 and "dvr_write_failed" in store.kinds()
    archive = store.archive.stream("cam")
    assert archive is not None and len(archive.ranges()) == 1  # what is listed stays listed
    result(store.archive.retention.sweep())
    (tmp_path / "disk").rmdir()
    (tmp_path / "unplugged").rename(tmp_path / "disk")
    store.clock.pump([1] * 6)
    store.record(recorder, camera, 4)
    assert recorder.error is None and "dvr_write_resumed" in store.kinds()
    assert [blob.after for blob in archive.blobs()][1:] == ["disk"]
    store.stop()


def test_a_newer_catalog_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with sqlite3.connect(tmp_path / "state" / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DvrError, match="catalog_too_new"):
        Store(tmp_path).open()


def test_a_hundred_streams_and_a_month_are_loaded(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    store.record(store.recorder("first"), Camera(), 1)
    store.stop()
    begin_ms, root = UTC_MS - 720 * HOUR_MS, store.root()
    result(store.catalog.open())
    result(
        store.catalog.blobs.insert(
            [
                Blob(f"s{stream}", root, at, at + HOUR_MS, 1 << 30, 1 << 21, BlobState.CLOSED, 5000, 1)
                for stream in range(100)
                for at in range(begin_ms, UTC_MS, HOUR_MS)
            ]
        )
    )
    result(store.catalog.close())
    store = Store(tmp_path)
    store.archive._surveyed.add(root)  # there are no files
    store.open()
    assert all(len(archive.ranges()) == 1 for archive in store.archive.streams_of())
    assert len(store.archive.streams()) == 101


@pytest_twisted.ensureDeferred
async def test_with_real_threads(tmp_path: Path) -> None:
    from twisted.internet import reactor

    camera = Camera()
    archive = Archive(str(tmp_path / "state"), reactor)
    await archive.open()
    archive.startService()
    recorder = archive.recorder("cam", Dvr(str(tmp_path / "disk")))
    taken = list(camera.film(50))
    for fragment in taken:
        write(recorder, camera, fragment)
    await recorder.close()
    stream = archive.stream("cam")
    assert stream is not None and stream.ranges() == RangeSet([Range(UTC_MS, UTC_MS + 50_000)])
    (blob,) = stream.blobs()
    assert blob.closed and len(await stream.table(blob)) == 50
    assert (await read(Extent(stream.file(blob), 0, blob.size))).endswith(b"".join(one.data for one in taken))
    await archive.stopService()
    assert len(files(tmp_path)) == 1


def test_a_root_within_a_root(tmp_path: Path) -> None:
    """What lies on the inner disk is read by its threads, and belongs to no stream of the outer one."""
    store = Store(tmp_path, now_ms=UTC_MS).open()
    outer, inner = store.archive.root(store.root()), store.archive.root(store.root("disk/ssd"))
    other = store.archive.root(store.root("disk/ss"))
    for stream, root, reader in (("a", "disk", outer), ("b", "disk/ssd", inner), ("c", "disk/ss", other)):
        recorder = store.recorder(stream, root)
        store.record(recorder, Camera(), 3)
        result(store.archive.lock(stream, Range(UTC_MS, UTC_MS + 1000)))
        result(recorder.close())
        archive = store.archive.stream(stream)
        assert archive is not None
        assert archive.file(archive.blobs()[0]).worker is reader.reader
    store.stop()
    shutil.rmtree(tmp_path / "state")
    again = Store(tmp_path, now_ms=UTC_MS)
    for root in ("disk", "disk/ss", "disk/ssd"):
        again.archive.root(again.root(root))
    again.archive._configured = list(again.archive.roots)
    again.open()
    assert again.archive.streams() == ["a", "b", "c"]
    assert [list(again.archive.archive_of(one).locks) for one in "abc"] == [[Range(UTC_MS, UTC_MS + 1000)]] * 3


def test_a_root_may_be_the_whole_file_system(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    whole, blob = store.archive.root("/"), Blob("cam", "/", UTC_MS, UTC_MS + 1000)
    file = store.archive.file(blob)
    assert file.worker is whole.reader and os.path.normpath(str(file)) == os.path.normpath(blob.path)
