"""The disk of the catalog hangs: nobody waits for it without end, and what must be stored is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.blob import BlobState
from flussdvr.archive.disk.root import RootWorkers
from flussdvr.archive.disk.trim import Cut
from flussdvr.config.load import load_config
from flussdvr.control.administration import Administration
from flussdvr.control.streams import Streams
from flussdvr.database.rows import LinkRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.database.thread import OPEN_S, ROW_S, STORE_S
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Dvr, Store, result, write
from tests.events.documents import documents


class Lab:
    """An archive whose catalog a test steps by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.worker = Clock(), MemoryWorker()
        self.spares: list[InlineWorker] = []
        self.events: list[dict[str, Any]] = []
        self.folder = folder
        self.catalog = SqliteCatalog(str(folder / "state" / "catalog.sqlite"), self.worker, self.clock, self.spare)
        self.archive = Archive(
            str(folder / "state"),
            self.clock,
            (str(folder / "disk"),),
            documents(self.events),
            lambda: UTC_MS + 10_000,
            self.catalog,
            lambda path: RootWorkers(InlineWorker(), InlineWorker(), InlineWorker()),
        )

    def spare(self) -> InlineWorker:
        self.spares.append(InlineWorker())
        return self.spares[-1]

    def begin(self, work: Any) -> list[Any]:
        found: list[Any] = []
        (work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)).addBoth(found.append)
        return found

    def steps(self) -> None:
        while self.worker.step():
            pass

    def open(self) -> None:
        opened = self.begin(self.archive.open())
        self.steps()
        assert opened == [None] and self.spares == []


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "disk").mkdir()
    return Lab(tmp_path)


def refused(found: list[Any]) -> bool:
    (failure,) = found
    error = failure.value
    return isinstance(error, DvrError) and error.code == "state_not_writable" and "has not answered" in error.title


def test_the_start_goes_on_with_what_the_disks_hold(lab: Lab) -> None:
    store = Store(lab.folder, now_ms=UTC_MS + 10_000).open()
    recorder = store.recorder("cam")
    store.record(recorder, Camera(), 2)
    result(recorder.close())
    result(store.archive.lock("cam", Range(UTC_MS, UTC_MS + 500)))
    store.stop()
    opened = lab.begin(lab.archive.open())
    lab.clock.advance(OPEN_S - 1)
    assert not opened
    lab.clock.advance(1)
    lab.clock.advance(3)
    assert opened == [None] and len(lab.spares) == 1
    archive = lab.archive.stream("cam")
    assert archive is not None and archive.ranges().duration_ms == 2000 and len(archive.locks) == 1
    state = lab.catalog.state()
    assert state.refused is not None and state.unreadable
    assert "catalog_failed" in [event["event"] for event in lab.events]
    assert refused(lab.begin(lab.archive.delete_range("cam", Range(0, UTC_MS + 9_000)))), "nothing is deleted by halves"
    recording = lab.archive.recorder("new", Dvr(str(lab.folder / "disk")))
    store.record(recording, Camera(), 2)
    assert (new := lab.archive.stream("new")) is not None and new.ranges().duration_ms == 2000


def test_the_disk_that_answers_after_that_changes_nothing_by_itself(lab: Lab) -> None:
    """The file is as it was, until the archive joins it (see `test_late_catalog`) or the next start reads it."""
    before = SqliteCatalog(str(lab.folder / "state" / "catalog.sqlite"), InlineWorker())
    result(before.open())
    result(before.stream_overrides.replace("cam", '{"title": "kept"}'))
    result(before.close())
    opened = lab.begin(lab.archive.open())
    lab.clock.advance(OPEN_S)
    lab.clock.advance(3)
    assert opened == [None]
    lab.steps()
    assert result(lab.catalog.stream_overrides.all()) == {} and lab.catalog.state().unreadable
    again = Lab(lab.folder)
    again.open()
    found = lab.begin(again.catalog.stream_overrides.all())
    again.steps()
    assert found == [{"cam": '{"title": "kept"}'}]


