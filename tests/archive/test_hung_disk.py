"""A disk that hangs: its streams wait, nobody else does."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from flussdvr.archive.archive import LOCK_S
from flussdvr.config.load import load_config
from flussdvr.control.administration import Administration
from flussdvr.control.streams import STOP_S, Streams
from tests.archive.camera import Camera
from tests.archive.store import Store, result, write


class Lab:
    """Stream `a` is recorded on a disk that a test steps by hand, `b` on one that works."""

    def __init__(self, folder: Path) -> None:
        for root in ("good", "bad"):
            (folder / root).mkdir()
        self.file = folder / "flussdvr.conf"
        self.file.write_text(
            f"http 0; state_dir {folder}/state;\n"
            f"stream a {{ input publish://; dvr {folder}/bad; }}\n"
            f"stream b {{ input publish://; dvr {folder}/good; }}\n"
        )
        self.folder = folder
        self.store = Store(folder, manual=("bad",)).open()
        self.config = load_config(str(self.file))
        self.administration = Administration(self.config, self.store.archive)
        self.streams = Streams(self.store.archive, self.store.clock, lambda: self.store.now_ms)
        self.administration.streams = self.streams
        result(self.administration.load())
        self.camera = Camera(self.store.now_ms)
        self.record(3)
        self.store.steps("bad")
        self.record(3)  # waits in the queue of the disk, which hangs from now on

    def record(self, count: int) -> None:
        for fragment in self.camera.film(count):
            write(self.store.archive.recorders["a"], self.camera, fragment)  # type: ignore[arg-type]

    def begin(self, work: Coroutine[Any, Any, Any]) -> list[Any]:
        answers: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(answers.append)
        return answers


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


INTERRUPTING = {"title": "x", "segment_duration": 4000}


def test_a_change_that_waits_for_it_ends_and_is_finished_later(lab: Lab) -> None:
    first = lab.begin(lab.administration.put_stream("a", INTERRUPTING))
    second = lab.begin(lab.administration.put_stream("b", {"title": "hello"}))
    assert not first and not second
    lab.store.clock.advance(STOP_S)
    assert first == second == [None]
    assert list(lab.streams.stuck) == ["a"] and f"{lab.folder}/bad" in lab.streams.stuck["a"].title
    assert lab.streams.entry("a") is None and lab.streams.entry("b") is not None
    assert lab.begin(lab.administration.put_stream("a", {"title": "y"})) == [None], "it is known, nobody waits again"
    assert lab.begin(lab.administration.reload(lab.config)) == [None]
    lab.store.steps("bad")
    entry = lab.streams.entry("a")
    assert entry is not None and entry.settings.title == "y" and entry.settings.segment_duration_ms == 4000
    assert entry.recorder is not None and lab.streams.stuck == {}


def test_another_place_to_record_to(lab: Lab) -> None:
    """The stream goes on; its new recorder comes when the old one is closed, and is the one wanted by then."""
    answers = lab.begin(lab.administration.put_stream("a", {"dvr": {"root": f"{lab.folder}/good"}}))
    lab.store.clock.advance(STOP_S)
    assert answers == [None] and list(lab.streams.stuck) == ["a"]
    entry = lab.streams.entry("a")
    assert entry is not None and entry.recorder is None
    (lab.folder / "other").mkdir()
    assert lab.begin(lab.administration.put_stream("a", {"dvr": {"root": f"{lab.folder}/other"}})) == [None]
    lab.store.steps("bad")
    assert lab.streams.entry("a") is entry and lab.streams.stuck == {}
    assert lab.store.archive.recorders["a"].root.path == f"{lab.folder}/other"


def test_a_stream_that_is_removed_while_it_hangs_does_not_come_back(lab: Lab) -> None:
    first = lab.begin(lab.administration.put_stream("a", INTERRUPTING))
    lab.store.clock.advance(STOP_S)
    assert first == [None]
    assert lab.begin(lab.administration.put_stream("a", {"disabled": True})) == [None]
    lab.store.steps("bad")
    assert lab.streams.entry("a") is None and "a" not in lab.store.archive.recorders and lab.streams.stuck == {}


def test_the_end_of_all_streams_comes(lab: Lab) -> None:
    stopped = lab.streams.stopService()
    lab.store.clock.advance(STOP_S)
    assert stopped.called and lab.streams.names() == ["a"]


def test_a_lock_does_not_wait_for_it(lab: Lab) -> None:
    archive = lab.store.archive.stream("a")
    assert archive is not None and archive.bounds is not None
    answers = lab.begin(lab.store.archive.lock("a", archive.bounds))
    lab.store.clock.advance(LOCK_S)
    (failure,) = answers
    assert failure.value.code == "disk_slow" and f"{lab.folder}/bad" in failure.value.title
    lab.store.steps("bad")
    assert list(result(lab.store.catalog.locks.all())["a"]) == list(archive.locks) != []
