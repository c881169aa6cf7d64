"""How long a disk will do."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.archive.forecast import Forecast, forecast, recorded_on
from flussdvr.archive.retention import DiskUsage
from tests.archive.camera import Camera
from tests.archive.store import Store, result


def test_the_rate_is_of_what_was_recorded_in_the_last_hour(tmp_path: Path) -> None:
    camera = Camera()
    store = Store(tmp_path, now_ms=camera.now_ms).open()
    recorder = store.recorder()
    store.record(recorder, camera, 120)
    result(recorder.close())
    (archive,) = store.archive.streams_of(store.root())
    bounds = archive.bounds
    assert bounds is not None
    size, rate, measured_s = recorded_on(store.root(), [archive], bounds.end_ms)
    assert size == archive.size and measured_s == bounds.duration_ms / 1000
    blobs = sum(blob.size for blob in archive.blobs())
    assert abs(rate - blobs / measured_s) < 1
    assert recorded_on(store.root(), [archive], bounds.end_ms + 7_200_000) == (archive.size, 0.0, 0.0)
    assert recorded_on("/elsewhere", [archive], bounds.end_ms) == (0, 0.0, 0.0)
    found = result(forecast(store.archive.root(store.root()), [archive], bounds.end_ms, Clock()))
    assert found is not None and found.rate == rate and found.usage.total > found.usage.free > 0


def test_what_follows_from_it() -> None:
    found = Forecast(DiskUsage(1000, 300), 600, 2.0, 60)
    assert found.full_s == 150 and found.depth_s == 450
    still = Forecast(DiskUsage(1000, 300), 600, 0.0, 0)
    assert still.full_s is None and still.depth_s is None


def test_a_disk_that_hangs_has_no_figures(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",)).open()
    root, clock = store.archive.root(store.root()), Clock()
    asked = Deferred.fromCoroutine(forecast(root, [], 0, clock))
    answers: list[Forecast | None] = []
    asked.addCallback(answers.append)
    assert not answers
    clock.advance(3)
    assert answers == [None]
