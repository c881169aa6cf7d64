"""
A running stream: what its inputs deliver becomes fragments, which go to the live window and to the archive.

    ingest -> Stream -> Segmenter -> fragment -+-> Recorder (if it has a dvr)
                                               +-> LiveWindow -> playlists, endless MPEG-TS
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.logger import Logger, LogLevel

from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.streams import SourceLost, SourceReady
from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.live.window import LiveWindow
from flussdvr.logs.repeated import Repeated
from flussdvr.media import LeftOut, PictureTrouble, Sample, Track
from flussdvr.process.rate import Rate

KEPT = 3
"""Segments that a stream which is not recorded keeps beyond its playlist."""
STATED_MS = 60_000
"""A source that states another UTC than ours by more than this is not believed."""
ALIVE_MS = 12_000
"""A stream whose newest fragment is older than this is not alive (docs/compatibility.md, `ts_delay`)."""


class Recorder(Protocol):
    """What the stream needs of the archive."""

    def opens_blob(self, fragment: LiveFragment, init: bytes, segment_ms: int) -> bool: ...

    def write(self, fragment: LiveFragment, init: bytes, segment_ms: int, sequence: int) -> None: ...

    def gap(self, reason: str) -> None: ...


class Stream:
    """
    One stream while it runs; the sink of its inputs.

    `utc_ms` is the wall clock. `recorder` is `None` for a stream that is not recorded. `floor_ms` is the end of what
    is already recorded: nothing is dated before it.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        segment_ms: int,
        segment_count: int,
        recorder: Recorder | None,
        utc_ms: Callable[[], int],
        floor_ms: int = 0,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self.name = name
        self.window = LiveWindow(segment_ms, segment_count)
        self.recorder = recorder
        self.opened_at_ms = utc_ms()
        self.bytes_in = 0
        self.losses = Rate()
        """Packets that did not arrive."""
        self.last_fragment_ms: int | None = None
        self._left_out: tuple[LeftOut, ...] = ()
        self._further: tuple[LeftOut, ...] = ()
        """Videos of the source beyond the first."""
        self._utc_ms = utc_ms
        self.floor_ms: Callable[[], int] = lambda: floor_ms
        """The end of what is recorded."""
        self._gaps = Repeated(self.log)
        self._flowing = False
        self._disbelieved = False
        self._on_event = on_event
        self._end_ms = 0
        self.segmenter = self._make_segmenter()

    def _make_segmenter(self) -> Segmenter:
        return Segmenter(self._open, self._append, self._gap, lambda: self.floor_ms())

    @property
    def recorder(self) -> Recorder | None:
        """Who records the stream; may be exchanged while it runs."""
        return self._recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self.window.kept = 0 if recorder is not None else KEPT

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the source has and that is not recorded, or was not within the last minute."""
        return self._left_out + self._further + self.segmenter.left_out(self._utc_ms() * 1000)

    # -- the sink of the inputs -------------------------------------------------------------------------------

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        before = self.segmenter.left_out(self._utc_ms() * 1000)
        self.segmenter.tracks_received(tracks)
        self._tell_left_out(before)
        further, self._further = self._further, _further_videos(tracks)
        for one in self._further:
            if one not in further:
                self.log.warn("{stream}: {left_out}", stream=self.name, left_out=str(one))

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.segmenter.samples_received(track_id, samples, self._utc_ms())

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        if abs(utc_ms - self._utc_ms()) <= STATED_MS:
            self.segmenter.utc_received(utc_ms, dts, timescale)
        elif not self._disbelieved:
            self._disbelieved = True
            self.log.warn("{stream}: its source says {utc} ms UTC, which is not believed", stream=self.name, utc=utc_ms)

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        self._left_out = tuple(left_out)

    def _tell_left_out(self, before: tuple[LeftOut, ...]) -> None:
        """Log what of the source was not recorded, once."""
        for one in self.segmenter.left_out(self._utc_ms() * 1000):
            if one not in before:
                self.log.warn("{stream}: {left_out}", stream=self.name, left_out=str(one))

    def data_lost(self, reason: str, count: int) -> None:
        if not isinstance(reason, PictureTrouble):
            self.losses.add(count)

    def clock_stepped(self, shift_ms: int) -> None:
        """The server's clock is later by this from now on."""
        self.segmenter.clock_stepped(shift_ms * 1000)
        if self.last_fragment_ms is not None:
            self.last_fragment_ms += shift_ms
        self.opened_at_ms += shift_ms

    def source_lost(self, reason: str) -> None:
        self._left_out = self._further = ()
        try:
            before = self.segmenter.left_out(self._utc_ms() * 1000)
            self.segmenter.lost(reason)
            self._tell_left_out(before)
        except Exception:  # what it holds made it fail, and would again: the source begins anew without it
            self.log.failure("{stream}: what was left of its source is lost", stream=self.name)
            floor_ms, end_ms = self.floor_ms, self._end_ms
            self.floor_ms = lambda: max(floor_ms(), end_ms)
            self.segmenter = self._make_segmenter()
            self._gap(reason)

    # -- what playback and the API ask ------------------------------------------------------------------------

    @property
    def tracks(self) -> tuple[Track, ...]:
        return self.window.tracks

    @property
    def alive(self) -> bool:
        return self.last_fragment_ms is not None and self._utc_ms() - self.last_fragment_ms < ALIVE_MS

    # -- the segmenter's findings -----------------------------------------------------------------------------

    def _open(self, tracks: tuple[Track, ...]) -> None:
        init = write_init(tracks)
        if init != self.window.init:
            self.log.info("{stream} has tracks {tracks}", stream=self.name, tracks=[str(t.codec) for t in tracks])
        self.window.open(init, tracks)

    def _append(self, fragment: LiveFragment) -> None:
        window = self.window
        begins = window.begins_segment(fragment)
        if self.recorder is not None:
            begins = begins or self.recorder.opens_blob(fragment, window.init, window.segment_ms)
            growing = window.growing
            sequence = window.next_sequence(fragment) if begins or growing is None else growing.sequence
            self.recorder.write(fragment, window.init, window.segment_ms, sequence)
        window.append(fragment, begins)
        self.bytes_in += len(fragment.data)
        self.last_fragment_ms = self._utc_ms()
        self._end_ms = fragment.end_ms
        if not self._flowing:
            self._flowing = True
            self._gaps.over("{stream} goes on after a gap", stream=self.name)
            self._on_event(SourceReady(media=self.name, begin_ms=fragment.begin_ms))

    def _gap(self, reason: str) -> None:
        if self.recorder is not None:
            self.recorder.gap(reason)
        self.window.gap(reason)
        self._gaps.emit(LogLevel.info, reason, "{stream} has a gap: {reason}", stream=self.name, reason=reason)
        if self._flowing:
            self._flowing = False
            self._on_event(SourceLost(media=self.name, reason=reason))


def _further_videos(tracks: Sequence[Track]) -> tuple[LeftOut, ...]:
    """A fragment is cut by one video's sync samples: the segmenter takes the first."""
    return tuple(
        LeftOut(f"{track.codec} {track.width}x{track.height} (track {track.id})", "only the first video of a source is")
        for track in [track for track in tracks if track.is_video][1:]
    )
