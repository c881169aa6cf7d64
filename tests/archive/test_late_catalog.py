"""The catalog does not answer at the start, and does later: it joins what goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flussdvr.archive.archive import CATALOG_RETRY_S
from flussdvr.database.rows import LinkRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.thread import OPEN_S
from flussdvr.threads import InlineWorker
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Dvr, Store, result, write
from tests.archive.test_hung_catalog import Lab

LINK = LinkRow("0" * 16, "cam", 1, 2, ("hls",), UTC_MS, 1, 0, None, "admin", 1)


class Late(Lab):
    """Two disks with recordings, of which one is not there now, and a catalog that does not answer."""

    def __init__(self, folder: Path) -> None:
        for name in ("disk", "away"):
            (folder / name).mkdir()
        store = Store(folder, now_ms=UTC_MS + 10_000).open()
        store.record(store.recorder("cam"), Camera(UTC_MS - HOUR_MS), 4)
        store.record(store.recorder("far", "away"), Camera(UTC_MS - HOUR_MS), 4)
        result(store.archive.lock("cam", Range(UTC_MS - HOUR_MS, UTC_MS - HOUR_MS + 1000)))
        result(store.archive.lock("far", Range(UTC_MS - HOUR_MS, UTC_MS - HOUR_MS + 2000)))
        result(store.catalog.stream_overrides.replace("cam", '{"title": "kept"}'))
        result(store.catalog.links.insert(LINK))
        store.stop()
        (folder / "away").rename(folder / "unplugged")
        super().__init__(folder)
        self.back = 0

    async def on_back(self) -> None:
        self.back += 1

    def start(self) -> None:
        opened = self.begin(self.archive.open())
        self.clock.advance(OPEN_S)
        self.clock.advance(5)
        assert opened == [None] and self.spares
        self.archive.on_catalog_back = self.on_back
        self.archive.startService()

    def pass_by(self, seconds: int = 2 * CATALOG_RETRY_S) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.steps()

    def listed(self) -> dict[str, RangeSet]:
        return {one.name: one.ranges() for one in self.archive.streams_of()}

    def record(self, name: str, camera: Camera, count: int) -> None:
        recorder = self.archive.recorder(name, Dvr(str(self.folder / "disk")))
        for fragment in camera.film(count):
            write(recorder, camera, fragment)
        assert self.begin(recorder.close()) == [None]

    def read(self, work: Any) -> Any:
        found = self.begin(work)
        self.steps()
        return found[0]


@pytest.fixture
def late(tmp_path: Path) -> Late:
    late = Late(tmp_path)
    late.start()
    return late


def test_it_joins_with_what_was_recorded_meanwhile(late: Late) -> None:
    assert set(late.listed()) == {"cam"}, "what the disk has that is there"
    late.record("cam", Camera(), 2)
    late.record("new", Camera(), 2)
    late.pass_by()
    state = late.catalog.state()
    assert state.refused is None and not state.unreadable and late.back == 1
    assert {name: ranges.duration_ms for name, ranges in late.listed().items()} == {
        "cam": 6000,
        "new": 2000,
        "far": 4000,
    }
    assert late.read(late.catalog.stream_overrides.all()) == {"cam": '{"title": "kept"}'}
    assert late.read(late.catalog.links.all()) == [LINK]
    locks = late.read(late.catalog.locks.all())
    assert {name: some.duration_ms for name, some in locks.items()} == {"cam": 1000, "far": 2000}
    assert (far := late.archive.stream("far")) is not None and far.locks == locks["far"]
    late.pass_by()
    assert late.back == 1, "once"


def test_the_rows_are_those_of_the_archive(late: Late) -> None:
    late.record("cam", Camera(), 2)
    late.pass_by()
    rows = late.read(late.catalog.blobs.all())
    blobs = [blob for archive in late.archive.streams_of() for blob in archive.blobs()]
    assert {(row.id, row.stream, row.begin_ms, row.end_ms, row.size) for row in rows} == {
        (blob.id, blob.stream, blob.begin_ms, blob.end_ms, blob.size) for blob in blobs
    }
    archive = late.archive.stream("cam")
    assert archive is not None and len(archive) == 2
    gone = late.read(late.archive.deletion.delete([archive.blobs()[1]], "deleted"))
    assert gone.error is None
    assert len(late.read(late.catalog.blobs.all())) == len(rows) - 1
    listed = late.listed()
    late.begin(late.archive.close())
    late.steps()
    late.clock.advance(30)
    again = Lab(late.folder)
    again.open()
    assert {one.name: one.ranges() for one in again.archive.streams_of()} == listed


def test_what_is_not_on_the_disk_any_more_has_no_row(tmp_path: Path) -> None:
    late = Late(tmp_path)
    for path in (tmp_path / "disk" / "cam").rglob("*.mp4"):
        path.unlink()
    late.start()
    late.pass_by()
    assert {row.stream for row in late.read(late.catalog.blobs.all())} == {"far"}


def test_a_blob_that_is_open_when_it_joins(late: Late) -> None:
    camera = Camera()
    recorder = late.archive.recorder("cam", Dvr(str(late.folder / "disk")))
    for fragment in camera.film(2):
        write(recorder, camera, fragment)
    late.pass_by()
    for fragment in camera.film(2):
        write(recorder, camera, fragment)
    late.begin(recorder.close())
    late.steps()
    (row,) = [row for row in late.read(late.catalog.blobs.all()) if row.begin_ms == UTC_MS]
    assert row.end_ms == UTC_MS + 4000


def test_it_hangs_between_two_reads_of_the_start(tmp_path: Path) -> None:
    late = Late(tmp_path)
    opened = late.begin(late.archive.open())
    assert late.worker.step(), "the file is open"
    late.clock.advance(OPEN_S)
    late.clock.advance(5)
    assert opened == [None] and len(late.spares) == 1 and late.catalog.state().unreadable
    assert set(late.listed()) == {"cam"}
    late.archive.startService()
    late.pass_by()
    assert set(late.listed()) == {"cam", "far"} and late.catalog.state().refused is None


def test_events_that_wait_are_not_overwritten(late: Late) -> None:
    """A spool that can't be read is not empty."""
    file = SqliteCatalog(str(late.folder / "state" / "catalog.sqlite"), InlineWorker())
    result(file.open())
    result(file.spool.store("sink", [(1, b"{}")], 0))
    result(file.close())
    spool = late.catalog.spool
    (failure,) = late.begin(spool.open())
    assert failure.value.code == "state_not_writable"
    late.pass_by()
    assert late.read(spool.open()) == {"sink": (1, 1)}
