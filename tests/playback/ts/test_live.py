"""Live MPEG-TS: a busy worker is waited for, and nothing is left out without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.sources import Source, source_of
from flussdvr.playback.ts import live as ts_live
from flussdvr.playback.ts.live import AGAIN_S, BUSY_S, TsLive
from flussdvr.playback.ts.segments import TsSegments
from flussdvr.threads import InlineWorker, MemoryWorker
from tests.playback.recordings import Recording, Streams, T, fragments, media

SECONDS = 3


@pytest.fixture
def logged() -> Iterator[Callable[[], list[str]]]:
    with capturedLogs() as events:
        yield lambda: [formatEvent(event) for event in events if str(event["log_namespace"]).endswith("TsLive")]


class Viewer:
    """Asks for one chunk after the other."""

    def __init__(self, root: Path, worker: Any) -> None:
        self.recording = Recording(root)
        self.recording.play_live(seconds=SECONDS)
        self.clock = Clock()
        source: Source = source_of(Streams([self.recording], live=True), "ort")
        segments = TsSegments(SegmentIndex(), worker)
        assert source.window is not None
        self.lost: list[int] = []
        live = TsLive(segments, self.clock)
        self._chunks: AsyncIterator[bytes] = live.packets(source, source.window, None, self.lost.append)
        self.got: list[bytes] = []
        self.ask()

    def ask(self) -> None:
        async def one() -> bytes:
            return await anext(self._chunks)

        def received(chunk: bytes) -> None:
            self.got.append(chunk)

        self.asked: Deferred[None] = Deferred.fromCoroutine(one()).addCallback(received)


def test_a_busy_worker_is_waited_for(tmp_path: Path, logged: Callable[[], list[str]]) -> None:
    worker = MemoryWorker(limit=0)
    viewer = Viewer(tmp_path, worker)
    viewer.clock.pump([AGAIN_S] * 3)
    assert not viewer.got
    worker.limit = 1
    viewer.clock.advance(AGAIN_S)
    assert worker.step(), "it is parsed"
    worker.limit = 0  # and has to wait once more, to be muxed
    viewer.clock.advance(AGAIN_S)
    worker.limit = 1
    while not viewer.got:
        if not worker.step():
            viewer.clock.advance(AGAIN_S)
    (got,) = viewer.got
    quick = Viewer(tmp_path / "quick", InlineWorker())
    assert quick.got == [got], "the same bytes as from a worker that has time: nothing in front of it was left out"
    assert logged() == [] and viewer.lost == []


def test_what_a_busy_worker_leaves_out_is_told(tmp_path: Path, logged: Callable[[], list[str]]) -> None:
    worker = MemoryWorker(limit=0)
    viewer = Viewer(tmp_path, worker)
    there = len(viewer.recording.window.growing.fragments)
    viewer.clock.pump([AGAIN_S] * (round(BUSY_S / AGAIN_S) * there + there + 1))
    assert not viewer.got
    assert logged()[0].startswith("ort: 1 fragments are missing in a viewer's live MPEG-TS: too much work waits")
    assert viewer.lost == [1] * there


def test_what_a_slow_viewer_loses_is_told(
    tmp_path: Path, logged: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ts_live, "WAITING_BYTES", 1)
    viewer = Viewer(tmp_path, InlineWorker())
    window = viewer.recording.window
    while len(viewer.got) < SECONDS and viewer.asked.called:
        viewer.ask()
    sent = len(viewer.got)
    source = media()
    window.open(write_init(source.tracks), source.tracks)
    for fragment, _ in fragments(source, T + SECONDS * 1000, 4):
        window.append(fragment, window.begins_segment(fragment))
    viewer.ask()
    if viewer.asked.called:
        viewer.ask()
    assert len(viewer.got) > sent
    assert any("fragments are missing" in line and "reads too slowly" in line for line in logged())
    assert sum(viewer.lost) > 0
