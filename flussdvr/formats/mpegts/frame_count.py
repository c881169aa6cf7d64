# -*- test-case-name: tests.formats.mpegts.test_frame_count -*-
"""
Times of audio frames: counted, and corrected by what PES packets state.

    counted   0   1024   2048   3072        exact durations, whatever 90 kHz or milliseconds make of them
    stated    0                 3070        differs by less than `TOLERANCE`: the count goes on

A statement that differs from the count by more than `DOUBT` waits for the next one, with the frames that follow it:
one that the next PES does not confirm was damaged, and its frames are put in front of those of the next. The first
statement of all waits, too, as does the first one behind lost packets.

ISO/IEC 13818-1 §2.4.3.7 (PTS). Pure.
"""

from __future__ import annotations

from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.media import Sample

TOLERANCE = 100
"""Ticks of 90 kHz by which a PTS may differ from the counted frames: a bit more than sources that think in ms need."""
DOUBT = TICKS // 50
"""Ticks: a larger correction waits for the next PES. Jitter of muxers stays below it."""
HELD_S = 3
"""Frames for so long without another PTS: what was stated is believed."""


class FrameCount:
    """Of one track; a new one when its configuration changes."""

    def __init__(self) -> None:
        self._rate = 0
        self._next: int | None = None
        """When the next frame begins, in samples."""
        self._lost = False
        self._counted: int | None = None
        """Where the count was when something else was stated; the frames since then are held."""
        self._stated: int | None = None
        """What was stated then; `None`: nothing is held."""
        self._held: list[Sample] = []
        self._first: list[Sample] = []
        """The frames of the first PES of all, where the second one contradicts it: the third one decides."""

    def at_rate(self, old: int, new: int) -> FrameCount:
        """The count of the frames that follow, whose rate is another: they go on in time."""
        count = FrameCount()
        if self._next is not None and not self._lost:
            count._next = (self._next * new + old // 2) // old
        return count

    def lost(self) -> None:
        """Frames are missing: the next statement is not to be compared with the count."""
        self._lost = True

    def flush(self) -> list[Sample]:
        """What is held, as it was stated; no more comes that could confirm it. Behind the count where there is one."""
        if self._held and self._counted is not None and self._stated is not None and not self._lost:
            _move(self._held, self._counted - self._stated)
        return self._believe()

    def frame(self, data: bytes, duration: int) -> list[Sample]:
        """A frame of `duration` samples follows; what is settled. Frames in front of the first PTS have no time."""
        if self._next is None or (self._lost and self._stated is None):
            return []
        sample = Sample(self._next, data)
        self._next += duration
        if not data:
            return []
        if self._stated is None:
            return [sample]
        self._held.append(sample)
        if self._next - self._stated > HELD_S * self._rate:
            return self._believe()
        return []

    def stated(self, pts: int | None, rate: int) -> list[Sample]:
        """The next frame begins at `pts` (90 kHz, endless), where that is said; what is settled by it."""
        if pts is None:
            return []
        self._rate = rate
        at = (pts * rate + TICKS // 2) // TICKS
        if self._stated is not None:
            return self._compare(at, pts)
        if self._next is not None and not self._lost and abs(at - self._next) * TICKS <= DOUBT * rate:
            self._correct(at, pts)
            return []
        self._doubt(at)
        return []

    def _correct(self, at: int, pts: int) -> None:
        assert self._next is not None
        if abs(self._next * TICKS - pts * self._rate) > TOLERANCE * self._rate:
            self._next = at

    def _doubt(self, at: int) -> None:
        self._counted, self._stated, self._next = self._next, at, at
        self._lost = False

    def _compare(self, at: int, pts: int) -> list[Sample]:
        """Another PTS, while one is in doubt."""
        assert self._next is not None and self._stated is not None
        near = DOUBT * self._rate // TICKS
        counted, stated, length = self._counted, self._stated, self._next - self._stated
        if self._lost:
            held = self._believe()
            self._doubt(at)
            return held
        if abs(at - self._next) <= near:
            if counted is not None:
                _move(self._first, stated - counted)
            self._correct(at, pts)
            return self._believe()
        if counted is None:
            self._first, self._held = self._held, []
            self._doubt(at)
            return []
        begin = max(at - length, min(counted, at))
        if counted <= begin <= counted + HELD_S * self._rate:
            _move(self._held, begin - stated)
        held = self._believe()
        if abs(at - counted - length) <= near:
            self._next = at
        else:
            self._next = counted + length
            self._doubt(at)
        return held

    def _believe(self) -> list[Sample]:
        held = self._first + self._held
        self._first, self._held, self._stated = [], [], None
        return held


def _move(samples: list[Sample], by: int) -> None:
    for sample in samples:
        sample.dts += by
