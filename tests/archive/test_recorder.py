from __future__ import annotations

import errno
import json
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from flussdvr.archive.disk.blob import BlobState
from flussdvr.archive.recorder import RETRY_S, Recorder
from flussdvr.archive.streams.numbering import first_discontinuity
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import SEGMENT_MS, Store, files, result, write

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path).open()


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return store.recorder()


@pytest.fixture
def archive(store: Store, recorder: Recorder) -> LocalStreamArchive:
    found = store.archive.stream("cam")
    assert found is not None
    return found


def test_counters(store: Store, recorder: Recorder) -> None:
    taken = store.record(recorder, Camera(), 3)
    assert (recorder.fragments_written, recorder.fragments_dropped) == (3, 0)
    assert recorder.bytes_written == sum(len(one.data) for one in taken)
    assert recorder.last_write_ms == UTC_MS + 3000 and recorder.error is None
    root = recorder.root
    assert (root.queued_bytes, root.queued_count) == (0, 0)


def test_a_blob_ends_at_the_hour_on_a_sync_fragment(
    store: Store, recorder: Recorder, archive: LocalStreamArchive
) -> None:
    camera = Camera(UTC_MS + HOUR_MS - 5000, gop=4)
    opened = []
    for fragment in camera.film(12):
        opened.append(recorder.opens_blob(fragment, camera.init, SEGMENT_MS))
        write(recorder, camera, fragment)
    assert [n for n, one in enumerate(opened) if one] == [0, 8]
    first, second = archive.blobs()
    assert first.closed and not second.closed and first.end_ms == second.begin_ms == UTC_MS + HOUR_MS + 3000
    assert second.after is None and len(archive.ranges()) == 1
    assert [path.parent.name for path in files(store.folder)] == ["17", "18"]


