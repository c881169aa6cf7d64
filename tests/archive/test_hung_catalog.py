"""The disk of the catalog hangs: nobody waits for it without end, and what must be stored is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from camera import UTC_MS, Camera
from store import Dvr, Store, result
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.administration import Administration
from flussdvr.archive.archive import Archive
from flussdvr.archive.catalog import OPEN_S, STORE_S, SqliteCatalog
from flussdvr.archive.root import RootWorkers
from flussdvr.config.load import load_config
from flussdvr.errors import DvrError
from flussdvr.streams import Streams
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import Range


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
            self.events.append,
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


def test_the_disk_that_answers_after_that_changes_nothing(lab: Lab) -> None:
    """The file is as it was, and is read by the next start."""
    before = SqliteCatalog(str(lab.folder / "state" / "catalog.sqlite"), InlineWorker())
    result(before.open())
    result(before.replace_override("cam", '{"title": "kept"}'))
    result(before.close())
    opened = lab.begin(lab.archive.open())
    lab.clock.advance(OPEN_S)
    lab.clock.advance(3)
    assert opened == [None]
    lab.steps()
    assert result(lab.catalog.overrides()) == {} and lab.catalog.state().unreadable
    again = Lab(lab.folder)
    again.open()
    found = lab.begin(again.catalog.overrides())
    again.steps()
    assert found == [{"cam": '{"title": "kept"}'}]


def test_what_must_be_stored_is_refused_in_time_and_never_stored(lab: Lab) -> None:
    lab.open()
    changed = [
        lab.begin(lab.catalog.replace_override("cam", "{}")),
        lab.begin(lab.catalog.replace_dvr_override("main", "{}")),
        lab.begin(lab.catalog.sign_out("one", 5)),
        lab.begin(lab.catalog.save_export_job("job", 5, "{}")),
        lab.begin(lab.catalog.add_deletion("cam", Range(1, 2), False)),
    ]
    lab.clock.advance(STORE_S)
    assert all(map(refused, changed))
    assert lab.catalog.state().refused is not None
    lab.steps()
    assert lab.catalog.state().refused is None, "it answers again"
    read = [lab.catalog.overrides(), lab.catalog.dvr_overrides(), lab.catalog.export_jobs(), lab.catalog.deletions()]
    found = [lab.begin(one) for one in read]
    lab.steps()
    assert found == [[{}], [{}], [{}], [[]]]
    kept = lab.begin(lab.catalog.replace_override("cam", "{}"))
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
    lab.begin(lab.catalog.sign_out("one", 5))
    lab.clock.advance(STORE_S)
    waiting = len(lab.worker)
    for _ in range(10):
        assert lab.begin(lab.catalog.retry()) == [False]
        assert not lab.begin(lab.catalog.sign_out("one", 5))
        lab.clock.advance(STORE_S)
    assert len(lab.worker) == waiting + 10, "the requests, and nothing that waits for them"
