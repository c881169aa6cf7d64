"""
MPEG-TS as a stream of bytes: downloads, timeshifts that never end, and live.

    export          [F, F+D)      as fast as the client reads
    timeshift_abs   F ->          a burst, then in real time, then live as it is recorded
    timeshift_rel   now-N ->      the same, each segment N after it was live
    live            newest GOP -> fragment by fragment

Gaps are skipped: what comes after one follows in the timestamps where the other ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import numpy as np
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from flussdvr.live.window import Deleted, News
from flussdvr.playback.arrivals import next_arrival
from flussdvr.playback.cursor import Cursor
from flussdvr.playback.deletions import Deletions, Watch
from flussdvr.playback.fragments import SegmentIndex, Span
from flussdvr.playback.selection import Selection
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.playback.ts.continuity import Continuity
from flussdvr.playback.ts.exports import MEASURED_MS, TsExport, TsExports
from flussdvr.playback.ts.live import TsLive
from flussdvr.playback.ts.segments import TsSegments

BURST_MS = 10_000
"""How far ahead of real time a timeshift is sent: what players want to have before they begin."""
POLL_S = 1.0
"""A stream without a live window is looked at this often."""


class TsStreams:
    """`now_ms`: the wall clock."""

    def __init__(
        self,
        index: SegmentIndex,
        segments: TsSegments,
        exports: TsExports,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        deletions: Deletions,
    ) -> None:
        self._index = index
        self._segments = segments
        self._exports = exports
        self._clock = clock
        self._now_ms = now_ms
        self._deletions = deletions
        self._live = TsLive(segments, clock)

    # -- what there is ------------------------------------------------------------------------------------------------

    async def export(
        self, source: Source, from_ms: int, duration_ms: int | None, selection: Selection | None
    ) -> TsExport:
        """A window of the archive; `duration_ms` is `None` for `now`. Raises `DvrError` NOT_FOUND, CORRUPT."""
        end_ms = self._now_ms() if duration_ms is None else from_ms + duration_ms
        watch = self._deletions.watch(source.name)
        begun = await self._begin(source, from_ms)
        if begun is None or begun[0].begin_ms >= end_ms:
            raise no_recordings()
        first, cursor = begun
        if duration_ms is None or duration_ms > MEASURED_MS:
            return TsExport(lambda start, stop: self._export(source, first, cursor, end_ms, selection, watch))
        spans = []
        span: Span | None = first
        while span is not None and span.begin_ms < end_ms:
            spans.append(before(span, end_ms))
            span = await cursor.next()
        continuity = Continuity(selection, spans)
        placed = [one for one in map(continuity.place, spans) if one is not None]
        return await self._exports.measured(source, placed, selection, watch)

    async def timeshift_abs(self, source: Source, from_ms: int, selection: Selection | None) -> AsyncIterator[bytes]:
        """Endless from `from_ms` on. Raises `DvrError` NOT_FOUND."""
        begun = await self._begin(source, from_ms) if from_ms <= self._now_ms() else None
        if begun is None:
            raise no_recordings()
        return self._paced(source, *begun, selection, None)

    async def timeshift_rel(
        self,
        source: Source,
        delay_ms: int,
        selection: Selection | None,
        on_lost: Callable[[int], None] = lambda count: None,
    ) -> AsyncIterator[bytes]:
        """Endless, `delay_ms` behind live; `on_lost` as of `live`. Raises `DvrError` NOT_FOUND."""
        if delay_ms <= 0:
            return await self.live(source, selection, on_lost)
        begun = await self._begin(source, self._now_ms() - delay_ms)
        if begun is None:
            raise no_recordings()
        return self._paced(source, *begun, selection, delay_ms)

    async def live(
        self, source: Source, selection: Selection | None, on_lost: Callable[[int], None] = lambda count: None
    ) -> AsyncIterator[bytes]:
        """
        Endless, fragment by fragment, from the beginning of the newest segment; `on_lost` as of `TsLive.packets`.
        Raises `DvrError` NOT_FOUND.
        """
        window = source.window
        if window is None or (window.growing is None and not window.segments):
            raise no_recordings()
        return self._live.packets(source, window, selection, on_lost)

    # -- the streams --------------------------------------------------------------------------------------------------

    async def _export(
        self,
        source: Source,
        first: Span,
        cursor: Cursor,
        end_ms: int,
        selection: Selection | None,
        watch: Watch,
    ) -> AsyncIterator[bytes]:
        continuity = Continuity(selection)
        span: Span | None = first
        while span is not None and span.begin_ms < end_ms:
            placed = continuity.place(before(span, end_ms)) if not watch.takes(span) else None
            if placed is not None:  # else these tracks are not there now, and may come back
                yield await self._segments.placed(source, placed, selection)
            span = await cursor.next()

    async def _paced(
        self, source: Source, first: Span, cursor: Cursor, selection: Selection | None, delay_ms: int | None
    ) -> AsyncIterator[bytes]:
        continuity = Continuity(selection)
        watch = self._deletions.watch(source.name)
        begun_ms, sent_ms = self._now_ms(), 0
        span: Span | None = first
        while True:
            if span is None:
                await self._news(source)
            else:
                ahead = sent_ms if delay_ms is None else span.begin_ms + delay_ms - begun_ms
                kept = await self._sleep(begun_ms + ahead - BURST_MS - self._now_ms(), source, span)
                placed = continuity.place(span) if kept and not watch.takes(span) else None
                if placed is not None:
                    yield await self._segments.placed(source, placed, selection)
                sent_ms += span.end_ms - span.begin_ms
            span = await cursor.next()

    # -- finding the way ----------------------------------------------------------------------------------------------

    async def _begin(self, source: Source, from_ms: int) -> tuple[Span, Cursor] | None:
        """
        The segment in which `from_ms` lies from the sync fragment before it on, or the first one after it; and what
        gives those that follow.
        """
        cursor = Cursor(self._index, source, from_ms, inside=True)
        span = await cursor.next()
        if span is None:
            return None
        if span.begin_ms >= from_ms:
            return span, cursor
        rows = np.flatnonzero(
            span.table.sync[span.first : span.stop] & (span.table.begin_ms[span.first : span.stop] <= from_ms)
        )
        return (cut(span, span.first + int(rows[-1]), span.stop) if len(rows) else span), cursor

    async def _news(self, source: Source) -> None:
        """Wait for something new: the next live fragment, or a while."""
        await next_arrival(source.window, self._clock, POLL_S)

    async def _sleep(self, ms: int, source: Source, span: Span) -> bool:
        """Wait until a span is due; whether nothing of it was deleted meanwhile."""
        rows = slice(span.first, span.stop)
        times = list(zip(span.table.begin_ms[rows].tolist(), span.table.end_ms[rows].tolist(), strict=True))
        kept = True

        def received(news: News) -> None:
            nonlocal kept
            if isinstance(news, Deleted) and any(news.takes(*item) for item in times):
                kept = False

        if ms > 0:
            stop = source.window.subscribe(received) if source.window is not None else None
            try:
                await deferLater(self._clock, ms / 1000)
            finally:
                if stop is not None:
                    stop()
        return kept


def before(span: Span, end_ms: int) -> Span:
    """Its rows that begin before `end_ms`, at least one."""
    stop = span.first + int(np.searchsorted(span.table.begin_ms[span.first : span.stop], end_ms))
    return span if stop >= span.stop or span.stop - span.first == 1 else cut(span, span.first, stop)


def cut(span: Span, first: int, stop: int) -> Span:
    """Fewer rows of the same span."""
    offset, size = span.table.offset, span.table.size
    begin, end = int(offset[first]), int(offset[stop - 1] + size[stop - 1])
    return Span(span.table, first, stop, span.body.slice(begin - span.offset, end - span.offset), begin)
