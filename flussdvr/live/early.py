# -*- test-case-name: tests.live.test_early -*-
"""
What comes behind a change of tracks while it is not known yet where in UTC the beginning lies.

    burst     V V V V A A A | other tracks  V V V A A A ...      all of it within a second
              `- pending -' `-- held here until the burst is over --

A burst is dated back by how much of it there is, so its end has to be known before its beginning is dated. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flussdvr.media import Sample, Track

NEAR_US = 60_000_000
"""Samples further from those before than this say nothing of how long the burst is."""
EVENT_BYTES = 2000
"""What an event counts beside its samples' bytes: none is free."""


@dataclass(frozen=True, slots=True)
class HeldSamples:
    """Samples of one track, and when they came."""

    track_id: int
    samples: Sequence[Sample]
    now_ms: int


class Early:
    """Tracks and samples in the order in which they came. `bytes`: how much memory that is, about."""

    def __init__(self) -> None:
        self.bytes = 0
        self.over = False
        """The burst is over: nothing is held any more."""
        self.newest_us: int | None = None
        """The latest presentation time of what is held, in media time."""
        self._events: list[HeldSamples | tuple[Track, ...]] = []
        self._timescales: dict[int, int] = {}

    @property
    def holds(self) -> bool:
        return bool(self._events)

    def hold_tracks(self, tracks: Sequence[Track]) -> None:
        """A set that brings nothing before the next one takes its place."""
        if self._events and not isinstance(self._events[-1], HeldSamples):
            self._events.pop()
            self.bytes -= EVENT_BYTES
        self._events.append(tuple(tracks))
        self.bytes += EVENT_BYTES
        self._timescales = {track.id: track.timescale for track in tracks}

    def hold_samples(self, track_id: int, samples: Sequence[Sample], now_ms: int) -> None:
        self._events.append(HeldSamples(track_id, samples, now_ms))
        self.bytes += EVENT_BYTES + sum(len(sample.data) for sample in samples)
        timescale = self._timescales.get(track_id)
        if timescale is None:
            return
        for sample in samples:
            shown_us = sample.pts * 1_000_000 // timescale
            if self.newest_us is None or self.newest_us < shown_us < self.newest_us + NEAR_US:
                self.newest_us = shown_us

    def stepped(self, shift_us: int) -> None:
        """UTC has stepped: what came before came at another time of the clock that holds now."""
        for index, event in enumerate(self._events):
            if isinstance(event, HeldSamples):
                self._events[index] = replace(event, now_ms=event.now_ms + shift_us // 1000)

    def take(self) -> list[HeldSamples | tuple[Track, ...]]:
        """All of it; nothing is held from now on, until another run begins."""
        self.over = True
        events, self._events = self._events, []
        self.bytes, self.newest_us = 0, None
        return events
