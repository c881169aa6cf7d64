# -*- test-case-name: tests.playback.pictures.test_key_frame -*-
"""
Key frames: where a decoder can begin, and what it shows first.

    utc ------v
    archive   [K . . . K . . . K]   gap   [K . . .      blobs' tables: no media is read
    live                                  [K . . . K .  the live window, for what no table has yet

A picture on demand is that of the nearest key frame at or after the moment that was asked for, so that "after the
event" shows the event; where there is none within `NEAR_MS`, the nearest before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.body.body import Body
from flussdvr.body.file import BodyFile
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4 import progressive as mp4
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.media import Track
from flussdvr.playback.fragments import Span, live_span, span_of
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive
    from flussdvr.live.fragment import LiveFragment
    from flussdvr.live.window import LiveSegment

NEAR_MS = 600_000
"""Further away than this nothing is a picture of that moment."""
LOOKED_AT = 30
"""Blobs that are looked at for one picture."""
MAX_SAMPLE_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, eq=False)
class KeyFrame:
    """The first sample of `track` in the first fragment of `span`, shown at `at_ms`, UTC."""

    at_ms: int
    span: Span
    track: Track

    def sample(self) -> Body:
        """The coded picture. Raises `DvrError` CORRUPT."""
        table, row = self.span.table, self.span.first
        with corrupt():
            samples = table.samples(self.track.id, row, row + 1)
            begin, size = int(samples.offsets()[0]) - self.span.offset, int(samples.sizes[0])
        if size > MAX_SAMPLE_BYTES:
            raise DvrError(Kind.CORRUPT, "corrupt_recording", f"a picture of {size} bytes")
        return self.span.body.slice(begin, begin + size)

    def one_frame(self) -> Body:
        """An MP4 of only this picture: a computed head and the sample as it is recorded."""
        with corrupt():
            head = mp4.one_frame(self.span.table, self.span.first, self.track)
        begin = self.span.offset
        bodies = head.body(lambda _, at, length: self.span.body.slice(at - begin, at - begin + length))
        return Body.of(part for one in bodies for part in (one.parts if isinstance(one, Body) else (one,)))

    @property
    def identity(self) -> str:
        """Tells this picture from any other of its stream, be it in RAM or on a disk: by its moment and fragment."""
        return f"{self.at_ms}-{int(self.span.table.size[self.span.first])}"


class corrupt:
    """Turns what an index that contradicts itself raises into a `DvrError`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FormatError):
            raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None


# -- finding ----------------------------------------------------------------------------------------------------------


async def key_frame_for(source: Source, utc_ms: int) -> KeyFrame:
    """That at or after `utc_ms`, else that before it. Raises `DvrError` NOT_FOUND."""
    found = await key_frame_after(source, utc_ms) or await key_frame_before(source, utc_ms)
    if found is None:
        raise no_recordings()
    return found


async def named_key_frame(source: Source, utc_ms: int) -> KeyFrame | None:
    """That which a URL with this moment names: shown in this very second or, if it has a fraction, millisecond."""
    return await key_frame_after(source, utc_ms, 1000 if utc_ms % 1000 == 0 else 1)


async def key_frame_after(
    source: Source, utc_ms: int, within_ms: int = NEAR_MS, blobs: int = LOOKED_AT
) -> KeyFrame | None:
    """The first one shown in `[utc_ms, utc_ms + within_ms)`, if it is in one of the first `blobs` blobs there."""
    if source.archive is not None:
        for blob in source.archive.blobs(Range(utc_ms, utc_ms + within_ms))[:blobs]:
            table = await table_of(source.archive, blob)
            if table is not None and (row := first_sync(table, utc_ms)) is not None:
                found = _of_blob(table, source.archive.file(blob), row)
                return found if found.at_ms < utc_ms + within_ms else None
    for segment, fragment in _live(source):
        if utc_ms <= fragment.begin_ms < utc_ms + within_ms:
            return live_key_frame(segment.init, fragment)
    return None


async def key_frame_before(source: Source, utc_ms: int) -> KeyFrame | None:
    """The last one shown in `[utc_ms - NEAR_MS, utc_ms)`."""
    begin_ms = max(0, utc_ms - NEAR_MS)
    live = [pair for pair in _live(source) if begin_ms <= pair[1].begin_ms < utc_ms]
    if live:
        return live_key_frame(live[-1][0].init, live[-1][1])
    if source.archive is not None:
        for blob in reversed(source.archive.blobs(Range(begin_ms, max(begin_ms, utc_ms)))[-LOOKED_AT:]):
            table = await table_of(source.archive, blob)
            if table is not None and (row := last_sync(table, utc_ms)) is not None:
                found = _of_blob(table, source.archive.file(blob), row)
                return found if found.at_ms >= begin_ms else None
    return None


async def newest_key_frame(source: Source) -> KeyFrame:
    """The last one of all. Raises `DvrError` NOT_FOUND."""
    live = list(_live(source))
    if live:
        return live_key_frame(live[-1][0].init, live[-1][1])
    if source.archive is not None:
        for blob in reversed(source.archive.blobs()[-10:]):
            table = await table_of(source.archive, blob)
            if table is not None and (row := last_sync(table, blob.end_ms + 1)) is not None:
                return _of_blob(table, source.archive.file(blob), row)
    raise no_recordings()


def name_of(at_ms: int, first_in_second_ms: int | None) -> str:
    """
    The moment of a picture in a URL: in whole seconds where that names it, being the first one in its second.
    """
    if first_in_second_ms == at_ms or at_ms % 1000 == 0:
        return f"{at_ms // 1000}"
    return f"{at_ms // 1000}.{at_ms % 1000:03d}"


def first_sync(table: FragmentTable, utc_ms: int) -> int | None:
    """The first row with a video key frame at or after `utc_ms`."""
    if table.reference is None or not table.reference.is_video:
        return None
    first = int(np.searchsorted(table.begin_ms, utc_ms))
    rows = np.flatnonzero(table.sync[first:])
    return first + int(rows[0]) if len(rows) else None


def last_sync(table: FragmentTable, utc_ms: int) -> int | None:
    """The last row with a video key frame before `utc_ms`."""
    if table.reference is None or not table.reference.is_video:
        return None
    rows = np.flatnonzero(table.sync[: int(np.searchsorted(table.begin_ms, utc_ms))])
    return int(rows[-1]) if len(rows) else None


async def table_of(archive: StreamArchive, blob: Blob) -> FragmentTable | None:
    try:
        return await archive.table(blob)
    except DvrError as error:
        if error.kind is Kind.UNAVAILABLE:
            raise
        return None  # expired meanwhile, or damaged: there are others


def _of_blob(table: FragmentTable, file: BodyFile, row: int) -> KeyFrame:
    assert table.reference is not None
    return KeyFrame(int(table.begin_ms[row]), span_of(table, file, row, row + 1), table.reference)


def live_key_frame(init: bytes, fragment: LiveFragment) -> KeyFrame:
    """The key frame that a fragment in RAM begins with."""
    span = live_span(init, [fragment])
    assert span.table.reference is not None
    return KeyFrame(span.begin_ms, span, span.table.reference)


def _live(source: Source) -> Iterator[tuple[LiveSegment, LiveFragment]]:
    """The fragments in RAM that begin with a key frame, oldest first."""
    window = source.window
    if window is None:
        return
    for segment in [*window.segments, *([window.growing] if window.growing is not None else [])]:
        if any(track.is_video for track in segment.tracks):
            yield from ((segment, fragment) for fragment in segment.fragments if fragment.sync)
