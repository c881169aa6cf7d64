# -*- test-case-name: tests.playback.pictures.test_key_frame -*-
"""
Any picture, not only a key frame: what has to be decoded to see what was shown at a moment.

    decoding order   K P B B P B B K P B B ...
    shown            K B B P B B P B B K ...
                             ^ utc: the last sample shown not after it, and all that is decoded before that

Pictures at the end of a group that follow the next key frame in decoding order (open GOP) are found behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.body.body import Body
from flussdvr.media import Track
from flussdvr.playback.fragments import Span, live_span, span_of
from flussdvr.playback.pictures.key_frame import corrupt, last_sync, table_of
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range, to_ms

if TYPE_CHECKING:
    from flussdvr.live.fragment import LiveFragment

MARGIN_MS = 1_000
"""Pictures may be shown up to this before they are decoded."""
MAX_FORWARD_MS = 30_000
"""Further behind a key frame than this, a picture is not decoded for one request."""
MAX_FORWARD_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """
    The picture that is shown at `at_ms`, and what has to be decoded for it.

    `samples`: (presentation time in ticks, where in `body` it begins, size) in decoding order from a key frame to the
    last that `pts`, the wanted one, may refer to.
    """

    at_ms: int
    track: Track
    body: Body
    samples: tuple[tuple[int, int, int], ...]
    pts: int

    @property
    def identity(self) -> str:
        return f"{self.at_ms}-{self.pts}-{sum(size for _, _, size in self.samples)}"


async def moment_at(source: Source, utc_ms: int) -> Moment | None:
    """
    The picture that is on at `utc_ms`; `None` if nothing is, or it is too far from a key frame.

    Where a blob ends in an open group, its last pictures are in the next blob: the last one in this blob is taken.
    """
    for span in [*await _archived(source, utc_ms), *_playing(source, utc_ms)]:
        track = span.table.reference
        assert track is not None
        with corrupt():
            samples = span.table.samples(track.id, span.first, span.stop)
            pts = samples.decode_times() + samples.cto
        shown = np.flatnonzero(pts < -(-(utc_ms + 1) * track.timescale // 1000))
        if not len(shown):
            continue
        last = int(shown[-1]) + 1
        wanted = int(pts[shown].max())
        offsets, sizes = samples.offsets()[:last] - span.offset, samples.sizes[:last]
        body = span.body.slice(0, int((offsets + sizes).max()))
        if len(body) > MAX_FORWARD_BYTES:
            return None
        listed = tuple(zip(pts[:last].tolist(), offsets.tolist(), sizes.tolist(), strict=True))
        return Moment(to_ms(wanted, track.timescale), track, body, listed, wanted)
    return None


async def _archived(source: Source, utc_ms: int) -> list[Span]:
    """From the key frame before `utc_ms` to behind it, if that is recorded without a break."""
    if source.archive is not None:
        for blob in source.archive.blobs(Range(utc_ms, utc_ms + 1)):
            table = await table_of(source.archive, blob)
            row = last_sync(table, utc_ms + 1) if table is not None else None
            if table is None or row is None:
                continue
            stop = int(np.searchsorted(table.begin_ms, utc_ms + MARGIN_MS)) + 1
            span = span_of(table, source.archive.file(blob), row, min(stop, len(table)))
            if (unbroken := _unbroken(span, utc_ms)) is not None:
                return [unbroken]
    return []


def _unbroken(span: Span, utc_ms: int) -> Span | None:
    """`span` as far as no bytes are missing in it, if it still shows `utc_ms`."""
    table = span.table
    offset, size = table.offset[span.first : span.stop], table.size[span.first : span.stop]
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + size[:-1])
    stop = span.first + int(breaks[0]) + 1 if len(breaks) else span.stop
    if not utc_ms < int(table.end_ms[stop - 1]) or utc_ms - span.begin_ms > MAX_FORWARD_MS:
        return None
    length = int(table.offset[stop - 1] + table.size[stop - 1]) - span.offset
    return Span(table, span.first, stop, span.body.slice(0, length), span.offset)


def _playing(source: Source, utc_ms: int) -> list[Span]:
    """As `_archived`, out of the live window."""
    window = source.window
    if window is None:
        return []
    chosen: list[LiveFragment] = []
    init = b""
    for segment in [*window.segments, *([window.growing] if window.growing is not None else [])]:
        if segment.init != init or segment.discontinuity or not segment.fragments:
            if chosen and utc_ms < chosen[-1].end_ms:
                break
            chosen, init = [], segment.init
        for fragment in segment.fragments:
            if fragment.sync and fragment.begin_ms <= utc_ms:
                chosen = []
            if chosen or (fragment.sync and fragment.begin_ms <= utc_ms):
                chosen.append(fragment)
            if fragment.begin_ms > utc_ms + MARGIN_MS:
                break
        if chosen and chosen[-1].begin_ms > utc_ms + MARGIN_MS:
            break
    if not chosen or not utc_ms < chosen[-1].end_ms:
        return []
    span = live_span(init, chosen)
    if span.table.reference is None or not span.table.reference.is_video:
        return []
    checked = _unbroken(span, utc_ms)
    return [checked] if checked is not None else []
