# -*- test-case-name: tests.live.test_segmenter -*-
"""
Tracks whose times have jumped, waiting for the others.

    video   1 2 3 4 | 91 92 93 94        what a track brings from its jump on waits here
    audio   1 2 3 4 5 6 7 | 91 92        ... until the others have jumped, or have had the time to

Multiplexers interleave loosely: what the others still bring belongs to the run that ends. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flussdvr.live.lane import Lane
from flussdvr.media import Sample

FOLLOW_US = 3_000_000
"""A track that has jumped waits no longer than this for the others."""


class Jumped:
    """By the source's track id: from its jump on, what each track that has jumped has brought."""

    def __init__(self) -> None:
        self.bytes = 0
        self.at_us = 0
        """When the first of them jumped."""
        self._samples: dict[int, list[Sample]] = {}

    def __contains__(self, track_id: int) -> bool:
        return track_id in self._samples

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, track_id: int, samples: Sequence[Sample], now_us: int) -> None:
        if not self._samples:
            self.at_us = now_us
        self._samples.setdefault(track_id, []).extend(samples)
        self.bytes += sum(len(sample.data) for sample in samples)

    def is_complete(self, lanes: Mapping[int, Lane], now_us: int) -> bool:
        """Whether every track that brings anything has jumped, or has had the time to."""
        if all(key in self._samples or lane.newest_us is None for key, lane in lanes.items()):
            return True
        if now_us - self.at_us > FOLLOW_US:
            return True
        return any(
            abs(samples[-1].dts - samples[0].dts) > FOLLOW_US * lanes[key].track.timescale // 1_000_000
            for key, samples in self._samples.items()
        )

    def take(self) -> dict[int, list[Sample]]:
        """All of it, in the order of the jumps."""
        taken, self._samples, self.bytes = self._samples, {}, 0
        return taken

    def rename(self, ids: Mapping[int, int]) -> None:
        """The source's tracks have other ids."""
        self._samples = {ids[key]: samples for key, samples in self._samples.items()}

    def keep(self, lanes: Mapping[int, Lane]) -> None:
        """Forget tracks that are no more."""
        self._samples = {key: samples for key, samples in self._samples.items() if key in lanes}
        self.bytes = sum(len(sample.data) for samples in self._samples.values() for sample in samples)
