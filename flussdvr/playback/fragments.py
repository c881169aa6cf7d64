"""
Finding consecutive fragments, wherever they are: in an archived blob or in RAM.

    Span   a table, rows [first, stop) of it, and where their bytes are
           archive: the blob's table, one extent of the blob
           RAM:     a table made of the fragments' heads, the fragments themselves
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import BodyFile
from flussdvr.caching.lru import Lru
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable, Segments
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.live.fragment import LiveFragment
    from flussdvr.live.window import LiveSegment

KEPT = 500


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Rows `[first, stop)` of `table`; `body`: their bytes, `offset`: where in the blob these begin."""

    table: FragmentTable
    first: int
    stop: int
    body: Body
    offset: int

    @property
    def begin_ms(self) -> int:
        return int(self.table.begin_ms[self.first])

    @property
    def end_ms(self) -> int:
        return int(self.table.end_ms[self.stop - 1])


def span_of(table: FragmentTable, file: BodyFile, first: int, stop: int) -> Span:
    """Rows of an archived blob, which `file` is; they must not have a deleted span between them."""
    begin = int(table.offset[first])
    end = int(table.offset[stop - 1] + table.size[stop - 1])
    return Span(table, first, stop, Body((Extent(file, begin, end - begin),)), begin)


def live_span(init: bytes, fragments: Sequence[LiveFragment]) -> Span:
    """Fragments that are in RAM; one alone is parsed once for all who ask."""
    if len(fragments) == 1:
        table = fragments[0].table(init)
    else:
        table = FragmentTable(init + b"".join(fragment.data[: fragment.head_size] for fragment in fragments))
    return Span(table, 0, len(table), Body(tuple(fragment.data for fragment in fragments)), len(init))


def segment_span(segment: LiveSegment) -> Span:
    """A segment that is in RAM, parsed once for all who ask."""
    table = segment.table
    body = Body(tuple(fragment.data for fragment in segment.fragments))
    return Span(table, 0, len(table), body, len(segment.init))


def live_segment(source: Source, begin_ms: int, duration_ms: int) -> LiveSegment | None:
    segment = source.window.find(begin_ms) if source.window is not None else None
    if segment is None or segment.end_ms - segment.begin_ms != duration_ms:
        return None
    return segment


class SegmentIndex:
    """The segments of blobs, worked out once for each state of a blob."""

    def __init__(self) -> None:
        self._known: Lru[Blob, tuple[int, bool, Segments]] = Lru(KEPT)

    def of(self, blob: Blob, table: FragmentTable) -> Segments:
        known = self._known.get(blob)
        if known is None or known[:2] != (len(table), blob.closed):
            known = len(table), blob.closed, table.segments(blob.closed)
            self._known.put(blob, known, 1)
        return known[2]

    async def find(self, source: Source, begin_ms: int, duration_ms: int) -> Span:
        """The segment of the archive with just this begin and duration. Raises `DvrError` NOT_FOUND."""
        if source.archive is not None:
            for blob in source.archive.blobs(Range(begin_ms, begin_ms + 1)):
                table = await source.archive.table(blob)
                segments = self.of(blob, table)
                at = int(np.searchsorted(segments.begin_ms, begin_ms))
                if (
                    at < len(segments)
                    and int(segments.begin_ms[at]) == begin_ms
                    and int(segments.end_ms[at]) == begin_ms + duration_ms
                    and segments.complete[at]
                ):
                    first = int(segments.first[at])
                    return span_of(table, source.archive.file(blob), first, first + int(segments.count[at]))
        raise DvrError(Kind.NOT_FOUND, "segment_not_found", "there is no such segment")