def test_other_tracks_make_another_blob(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    store.record(recorder, Camera(gop=3), 4)
    other = Camera(UTC_MS + 4000, gop=3, tracks=1)
    late = other.take(sync=False)
    assert not recorder.opens_blob(late, other.init, SEGMENT_MS)
    write(recorder, other, late)
    assert recorder.fragments_dropped == 1
    other.count = 0
    store.record(recorder, other, 2)
    assert [(blob.begin_ms - UTC_MS, blob.after) for blob in archive.blobs()] == [(0, None), (5000, "tracks_changed")]


def test_discontinuities_are_counted_on_in_blobs(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera(UTC_MS + HOUR_MS - 2000)
    store.record(recorder, camera, 4)
    for _ in range(2):
        recorder.gap("source_lost")
        camera.now_ms += 10_000
        store.record(recorder, camera, 2)
    first, *others = archive.blobs()
    assert first.discontinuity == first_discontinuity(first.begin_ms)
    assert [blob.discontinuity - first.discontinuity for blob in others] == [0, 1, 2]
    for blob in archive.blobs():
        table = FragmentTable(Path(blob.index_path).read_bytes())
        assert table.info.discontinuity == blob.discontinuity
    again = Recorder(archive, recorder.root, store.catalog.blobs, store.clock)
    store.record(again, Camera(UTC_MS + 2 * HOUR_MS - 5000), 2)
    assert archive.blobs()[-1].discontinuity == first.discontinuity + 3, "a restart is one"


def test_a_gap_has_its_first_reason(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera()
    store.record(recorder, camera, 2)
    recorder.gap("source_lost")
    recorder.gap("clock")
    camera.now_ms += 60_000
    store.record(recorder, camera, 2)
    assert [blob.after for blob in archive.blobs()] == [None, "source_lost"]
    assert archive.ranges().gaps() == RangeSet([Range(UTC_MS + 2000, UTC_MS + 62_000)])
    stated = (store.folder / Path(archive.blobs()[1].path)).read_bytes()
    at = stated.index(b"flussdvr-blob") + 16
    assert json.loads(stated[at : stated.index(b"}", at) + 1])["after"] == "source_lost"


def test_time_that_jumps_makes_another_blob(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera()
    store.record(recorder, camera, 2)
    camera.now_ms += 700
    store.record(recorder, camera, 2)
    assert [blob.after for blob in archive.blobs()] == [None, "timestamp_jump"]
    camera.now_ms -= 3000
    store.record(recorder, camera, 2)  # over what is recorded already: not taken
    assert len(archive.blobs()) == 2 and recorder.fragments_dropped == 2
    bounds = archive.bounds
    assert bounds == Range(UTC_MS, UTC_MS + 4700) and recorder.end_ms == bounds.end_ms


def test_blobs_that_miss_each_other_by_rounding_are_one_range(
    store: Store, recorder: Recorder, archive: LocalStreamArchive
) -> None:
    camera = Camera(UTC_MS + HOUR_MS - 2000)
    store.record(recorder, camera, 2)
    camera.now_ms += 1
    store.record(recorder, camera, 2)
    assert len(archive.blobs()) == 2 and len(archive.ranges()) == 1


def test_nothing_is_listed_before_it_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    recorder, camera = store.recorder(), Camera()
    archive = store.archive.stream("cam")
    assert archive is not None
    store.record(recorder, camera, 3)
    assert len(archive) == 0
    while store.step():
        size = sum(path.stat().st_size for path in files(tmp_path))
        for blob in archive.blobs():
            assert blob.size <= size
    assert archive.ranges().duration_ms == 3000


def test_the_row_comes_before_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    store.record(store.recorder(), Camera(), 1)
    while not files(tmp_path):
        rows = len(result(store.catalog.blobs.all()))
        assert store.step()
    assert rows == 1


def test_a_slow_disk_loses_whole_fragments_and_says_so(tmp_path: Path, event_schema: Any) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    recorder, camera = store.recorder(), Camera(gop=2)
    archive = store.archive.stream("cam")
    assert archive is not None
    store.record(recorder, camera, 2)
    store.steps()
    recorder.root.limit_count = 4
    store.record(recorder, camera, 7)
    assert recorder.fragments_dropped == 3 and "dvr_drop_write" in store.kinds()
    event_schema.check_own(store.events)
    store.steps()
    store.record(recorder, camera, 4)  # the first is no sync fragment
    store.steps()
    first, second = archive.blobs()
    assert (first.end_ms, second.begin_ms) == (UTC_MS + 6000, UTC_MS + 10_000)
    assert (first.state, second.after, recorder.root.queued_bytes) == (BlobState.CLOSED, "disk", 0)
    assert recorder.fragments_written + recorder.fragments_dropped == 13


def test_a_disk_that_comes_and_goes_for_hours_writes_few_lines(store: Store, recorder: Recorder) -> None:
    camera, lines = Camera(), list[str | None]()

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("flussdvr.archive.recorder"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        for _time in range(60):
            store.fate.faults["write"] = BROKEN
            store.record(recorder, camera, 2)
            del store.fate.faults["write"]
            store.clock.advance(RETRY_S)
            store.record(recorder, camera, 2)
            assert recorder.error is None
    finally:
        globalLogPublisher.removeObserver(observe)
    assert store.kinds().count("dvr_write_failed") == 60
    assert [line.rpartition(", ")[2] for line in lines if line and "is not recorded" in line][1:] == [
        "for the 10th time"
    ]
    assert len([line for line in lines if line and "is recorded again" in line]) == 2 and len(lines) == 4


@pytest.mark.parametrize("fault", [FULL, BROKEN])
def test_a_disk_that_refuses_is_tried_again(
    store: Store, recorder: Recorder, archive: LocalStreamArchive, fault: OSError, event_schema: Any
) -> None:
    camera = Camera()
    store.record(recorder, camera, 2)
    result(store.archive.lock("cam", Range(UTC_MS, UTC_MS + 2000)))
    store.fate.faults["write"] = fault
    store.record(recorder, camera, 4)
    assert recorder.error is not None and recorder.fragments_dropped == 4
    assert store.kinds().count("dvr_write_failed") == 1
    (blob,) = archive.blobs()
    assert blob.closed and os.path.getsize(blob.path) == blob.size and blob.end_ms == UTC_MS + 2000
    store.clock.advance(RETRY_S)
    store.record(recorder, camera, 2)  # refused again: no event again
    assert store.kinds().count("dvr_write_failed") == 1
    del store.fate.faults["write"]
    store.clock.advance(RETRY_S)
    store.record(recorder, camera, 2)
    assert recorder.error is None and store.kinds().count("dvr_write_resumed") == 1
    event_schema.check_own(store.events)
    assert [blob.after for blob in archive.blobs()] == [None, "disk"]
    assert len(files(store.folder)) == len(files(store.folder, ".idx")) == 2
    assert len(result(store.catalog.blobs.all())) == 2


def test_a_full_disk_makes_room_and_goes_on(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera(UTC_MS - HOUR_MS)
    store.record(recorder, camera, 4)
    recorder.gap("source_lost")
    camera.now_ms = UTC_MS
    store.record(recorder, camera, 4)
    result(store.archive.lock("cam", Range(UTC_MS, UTC_MS + 2000)))
    store.fate.faults["write"] = FULL
    fragment = camera.take()
    real = store.fate.step

    def freed(name: str, *rest: object) -> None:
        if name == "unlink":
            store.fate.faults.clear()
        real(name, *rest)  # type: ignore[arg-type]

    store.fate.step = freed  # type: ignore[method-assign]
    write(recorder, camera, fragment)
    assert recorder.fragments_dropped == 1
    store.record(recorder, camera, 3)
    assert recorder.error is None and recorder.fragments_dropped == 2  # to the next sync fragment
    deleted = [event for event in store.events if event["event"] == "dvr_blob_deleted"]
    assert [event["reason"] for event in deleted] == ["disk_full"] * 2  # the first blob, and what is not locked
    assert [blob.begin_ms for blob in archive.blobs()] == [UTC_MS, UTC_MS + 6000]


def test_a_short_write_is_finished_or_taken_back(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera()
    store.record(recorder, camera, 1)
    real = store.fate.__getattr__("write")
    store.fate.write = lambda fd, data: os.write(fd, data[:7])  # type: ignore[attr-defined]
    fragment = camera.take()
    write(recorder, camera, fragment)
    (blob,) = archive.blobs()
    assert Path(blob.path).read_bytes().endswith(fragment.data)
    store.fate.write = real  # type: ignore[attr-defined]


def test_a_failed_sync_is_never_trusted_again(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    store.archive.startService()
    camera = Camera()
    store.record(recorder, camera, 2)
    store.fate.faults["fdatasync"] = BROKEN
    store.clock.pump([1] * 6)
    assert recorder.error is not None and "dvr_write_failed" in store.kinds()
    del store.fate.faults["fdatasync"]
    (blob,) = archive.blobs()
    assert blob.state is BlobState.SUSPECT and archive.ranges().duration_ms == 2000
    store.clock.advance(RETRY_S)
    store.record(recorder, camera, 2)
    assert [one.after for one in archive.blobs()] == [None, "disk"]
    assert [one.state for one in result(store.catalog.blobs.all())] == [BlobState.SUSPECT, BlobState.OPEN]
    store.stop()
    again = Store(store.folder).open().archive.stream("cam")  # looked into: it is whole
    assert again is not None and [one.state for one in again.blobs()] == [BlobState.CLOSED] * 2


def test_syncs_come_in_their_interval_and_only_where_something_was_written(store: Store, recorder: Recorder) -> None:
    store.archive.startService()
    camera = Camera()
    store.record(recorder, camera, 1)
    store.fate.calls.clear()
    store.clock.pump([1] * 5)
    assert store.fate.calls.count("fdatasync") == 2  # blob and index
    assert store.fate.calls.count("fsync") == 5  # cam, 2026, 11, 20, 17: once; the root when `cam` was made
    store.clock.pump([1] * 10)
    assert store.fate.calls.count("fdatasync") == 2
    store.record(recorder, camera, 1)
    store.clock.pump([1] * 5)
    assert store.fate.calls.count("fdatasync") == 4 and store.fate.calls.count("fsync") == 5


def test_a_hanging_sync_delays_no_write(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    store.archive.startService()
    recorder, camera = store.recorder(), Camera()
    writer, syncer = recorder.root.writer, recorder.root.syncer
    store.record(recorder, camera, 2)
    while recorder.root.reader.step() or writer.step():  # type: ignore[attr-defined]
        pass
    store.clock.pump([1] * 20)
    assert len(syncer) == 1  # type: ignore[arg-type]
    store.record(recorder, camera, 2)
    while writer.step():  # type: ignore[attr-defined]
        pass
    assert recorder.fragments_written == 4


def test_a_catalog_that_fails_is_a_gap(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    camera = Camera()
    store.fate.faults["sql"] = OSError(errno.EIO, "the disk of the catalog")
    store.record(recorder, camera, 2)
    assert recorder.error is not None and files(store.folder) == []
    store.fate.faults.clear()
    store.clock.advance(RETRY_S)
    store.record(recorder, camera, 2)
    assert recorder.error is None and archive.ranges().duration_ms == 2000


def test_a_file_that_is_there_already_is_not_touched(
    store: Store, recorder: Recorder, archive: LocalStreamArchive
) -> None:
    camera = Camera()
    alien = Path(store.root()) / "cam/2026/11/20/17" / f"{UTC_MS}.mp4"
    alien.parent.mkdir(parents=True)
    alien.write_bytes(b"alien")
    store.record(recorder, camera, 2)
    assert alien.read_bytes() == b"alien" and recorder.fragments_dropped == 2
    store.clock.advance(RETRY_S)
    store.record(recorder, camera, 2)
    assert archive.bounds == Range(UTC_MS + 2000, UTC_MS + 4000) and alien.read_bytes() == b"alien"
    assert not alien.with_suffix(".idx").exists()


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    recorder, camera = store.recorder(), Camera()
    store.record(recorder, camera, 2)
    recorder.gap("source_lost")
    camera.now_ms += 1000
    store.record(recorder, camera, 3)
    closing = store.archive.stopService()
    assert not closing.called
    write(recorder, camera, camera.take())
    assert recorder.fragments_dropped == 1
    store.steps()
    assert closing.called and recorder.fragments_written == 5
    assert len(files(tmp_path)) == 2


def test_a_blob_of_which_nothing_was_written_is_taken_back(store: Store, recorder: Recorder) -> None:
    camera = Camera()
    fragment = replace(camera.take(), data=b"")
    store.fate.faults["ftruncate"] = BROKEN
    real = store.fate.step
    writes = iter(range(100))

    def third(name: str, *rest: object) -> None:
        if name == "write" and next(writes) == 2:  # after the heads of blob and index
            raise FULL
        real(name, *rest)  # type: ignore[arg-type]

    store.fate.step = third  # type: ignore[method-assign]
    write(recorder, camera, fragment)
    assert recorder.fragments_dropped == 1 and files(store.folder) == []
    assert result(store.catalog.blobs.all()) == []


def test_a_file_as_large_as_it_may_be(store: Store, recorder: Recorder, archive: LocalStreamArchive) -> None:
    """A real short write: the system takes a part of the fragment and refuses the rest."""
    camera = Camera(size=100_000)
    store.record(recorder, camera, 2)
    (blob,) = archive.blobs()
    result(store.archive.lock("cam", Range(UTC_MS, UTC_MS + 2000)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, before[1]))
    try:
        store.record(recorder, camera, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert recorder.fragments_dropped == 2 and archive.ranges().duration_ms == 2000
    assert blob.closed and os.path.getsize(blob.path) == blob.size < 250_000
    assert os.path.getsize(blob.index_path) == blob.index_size