def test_what_must_be_stored_is_refused_in_time_and_never_stored(lab: Lab) -> None:
    lab.open()
    changed = [
        lab.begin(lab.catalog.stream_overrides.replace("cam", "{}")),
        lab.begin(lab.catalog.dvr_overrides.replace("main", "{}")),
        lab.begin(lab.catalog.sign_outs.add("one", 5)),
        lab.begin(lab.catalog.export_jobs.save("job", 5, "{}")),
        lab.begin(lab.catalog.deletions.add("cam", Range(1, 2), False)),
    ]
    lab.clock.advance(STORE_S)
    assert all(map(refused, changed))
    assert lab.catalog.state().refused is not None
    lab.steps()
    assert lab.catalog.state().refused is None, "it answers again"
    read = [
        lab.catalog.stream_overrides.all(),
        lab.catalog.dvr_overrides.all(),
        lab.catalog.export_jobs.all(),
        lab.catalog.deletions.all(),
    ]
    found = [lab.begin(one) for one in read]
    lab.steps()
    assert found == [[{}], [{}], [{}], [[]]]
    kept = lab.begin(lab.catalog.stream_overrides.replace("cam", "{}"))
    lab.steps()
    assert kept == [None]


def test_changes_do_not_wait_for_each_other_without_end(lab: Lab) -> None:
    """Each is refused after a time, the configuration is as before, and the server can be reloaded meanwhile."""
    lab.open()
    file = lab.folder / "flussdvr.conf"
    file.write_text(f"http 0; state_dir {lab.folder}/state;\nstream a {{ input publish://; }}\n")
    config = load_config(str(file))
    administration = Administration(config, lab.archive)
    administration.streams = Streams(lab.archive, lab.clock, lambda: UTC_MS)
    loaded = lab.begin(administration.load())
    lab.steps()
    assert loaded == [None]
    changes = [
        lab.begin(administration.put_stream("a", {"title": "x"})),
        lab.begin(administration.put_storage("main", {"root": str(lab.folder / "disk")})),
        lab.begin(administration.reload(config)),
    ]
    assert changes == [[], [], []]
    lab.clock.advance(STORE_S)
    lab.clock.advance(STORE_S)
    assert refused(changes[0]) and refused(changes[1]) and changes[2] == [None]
    assert administration.config == config and administration.patches == {} and administration.storage_patches == {}


def test_it_is_not_tried_while_it_hangs(lab: Lab) -> None:
    lab.open()
    lab.begin(lab.catalog.sign_outs.add("one", 5))
    lab.clock.advance(STORE_S)
    waiting = len(lab.worker)
    for _ in range(10):
        assert lab.begin(lab.catalog.retry()) == [False]
        assert refused(lab.begin(lab.catalog.sign_outs.add("one", 5))), "at once"
        lab.clock.advance(STORE_S)
    assert len(lab.worker) == waiting


# -- what goes on while it hangs -----------------------------------------------------------------------------------


