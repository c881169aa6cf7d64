# -*- test-case-name: tests.live.test_segmenter -*-
"""
The running run of media, and the fragments that are cut from its front.

    reference  |I p p p p p p p | p p p p p ...      the next boundary: a sync sample, or a second later
    other      | a a a a a a a a|a a a ...           what is shown before it
               `-- fragment ---'

Pure; all times of media in us, unless they are a track's ticks.
"""

from __future__ import annotations

from flussdvr.formats.mp4.fmp4 import Run, write_fragment
from flussdvr.live.clock import MediaClock
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.lane import Lane
from flussdvr.media import Sample
from flussdvr.timeline import to_ms

FRAGMENT_US = 1_000_000
TOUCH = 500
"""Fragments of a track that miss each other by less than a second divided by this are made to touch."""


class Cutter:
    """The lanes of the running run, and where in its reference the next fragment ends."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        """The lanes of the running run of media; empty before it has begun."""
        self.reference: Lane | None = None
        """The one of them that decides about boundaries."""
        self._scanned = 1
        """In front of this pending sample of the reference there is no boundary."""
        self._shift = 0
        """Presentation minus decoding time of the latest sync sample, in the reference track's ticks."""
        self._sequence = 0

    def begin(self, reference: Lane, lanes: list[Lane]) -> None:
        """A run begins with what these lanes have pending."""
        self.reference, self.lanes = reference, lanes
        self._scanned = 1

    def end(self) -> None:
        """The run is over."""
        self.reference, self.lanes = None, []

    def shift_at(self, sample: Sample) -> int:
        """Presentation minus decoding time of `sample`'s GOP, where `sample` is the first of a fragment."""
        return sample.cto if sample.sync else self._shift

    def boundary(self) -> int | None:
        """Which pending sample of the reference track the next fragment begins with; `None`: it has not come."""
        if self.reference is None or not self.reference.pending:
            return None
        pending = self.reference.pending
        limit = pending[0].dts + FRAGMENT_US * self.reference.track.timescale // 1_000_000
        is_video = self.reference.track.is_video
        for index in range(self._scanned, len(pending)):
            sample = pending[index]
            if is_video and sample.sync and sample.pts <= pending[0].dts + self.shift_at(pending[0]):
                sample.sync = False  # shown before what it follows: no fragment can begin here
            if sample.dts >= limit or (is_video and sample.sync):
                self._scanned = index
                return index
        self._scanned = max(1, len(pending))
        return None

    def is_reached(self, media_us: int, silent: bool = False) -> bool:
        """Whether every other track has come so far. `silent`: one of which nothing has come is no reason to wait."""
        newest = [lane.newest_us for lane in self.lanes if lane is not self.reference]
        return all(silent if one is None else one >= media_us for one in newest)

    def last_duration(self, shown: int) -> int:
        """
        Of the picture that is shown last, in the reference's ticks: as usual, but one that comes seldom no longer
        than the sound goes on.
        """
        reference = self.reference
        assert reference is not None
        usual, timescale = reference.usual_duration, reference.track.timescale
        ends = [lane.newest_us for lane in self.lanes if lane is not reference and lane.newest_us is not None]
        if usual <= timescale or not ends:
            return usual
        return min(usual, max(timescale // 25, max(ends) * timescale // 1_000_000 - shown))

    def take(self, clock: MediaClock, count: int, end_dts: int, end_shift: int) -> LiveFragment:
        """
        One fragment, dated by `clock`: `count` samples of the reference, the others' up to the same instant.

        `end_dts` is where the reference goes on and `end_shift` what makes a time of presentation of it.
        """
        reference = self.reference
        assert reference is not None
        first = reference.pending[0]
        if first.sync:
            self._shift = first.cto
        show_us = reference.media_us(end_dts + end_shift)
        timescale = reference.track.timescale
        runs = []
        begin_ms = end_ms = 0
        for lane in self.lanes:
            if lane is reference:
                run = _take(clock, lane, count, end_dts)
            else:
                run = _take(clock, lane, lane.count_before(show_us))
            if run is None:
                continue
            runs.append(run)
            if lane is reference:
                begin_ms = to_ms(run.dts + self._shift, timescale)
                end_ms = to_ms(run.dts + sum(run.durations) + end_shift, timescale)
        self._sequence += 1
        self._scanned = 1
        head, payload = write_fragment(self._sequence, runs)
        sync = first.sync or not reference.track.is_video
        return LiveFragment(head + payload, len(head), begin_ms, end_ms, sync)


def _take(clock: MediaClock, lane: Lane, count: int, end_dts: int | None = None) -> Run | None:
    """The oldest `count` samples of a lane; the last one ends at `end_dts`, else where the next one begins."""
    if not count:
        return None
    samples = lane.take(count)
    dts = [sample.dts for sample in samples]
    if end_dts is None:
        end_dts = lane.pending[0].dts if lane.pending else dts[-1] + lane.usual_duration
    dts.append(end_dts)
    mapped = clock.ticks(dts, lane.track.timescale)
    touch = lane.mapped_next
    if touch is not None and mapped[0] - touch < lane.track.timescale // TOUCH and touch < mapped[1]:
        mapped[0] = touch
    lane.mapped_next = mapped[-1]
    durations = [after - before for before, after in zip(mapped, mapped[1:], strict=False)]
    return Run(lane.track, mapped[0], durations, samples)
