# -*- test-case-name: tests.playback.test_cursor -*-
"""
From segment to segment, and only forward.

    archive   [ 1 | 2 | 3 ]   gap   [ 4 | 5 | (open) ]
    RAM                                     [ 5 | 6 | 7 ]
    next()      1   2   3             4   5       6   7   None

Whoever plays, measures or exports what comes after a position asks a cursor. It never gives the same segment twice and
never one from before the last, however short, empty or overlapping the segments are; so a loop over it ends with the
recordings, and one that waits for new ones gets only those.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.playback.fragments import SegmentIndex, Span, segment_span, span_of
from flussdvr.playback.sources import Source

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.formats.mp4.fragment_table import FragmentTable, Segments

GAP_MS = 200
"""Segments further apart than this do not continue each other; one that begins this much too early still does."""


class Cursor:
    """
    Gives the complete segments of `source` from `position_ms` on, those of the archive before those only in RAM.

    `inside`: the first one may have begun before `position_ms`, if it ends after it. `position_ms`: up to where the
    segments given so far reach; it never goes back. Only in the reactor thread; the tables in the spans do not grow,
    so they may go to a worker.
    """

    def __init__(self, index: SegmentIndex, source: Source, position_ms: int, inside: bool = False) -> None:
        self.position_ms = position_ms
        self._index = index
        self._source = source
        self._inside = inside
        self._last: tuple[int, int] | None = None
        self._blob: tuple[Blob, int, FragmentTable, Segments] | None = None

    async def next(self) -> Span | None:
        """
        The first segment that comes after the last one; `None` if there is none, as yet.

        Of two in a row the second has the later (begin_ms, end_ms), and reaches beyond `position_ms` or begins there.
        Raises `DvrError` CORRUPT, UNAVAILABLE.
        """
        return await self._archived() or self._live()

    def _passed(self, begin_ms: int, end_ms: int) -> None:
        self._last = begin_ms, end_ms
        self.position_ms = max(self.position_ms, end_ms)
        self._inside = False

    def _follows(self, begin_ms: int, end_ms: int) -> bool:
        if self._inside:
            return end_ms > self.position_ms
        if self._last is not None and (begin_ms, end_ms) <= self._last:
            return False
        return begin_ms >= self.position_ms - GAP_MS and (begin_ms >= self.position_ms or end_ms > self.position_ms)

    async def _archived(self) -> Span | None:
        archive = self._source.archive
        if archive is None:
            return None
        for blob in archive.onward(self.position_ms - GAP_MS):
            try:
                table, segments = await self._open(blob)
            except DvrError as error:
                if error.kind is Kind.NOT_FOUND:
                    continue  # it has expired meanwhile
                raise
            span = self._first(blob, table, segments)
            if span is not None:
                return span
        return None

    async def _open(self, blob: Blob) -> tuple[FragmentTable, Segments]:
        """The blob's table and segments; those of a closed one are kept while the cursor is in it and nothing of it
        is deleted.
        """
        if self._blob is not None and self._blob[0] is blob and blob.closed and self._blob[1] == blob.index_size:
            return self._blob[2:]
        assert self._source.archive is not None
        size, table = blob.index_size, await self._source.archive.table(blob)
        segments = self._index.of(blob, table)
        self._blob = blob, size, table if blob.closed else copy(table), segments
        return self._blob[2:]

    def _first(self, blob: Blob, table: FragmentTable, segments: Segments) -> Span | None:
        """The first complete segment of a blob that follows."""
        if self._inside:
            at = int(np.searchsorted(segments.end_ms, self.position_ms, "right"))
        else:
            at = int(np.searchsorted(segments.begin_ms, self.position_ms - GAP_MS))
        while at < len(segments) and segments.complete[at]:
            begin_ms, end_ms = int(segments.begin_ms[at]), int(segments.end_ms[at])
            if self._follows(begin_ms, end_ms):
                self._passed(begin_ms, end_ms)
                first = int(segments.first[at])
                assert self._source.archive is not None
                file = self._source.archive.file(blob)
                return span_of(table, file, first, first + int(segments.count[at]))
            at += 1
        return None

    def _live(self) -> Span | None:
        window = self._source.window
        for segment in window.segments if window is not None else ():
            if segment.fragments and self._follows(segment.begin_ms, segment.end_ms):
                self._passed(segment.begin_ms, segment.end_ms)
                return segment_span(segment)
        return None
