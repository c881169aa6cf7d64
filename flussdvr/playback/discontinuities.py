"""
Numbers for `EXT-X-DISCONTINUITY-SEQUENCE` of playlists that slide over the archive.

    blobs      [  | ][   ]   gap   [    ][   ]  gap  [ ]
    number       0    0              1    1           2

RFC 8216 §6.2.2 wants the number to grow by exactly one for each discontinuity that leaves a playlist; so blobs are
numbered once, in order, and keep their numbers while older ones expire. Counted per process: after a restart every
viewer's session begins anew.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from flussdvr.playback.playlist import Piece
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.blob import Blob

TOLERANCE_MS = 100
KEPT = 20_000
"""Blobs of a stream whose number is remembered: two years of hours."""


class Discontinuities:
    def __init__(self) -> None:
        self._numbers: dict[str, OrderedDict[int, int]] = {}
        self._ends: dict[str, int] = {}

    def before(self, source: Source, piece: Piece) -> int:
        """How many discontinuities lie before `piece`, the first of a playlist."""
        numbers = self._numbers.setdefault(source.name, OrderedDict())
        if source.archive is not None:
            newest = next(reversed(numbers), 0)
            for blob in source.archive.blobs(Range(newest, 1 << 62)):
                self._number(source.name, numbers, blob)
        begin_ms = int(piece.block.begin_ms[0])
        number = numbers.get(begin_ms)
        if number is None:  # only in RAM as yet, or dated a little differently
            number = next((value for key, value in reversed(numbers.items()) if key <= begin_ms), 0)
        return number + sum(1 for index in piece.block.breaks if index <= piece.first)

    def _number(self, name: str, numbers: OrderedDict[int, int], blob: Blob) -> None:
        if blob.begin_ms not in numbers:
            previous = next(reversed(numbers.values()), 0)
            apart = bool(numbers) and (blob.after is not None or abs(blob.begin_ms - self._ends[name]) > TOLERANCE_MS)
            numbers[blob.begin_ms] = previous + apart
            while len(numbers) > KEPT:
                numbers.popitem(last=False)
        self._ends[name] = blob.end_ms
