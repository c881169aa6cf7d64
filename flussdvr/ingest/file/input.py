"""
A file played in a loop at real time: `file:///srv/media/loop.ts`, `.mp4`, `.mkv` and what else FFmpeg can open.

    thread: file -> TsDemuxer | FFmpeg's demuxer -> Loop -> paced by dts -> reactor -> sink

Nothing is decoded. A transport stream goes the way that one from the network goes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from flussdvr.config.urls import TS_SUFFIXES
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.ingest.file.container import read_container
from flussdvr.ingest.file.loop import Loop
from flussdvr.ingest.producer import Pace, ProducedInput
from flussdvr.ingest.source import InputEvent, program_of
from flussdvr.media import MediaEvent, Sample, SamplesReceived, TracksChanged

READ_SIZE = 65_536
BATCH_S = 0.08
ASTRAY_S = 2.0
"""Further off than this the wall clock was set, or the machine slept: go on from here, don't catch up."""


class FileInput(ProducedInput):
    """`file://`."""

    def produce(self, pace: Pace) -> str:
        path = path_of(self.url)
        loop = Loop()
        player = _Player(pace)
        while True:
            if not player.play(loop.play(read_file(path, program_of(self.options)))):
                return "stopped"
            if not loop.samples:
                return f"{path} has no media that we know"


def path_of(url: str) -> str:
    """The path in a `file://` URL: as it stands there if such a file exists, else with %XX decoded."""
    path = url.partition("://")[2]
    return path if os.path.exists(path) else unquote(path)


def read_file(path: str, program: int | None = None) -> Iterator[MediaEvent]:
    """What is in the file, once. Raises `OSError`, or an error of FFmpeg, which is one."""
    if path.lower().endswith(TS_SUFFIXES):
        return _read_ts(path, program)
    return read_container(path)


def _read_ts(path: str, program: int | None) -> Iterator[MediaEvent]:
    demuxer = TsDemuxer(program)
    timescales: dict[int, int] = {}
    with open(path, "rb") as file:
        while data := file.read(READ_SIZE):
            yield from _interleaved(demuxer.feed(data), timescales)
    yield from _interleaved(demuxer.flush(), timescales)


def _interleaved(events: Iterable[MediaEvent], timescales: dict[int, int]) -> Iterator[MediaEvent]:
    """A piece of a slow stream holds seconds of one track, then of the other: here they come as time goes by."""
    waiting: list[tuple[float, int, Sample]] = []
    for event in events:
        if isinstance(event, SamplesReceived):
            timescale = timescales[event.track_id]
            waiting += [(sample.dts / timescale, event.track_id, sample) for sample in event.samples]
            continue
        yield from _sorted(waiting)
        waiting = []
        if isinstance(event, TracksChanged):
            timescales.update({track.id: track.timescale for track in event.tracks})
        yield event
    yield from _sorted(waiting)


def _sorted(waiting: list[tuple[float, int, Sample]]) -> Iterator[MediaEvent]:
    for _, track_id, sample in sorted(waiting, key=lambda item: item[0]):
        yield SamplesReceived(track_id, [sample])


class _Player:
    """Hands on samples when they are due, some of each track at a time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._base: float | None = None
        self._until = 0.0
        self._others: list[InputEvent] = []
        self._samples: dict[int, list[Sample]] = {}

    def play(self, items: Iterable[MediaEvent | tuple[float, object, Sample]]) -> bool:
        """False: told to stop."""
        for item in items:
            if not isinstance(item, tuple):
                if not self._hand():
                    return False
                self._others.append(item)
                continue
            seconds, track, sample = item
            if seconds >= self._until:
                if not self._hand() or not self._wait(seconds):
                    return False
                self._until = seconds + BATCH_S
            self._samples.setdefault(track.id, []).append(sample)  # type: ignore[attr-defined]
        return self._hand()

    def _hand(self) -> bool:
        events = self._others + [SamplesReceived(*batch) for batch in self._samples.items()]
        self._others, self._samples = [], {}
        return not events or self._pace.hand(events)

    def _wait(self, seconds: float) -> bool:
        now = self._pace.now()
        if self._base is None or abs(now - self._base - seconds) > ASTRAY_S:
            self._base = now - seconds
        return self._pace.wait_until(self._base + seconds)
