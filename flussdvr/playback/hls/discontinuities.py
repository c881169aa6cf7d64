# -*- test-case-name: tests.playback.hls.test_discontinuities -*-
"""
Numbers for `EXT-X-DISCONTINUITY-SEQUENCE` of playlists that slide over the archive.

    blobs      [  | ][   ]   gap   [    ][   ]  gap  [ ]
    number       7    7              8    8           9        of its last discontinuity, the one in front included

RFC 8216 section 6.2.2 wants the number to grow by exactly one for each discontinuity whose tag leaves a playlist. The
recorder counts them into its blobs, so a restart or the expiry of older blobs changes nothing. Those of recordings
that were made before it did, and those that deletions leave inside a blob, are counted here; such a number is kept
while the process runs, and never becomes less.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flussdvr.playback.hls.playlist import Piece
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive

TOLERANCE_MS = 100
KEPT = 20_000
"""Blobs of a stream whose number is remembered: two years of hours."""


@dataclass(slots=True)
class _Numbers:
    """
    Of one stream. `begins`: number up to the beginning of each blob, by `begin_ms`, and whether a discontinuity is
    there; `last`: number at the end of the newest; `trims`: the archive's when they were counted.
    """

    begins: OrderedDict[int, tuple[int, bool]] = field(default_factory=OrderedDict)
    last: int = 0
    end_ms: int = 0
    trims: int = 0


class Discontinuities:
    """In the reactor thread."""

    def __init__(self) -> None:
        self._streams: dict[str, _Numbers] = {}

    def before(self, source: Source, piece: Piece) -> tuple[int, bool]:
        """
        How many discontinuities lie before `piece`, the first of a playlist, and whether there is one more just in
        front of it.
        """
        inside = sum(1 for index in piece.block.breaks if index <= piece.first)
        number, apart = self._begin(source, int(piece.block.begin_ms[0]), piece.block.continuous)
        if inside:
            apart = piece.first in piece.block.breaks
        elif piece.first:
            apart = False
        return number + inside - apart, apart

    def _begin(self, source: Source, begin_ms: int, continuous: bool) -> tuple[int, bool]:
        """Up to the beginning of the block that begins at `begin_ms`."""
        if source.archive is None:
            return _in_window(source, begin_ms)
        numbers = self._streams.setdefault(source.name, _Numbers())
        self._count(source.archive, numbers)
        known = numbers.begins.get(begin_ms)
        if known is not None:
            return known
        for key, (number, _) in reversed(numbers.begins.items()):
            if key <= begin_ms:  # only in RAM as yet, or dated a little differently
                newest = key == next(reversed(numbers.begins))
                return (max(number, numbers.last) if newest else number) + (not continuous), not continuous
        return max(0, next(iter(numbers.begins.values()), (0, False))[0] - 1), False

    def _count(self, archive: StreamArchive, numbers: _Numbers) -> None:
        """Blobs that are new, or all again after parts of some were deleted."""
        if numbers.trims != archive.trims:
            numbers.trims = archive.trims
            before, numbers.begins = numbers.begins, OrderedDict()
            numbers.last = numbers.end_ms = 0
        else:
            before = OrderedDict()
        newest = next(reversed(numbers.begins), -1)
        for blob in archive.blobs(Range(max(0, newest), 1 << 62)):
            if blob.begin_ms > newest:
                self._add(numbers, blob, before.get(blob.begin_ms, (0, False))[0])
            elif blob.begin_ms == newest:
                numbers.end_ms = blob.end_ms

    def _add(self, numbers: _Numbers, blob: Blob, least: int) -> None:
        holed = bool(blob.holes) and blob.holes[0].begin_ms <= blob.begin_ms
        away = abs(blob.begin_ms - numbers.end_ms) > TOLERANCE_MS
        apart = blob.after is not None or holed or (bool(numbers.begins) and away)
        number = max(numbers.last + apart if numbers.begins else int(apart), blob.discontinuity, least)
        numbers.begins[blob.begin_ms] = number, apart
        numbers.last = number + len(blob.holes) - holed
        numbers.end_ms = blob.end_ms
        while len(numbers.begins) > KEPT:
            numbers.begins.popitem(last=False)


def _in_window(source: Source, begin_ms: int) -> tuple[int, bool]:
    """The numbers of a stream that is not recorded, as its live list has them."""
    window = source.window
    number, apart = (window.discontinuity_sequence if window is not None else 0), False
    for segment in window.segments if window is not None else ():
        if segment.begin_ms > begin_ms:
            break
        number += segment.discontinuity
        apart = segment.discontinuity and segment.begin_ms == begin_ms
    return number, apart
