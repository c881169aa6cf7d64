# -*- test-case-name: tests.live.test_repeats -*-
"""
What was recorded last, to know it again when a source sends it once more.

A source that connects anew often begins with what it has in its buffer, and a part of that is recorded. Only the
samples themselves tell: the same bytes at the same media time. Neither is enough alone. Encoders begin at 0 whenever
they start, and a camera that looks at a wall sends the same picture again and again. Pure.
"""

from __future__ import annotations

from zlib import crc32

from flussdvr.live.lane import Lane
from flussdvr.media import Sample

__all__ = ["Repeats"]

KEPT = 512
"""The first samples of so many fragments are known: some minutes."""


class Repeats:
    """The first samples of the latest fragments, and where they lie in UTC."""

    def __init__(self) -> None:
        self._known: dict[tuple[bool, int], tuple[int, int]] = {}
        """(whether it is video, dts in us) -> (checksum of the data, offset of the media clock to UTC in us)"""

    def note(self, lane: Lane, sample: Sample, offset_us: int) -> None:
        """`sample` begins a fragment; UTC minus media time is `offset_us`."""
        key = lane.track.is_video, lane.media_us(sample.dts)
        self._known.pop(key, None)
        self._known[key] = crc32(sample.data), offset_us
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def find(self, lane: Lane) -> int | None:
        """Where what waits in `lane` has been dated before, as UTC minus media time in us; `None` if it is new."""
        for sample in lane.pending:
            known = self._known.get((lane.track.is_video, lane.media_us(sample.dts)))
            if known is not None and known[0] == crc32(sample.data):
                return known[1]
        return None
