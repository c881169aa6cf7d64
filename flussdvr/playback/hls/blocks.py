"""
The segments of a window, as rendered blocks: those of the archive's blobs, then those only in RAM.

    archive   [ blob 17h | blob 18h | blob 18h20 (open) ]
    live                                     [ 101 | 102 | 103 ]     what the open blob's index does not have yet
    window           [------------------------------------)
    pieces           [---|----------|--------|---|-----)

A block is rendered in the CPU worker, one blob at a time, so that a cold day's playlist never holds the reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.caching.lru import Lru
from flussdvr.playback.hls.playlist import Block, Piece, render_block
from flussdvr.playback.hls.track_sets import Choice, choose, steady_view
from flussdvr.playback.inits import Inits
from flussdvr.playback.sources import Source, no_such_tracks
from flussdvr.playback.view import View
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.formats.mp4.fragment_table import Segments
    from flussdvr.live.window import LiveSegment
    from flussdvr.threads import Worker

CACHE_BYTES = 64 << 20
TOLERANCE_MS = 100
"""Blobs of one recording may differ by rounding where they meet; a hole larger than this is a gap."""


Only = Callable[[list[Piece]], list[Piece]]
"""Which of the pieces of a window are listed."""


class Blocks:
    def __init__(self, inits: Inits, cpu: Worker) -> None:
        self.inits = inits
        self._cpu = cpu
        self._cache: Lru[tuple[Blob, View], tuple[tuple[int, bool], Block]] = Lru(CACHE_BYTES)

    async def pieces(self, source: Source, window: Range, view: View, only: Only = list) -> list[Piece]:
        """
        Complete segments that begin inside `window`, oldest first; all with the same kinds of tracks.

        Raises `DvrError` NOT_FOUND where none of the selected tracks is in any of them, and what `only` raises.
        """
        view = replace(view, codec=None)
        pieces = only(await self.recorded(source, window, view))
        steady = steady_view(view, [piece.block for piece in pieces])
        return _real(pieces if steady == view else only(await self.recorded(source, window, steady)), view)

    def live(self, source: Source, view: View) -> list[Piece]:
        """The complete segments of the live window, all with the same kinds of tracks. Raises as `pieces`."""
        view = replace(view, codec=None)
        pieces = self.recorded_live(source, view)
        steady = steady_view(view, [piece.block for piece in pieces])
        return _real(pieces if steady == view else self.recorded_live(source, steady), view)

    def recorded_live(self, source: Source, view: View) -> list[Piece]:
        """As `live`, each with the tracks that it has."""
        pieces: list[Piece] = []
        for block in self.of_live(source, view, None):
            pieces.append(Piece(block, 0, len(block), not block.continuous))
        return pieces

    async def recorded(self, source: Source, window: Range, view: View, enough: int | None = None) -> list[Piece]:
        """
        As `pieces`, each with the tracks that it has. With `enough`, no more blobs are looked at once so many have had
        some.
        """
        pieces: list[Piece] = []
        if source.archive is not None:
            for blob in source.archive.blobs(window):
                _append(pieces, await self.of_blob(source, blob, view), window)
                if enough is not None and len(pieces) >= enough:
                    return pieces
        for block in self.of_live(source, view, pieces[-1] if pieces else None, source.archive is None):
            _append(pieces, block, window)
        return pieces

    async def measured(self, source: Source, window: Range, view: View, count: int) -> list[Piece]:
        """As `recorded`, of the first `count` blobs and the newest."""
        pieces = await self.recorded(source, window, view, count)
        if source.archive is None or len(pieces) < count:
            return pieces
        later = source.archive.blobs(Range(pieces[-1].end_ms, max(pieces[-1].end_ms, window.end_ms)))
        if later:
            newest = Range(max(later[-1].begin_ms, pieces[-1].end_ms), window.end_ms)
            pieces += await self.recorded(source, newest, view)
        return pieces

    async def of_blob(self, source: Source, blob: Blob, view: View) -> Block:
        """All complete segments of one blob."""
        assert source.archive is not None
        key, state = (blob, view), (blob.index_size, blob.closed)
        cached = self._cache.get(key)
        if cached is not None and cached[0] == state:
            return cached[1]
        table = await source.archive.table(blob)
        choice = choose(table.tracks, table.present, view)
        init = self._init(table.init, choice, view)
        block = await self._cpu.do(_render, table.segments(blob.closed), blob, view, init, choice)
        self._cache.put(key, (state, block), block.cost)
        return block

    def of_live(self, source: Source, view: View, after: Piece | None, deleted: bool = True) -> Iterator[Block]:
        """
        The live window's complete segments, without those that `after` and the pieces before it have. With `deleted`
        those that are deleted are among them, as missing ones; else they are a gap, as in the archive.
        """
        if source.window is None:
            return
        segments = [
            segment
            for segment in source.window.segments
            if (after is None or _is_later(segment, after)) and (deleted or not segment.deleted)
        ]
        runs = 0

        def run(segment: LiveSegment) -> tuple[int, bool, bytes]:
            nonlocal runs
            runs += segment.discontinuity
            return runs, segment.deleted, segment.init

        for _, group in groupby(segments, run):
            yield self._render_live(list(group), view)

    def _render_live(self, segments: Sequence[LiveSegment], view: View) -> Block:
        first = segments[0]
        present = {track for segment in segments for track in segment.present}
        choice = choose(first.tracks, [track for track in first.tracks if track in present], view)
        init = self._init(first.init, choice, view)
        begin, end, size = (
            np.array([getattr(segment, name) for segment in segments], np.int64)
            for name in ("begin_ms", "end_ms", "size")
        )
        return render_block(
            first.sequence,
            begin,
            end,
            size,
            view.extension,
            init,
            tracks=first.tracks,
            continuous=not first.discontinuity,
            shown=choice.shown,
            gap=choice.gap or first.deleted,
            folder=view.folder,
        )

    def _init(self, init: bytes, choice: Choice, view: View) -> str:
        if view.container == "ts" or choice.gap:
            return ""
        return view.folder + self.inits.url(init, choice.tracks, view.selection)


def _render(segments: Segments, blob: Blob, view: View, init: str, choice: Choice) -> Block:
    """In the CPU worker."""
    count = int(segments.complete.sum())
    return render_block(
        int(segments.sequence[0]) if count else blob.sequence,
        segments.begin_ms[:count],
        segments.end_ms[:count],
        segments.size[:count],
        view.extension,
        init,
        compress=blob.closed,
        tracks=choice.tracks,
        continuous=blob.after is None,
        shown=choice.shown,
        gap=choice.gap,
        folder=view.folder,
    )


def _real(pieces: list[Piece], view: View) -> list[Piece]:
    """`pieces`, if any of them has any of the selected tracks."""
    if pieces and view.selection is not None and not any(piece.block.shown for piece in pieces):
        raise no_such_tracks()
    return pieces


def _is_later(segment: LiveSegment, piece: Piece) -> bool:
    return segment.begin_ms >= piece.end_ms - TOLERANCE_MS and segment.begin_ms > piece.begin_ms


def _append(pieces: list[Piece], block: Block, window: Range) -> None:
    first, stop = np.searchsorted(block.begin_ms, [window.begin_ms, window.end_ms]).tolist()
    if first < stop:
        pieces.append(Piece(block, first, stop, bool(pieces) and not _continues(pieces[-1], block, first)))


def _continues(piece: Piece, block: Block, first: int) -> bool:
    return (
        first == 0
        and block.continuous
        and piece.block.tracks == block.tracks
        and abs(int(block.begin_ms[0]) - piece.end_ms) <= TOLERANCE_MS
    )
