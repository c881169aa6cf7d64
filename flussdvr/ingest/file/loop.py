"""
A recording played again and again: one endless source out of finite passes.

    pass 1 |v v v v v v|          times as recorded, moved so that the first sample is at `ORIGIN_S`
           |a a a a a a a|
    pass 2             |v v v v v v|         begins where the reference track of pass 1 ended
                         |a a a a a a a|     samples that would lie before one already played are left out

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from flussdvr.media import DataLost, MediaEvent, Sample, SamplesReceived, Track, TracksChanged, TracksLeftOut

ORIGIN_S = 10
"""So that a track which begins a little before the first sample has no negative times."""
SHORTEST_PASS_S = Fraction(1, 25)


class Loop:
    """Times for pass after pass; `offset_s` is what the current pass is moved by."""

    def __init__(self) -> None:
        self.tracks: tuple[Track, ...] = ()
        self.offset_s: Fraction | None = None
        self.samples = 0
        self._played: dict[int, int] = {}
        self._seen: list[int] = []

    def play(self, events: Iterable[MediaEvent]) -> Iterator[MediaEvent | tuple[float, Track, Sample]]:
        """One pass: changes and losses as they are, samples one by one as (seconds, track, moved sample)."""
        current: dict[int, Track] = {}
        self._seen = []
        self.samples = 0
        for event in events:
            if isinstance(event, SamplesReceived):
                if (track := current.get(event.track_id)) is not None:
                    self.samples += len(event.samples)
                    for sample in event.samples:
                        yield from self._moved(track, sample)
            elif isinstance(event, TracksChanged):
                current = {track.id: track for track in event.tracks}
                if event.tracks != self.tracks:
                    self.tracks = event.tracks
                    yield event
            elif isinstance(event, (DataLost, TracksLeftOut)):
                yield event
        self._end()

    def _moved(self, track: Track, sample: Sample) -> Iterator[tuple[float, Track, Sample]]:
        if self.offset_s is None:
            self.offset_s = ORIGIN_S - Fraction(sample.dts, track.timescale)
        if track.id == self._reference.id:
            self._seen.append(sample.dts)
        dts = sample.dts + round(self.offset_s * track.timescale)
        if dts > self._played.get(track.id, -1):
            self._played[track.id] = dts
            yield dts / track.timescale, track, Sample(dts, sample.data, sample.sync, sample.cto)

    @property
    def _reference(self) -> Track:
        return next((track for track in self.tracks if track.is_video), self.tracks[0])

    def _end(self) -> None:
        """The next pass begins when the reference track's last sample is over."""
        seen = sorted(self._seen)
        if self.offset_s is None or not seen:
            return
        span = seen[-1] - seen[0]
        last = Fraction(span, len(seen) - 1) if span else Fraction(0)
        length = (span + round(last)) / Fraction(self._reference.timescale)
        self.offset_s += max(length, SHORTEST_PASS_S)
