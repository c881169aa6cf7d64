"""
A segment by its absolute time, as a body.

    fMP4, all tracks    one extent of the blob, or the fragments in RAM
    fMP4 after a change the same, with parameter sets in front of the sync samples (`changes`)
    fMP4, some tracks   for each fragment a synthesised `moof` and an extent; silence for selected sound that is missing
    MPEG-TS             muxed, with the same silence

The same bytes whether they come from RAM or from the disk, from this server or another.
"""

from __future__ import annotations

from flussdvr.body.body import Body
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.demuxed import demuxed
from flussdvr.formats.mp4.fmp4 import write_fragment
from flussdvr.playback.changes import NO_SETS, Changes, Sets
from flussdvr.playback.fragments import SegmentIndex, Span, live_segment, segment_span
from flussdvr.playback.selection import selected
from flussdvr.playback.silence import silent_runs
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.segments import TsSegments
from flussdvr.playback.view import View


class Segments:
    def __init__(self, index: SegmentIndex, ts: TsSegments, changes: Changes) -> None:
        self._index = index
        self._ts = ts
        self._changes = changes

    def is_made(self, source: Source, begin_ms: int, duration_ms: int, view: View) -> bool:
        """Whether the segment as MPEG-TS has been made for somebody before and was kept."""
        return self._ts.is_made(source, begin_ms, begin_ms + duration_ms, view.selection)

    async def body(self, source: Source, begin_ms: int, duration_ms: int, view: View) -> Body:
        """The segment `[begin_ms, begin_ms + duration_ms)`. Raises `DvrError` NOT_FOUND."""
        if view.container == "ts":
            return Body((await self._ts.segment(source, begin_ms, duration_ms, view.selection),))
        live = live_segment(source, begin_ms, duration_ms)
        if live is not None:
            sets = await self._changes.sets(source, begin_ms, live.tracks)
            if live.fragments:  # nobody has deleted it meanwhile
                if view.selection is None and not sets:
                    return Body(tuple(fragment.data for fragment in live.fragments))
                return select(segment_span(live), view, silence=True, sets=sets)
        span = await self._index.find(source, begin_ms, duration_ms)
        sets = await self._changes.sets(source, begin_ms, span.table.tracks)
        return select(span, view, silence=True, sets=sets)


def select(span: Span, view: View, silence: bool = False, sets: Sets = NO_SETS) -> Body:
    """
    What of `span` belongs to the selected tracks; with `silence`, selected sound that has nothing in it is silent.
    `sets`: what the sync samples of a track begin with. Raises `DvrError` NOT_FOUND, CORRUPT.
    """
    tracks = selected(span.table.tracks, view.selection)
    runs = silent_runs(span, tracks, view.selection) if silence else []
    if not tracks and not runs:
        raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
    if len(tracks) == len(span.table.tracks) and not runs and not sets:
        return span.body
    parts: list[Body] = []
    try:
        for part in demuxed(span.table, span.first, span.stop, [track.id for track in tracks], sets):
            if isinstance(part, bytes):
                parts.append(Body((part,)))
            else:
                begin = part[0] - span.offset
                parts.append(span.body.slice(begin, begin + part[1]))
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None
    if runs:
        parts.append(Body(write_fragment(span.table.sequence(span.stop - 1) + 1, runs)))
    return Body.of(piece for body in parts for piece in body.parts)
