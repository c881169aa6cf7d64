from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.config.model import ThumbnailSettings
from flussdvr.playback.pictures import snapshot
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.snapshot import SnapshotPoller
from flussdvr.playback.pictures.thumbnailer import Thumbnailer
from flussdvr.playback.pictures.thumbnails import Thumbnails, default_box
from flussdvr.threads import InlineWorker
from tests.playback.camera_stamps import Recording, T, lay_down, shoot
from tests.playback.thumbs import root_of


class House:
    """Streams that a test starts, changes and stops."""

    def __init__(self, folder: Path) -> None:
        self.recording = Recording(folder)
        lay_down(self.recording, shoot("h264", T // 1000, 11))
        root = root_of(self.recording)
        self.running: dict[str, Any] = {}
        self.clock = Clock()
        self.service = Thumbnails(self, lambda path: root, InlineWorker(), self.clock, lambda: T)
        self.service.startService()

    def run(self, name: str, thumbnails: ThumbnailSettings | None, recorder: object = "recorder") -> None:
        self.running[name] = SimpleNamespace(
            settings=SimpleNamespace(thumbnails=thumbnails),
            stream=SimpleNamespace(window=self.recording.window),
            recorder=recorder,
        )
        self.clock.advance(1)

    def names(self) -> list[str]:
        return list(self.running)

    def entry(self, name: str) -> Any:
        return self.running.get(name)

    def archive(self, name: str) -> Any:
        return self.recording.archive


def test_whoever_is_recorded_with_thumbnails_has_one_who_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "fetch_jpeg", lambda url, reactor: Deferred())
    house = House(tmp_path)
    house.run("a", ThumbnailSettings())
    house.run("b", ThumbnailSettings("ondemand"))
    house.run("c", None)
    house.run("d", ThumbnailSettings(url="http://cam/snap.jpg"))
    house.run("e", ThumbnailSettings(), recorder=None)
    assert {name: type(taker) for name, taker in house.service.takers.items()} == {
        "a": Thumbnailer,
        "d": SnapshotPoller,
    }
    before = house.service.takers["a"]
    house.clock.advance(1)
    assert house.service.takers["a"] is before
    house.running["a"].settings = SimpleNamespace(thumbnails=ThumbnailSettings(sizes=((160, 90),)))
    house.clock.advance(1)
    assert house.service.takers["a"] is not before
    house.run("e", ThumbnailSettings(), recorder="now it is")
    del house.running["a"]
    house.clock.advance(1)
    assert sorted(house.service.takers) == ["d", "e"]
    done: list[object] = []
    house.service.stopService().addCallback(done.append)
    assert done and not house.service.takers
    assert not house.clock.getDelayedCalls()


def test_default_sizes() -> None:
    assert default_box(ThumbnailSettings(sizes=((160, 90), (640, 360)))) == Box(160, 90)
    assert default_box(ThumbnailSettings()).fit(1920, 1080) == (320, 180)
    assert default_box(None).width == 320