class Running(Lab):
    """A server that records `cam` while its catalog hangs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open()
        self.camera = Camera()
        self.recorder = self.archive.recorder("cam", Dvr(str(folder / "disk")))
        self.steps()

    def record(self, count: int) -> None:
        for fragment in self.camera.film(count):
            write(self.recorder, self.camera, fragment)

    def read(self, query: str) -> list[Any]:
        """What a server that was killed now would find."""
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "catalog.sqlite")) as connection:
            return connection.execute(query).fetchall()

    def rows(self) -> list[Any]:
        return self.read("SELECT stream, begin_ms, end_ms, state FROM blob ORDER BY begin_ms")

    def listed(self) -> int:
        archive = self.archive.stream("cam")
        return archive.ranges().duration_ms if archive is not None else 0


@pytest.fixture
def running(tmp_path: Path) -> Running:
    (tmp_path / "disk").mkdir()
    return Running(tmp_path)


def test_recording_goes_on_and_the_rows_are_written_later(running: Running) -> None:
    running.record(4)
    assert running.listed() == 0, "the row is waited for"
    running.clock.advance(ROW_S)
    assert running.listed() == 4000 and running.rows() == []
    closed = []
    for _ in range(3):
        running.recorder.gap("test")
        running.record(2)
        closed.append(running.listed())
        running.clock.advance(ROW_S)
    running.clock.advance(STORE_S)
    running.recorder.gap("test")
    running.record(2)
    assert running.listed() == 12_000, "nobody waits any more"
    assert running.recorder.fragments_dropped == 0 and running.recorder.error is None and running.rows() == []
    assert (state := running.catalog.state()).refused is not None and "wait for it" in state.refused
    closing = running.begin(running.recorder.close())
    assert closing == [None], "to stop does not take longer"
    running.steps()
    assert running.catalog.state().refused is None
    rows = running.rows()
    archive = running.archive.stream("cam")
    assert archive is not None
    assert (
        rows == [("cam", blob.begin_ms, blob.end_ms, BlobState.CLOSED) for blob in archive.blobs()] and len(rows) == 5
    )


def test_a_kill_while_it_hangs_loses_nothing(running: Running) -> None:
    running.record(2)
    running.clock.advance(ROW_S)
    running.recorder.gap("test")
    running.record(3)
    running.clock.advance(ROW_S)
    assert running.listed() == 5000 and running.rows() == []
    for root in running.archive.roots.values():
        root.holds.release()  # as the system does for a process that is gone
    again = Lab(running.folder)
    again.open()
    again.steps()
    again.clock.advance(1)
    archive = again.archive.stream("cam")
    assert archive is not None and archive.ranges().duration_ms == 5000


def test_whole_recordings_are_deleted_and_parts_are_not(running: Running) -> None:
    """A disk that is full must not stop the recording; of a part, only the row says what is left."""
    running.record(2)
    running.steps()
    running.recorder.gap("test")
    running.record(4)
    running.steps()
    running.recorder.gap("test")
    running.steps()
    archive = running.archive.stream("cam")
    assert archive is not None
    first, second = archive.blobs()
    deleted = running.begin(running.archive.deletion.delete([first], "disk_full"))
    part = Range(second.begin_ms, second.begin_ms + 2000)
    cut = running.begin(running.archive.deletion.cut(archive, second, Cut((part,)), "expiration"))
    running.clock.advance(ROW_S)
    running.clock.advance(STORE_S)
    assert deleted[0].error is None and deleted[0].freed > 0 and not Path(first.path).exists()
    assert cut[0].error.code == "state_not_writable" and archive.blobs() == [second] and not second.holes
    assert len(running.rows()) == 2
    running.steps()
    assert running.rows() == [("cam", second.begin_ms, second.end_ms, BlobState.CLOSED)]
    assert second.state is BlobState.CLOSED


def test_locks_hold_at_once_and_are_written_later(running: Running) -> None:
    running.record(2)
    running.steps()
    locked = running.begin(running.archive.lock("cam", Range(UTC_MS, UTC_MS + 1000)))
    running.clock.advance(ROW_S)
    assert locked == [None]
    assert running.read("SELECT * FROM lock") == []
    running.steps()
    assert running.read("SELECT * FROM lock") == [("cam", UTC_MS, UTC_MS + 1000)]


def test_more_than_is_held_is_written_anew_from_what_is_recorded(running: Running) -> None:
    running.worker.limit = 3
    for _ in range(5):
        running.record(2)
        running.recorder.gap("test")
        running.clock.advance(STORE_S)
    assert running.recorder.fragments_dropped == 0, (running.recorder.error, running.events)
    assert running.listed() == 10_000
    running.worker.limit = 1000
    running.archive.startService()
    for _ in range(20):
        running.clock.advance(1)
        running.steps()
    assert running.catalog.state().refused is None and not running.catalog.broken
    assert len(running.rows()) == 5


def test_what_was_refused_is_undone_where_it_was_committed(running: Running) -> None:
    """`fsync` hangs in COMMIT: nobody can stop it then."""
    catalog, run = running.catalog, running.catalog.run

    def hangs_in_commit(f: Any, durable: bool = False) -> Any:
        result = run(f, durable)
        running.clock.advance(STORE_S)
        return result

    link = LinkRow("0" * 16, "cam", 1, 2, ("hls",), 3, 1, 0, None, "admin", 1)
    for work in (catalog.stream_overrides.replace("cam", '{"title": "a"}'), catalog.links.insert(link)):
        kept = running.begin(work)
        running.steps()
        assert kept == [None]
    changes: list[Callable[[], Any]] = [
        lambda: catalog.stream_overrides.replace("cam", '{"title": "b"}'),
        lambda: catalog.stream_overrides.replace("cam", None),
        lambda: catalog.dvr_overrides.replace("main", "{}"),
        lambda: catalog.deletions.add("cam", Range(1, 2), False),
        lambda: catalog.export_jobs.save("job", 5, "{}"),
        lambda: catalog.links.revoke(link.id),
        lambda: catalog.links.use(link.id, b"viewer"),
        lambda: catalog.links.insert(dataclasses.replace(link, id="1" * 16)),
    ]
    for change in changes:
        catalog.run = hangs_in_commit  # type: ignore[method-assign]
        found = running.begin(change())
        running.worker.step()
        catalog.run = run  # type: ignore[method-assign]
        assert refused(found)
        running.steps()
    reads = (
        catalog.stream_overrides.all,
        catalog.dvr_overrides.all,
        catalog.deletions.all,
        catalog.export_jobs.all,
        catalog.links.all,
    )
    asked = [running.begin(read()) for read in reads]
    running.steps()
    assert asked == [[{"cam": '{"title": "a"}'}], [{}], [[]], [{}], [[link]]]
    assert running.rows() == []
