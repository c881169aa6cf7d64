"""
HLS of the live window and the archive: which segments a playlist lists, and how it presents itself.

    live            the live window                                        slides
    F-D             begins in [F, F+D)                                     VOD; EVENT while it may still grow
    F-now           begins in [F, now)                                     EVENT
    rewind-N        begins in [now-N, now)                                 slides
    timeshift_rel   around now-N                                           slides
    timeshift_abs   around F + the session's age                           slides, gaps are skipped

A player begins a list that slides three segments before its end (RFC 8216 section 6.3.3), so the list of a timeshift
ends that much after the moment that the viewer is at; for players that read it, `EXT-X-START` says the moment exactly.
A sliding list has at least three target durations.

RFC 8216. The first segment of an archive's list begins not before F and the last not after F+D. The pictures of a list
have one codec (`video_codecs`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flussdvr.playback.hls.blocks import Blocks, Only
from flussdvr.playback.hls.carried import require_carried
from flussdvr.playback.hls.discontinuities import Discontinuities
from flussdvr.playback.hls.pieces import begun_at, bounds, count_of, ending_after, enough_of, first_of, last_of
from flussdvr.playback.hls.playlist import (
    MediaPlaylist,
    Piece,
)
from flussdvr.playback.hls.video_codecs import newest_run, run_at, with_codec
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.playback.view import View
from flussdvr.timeline import Range, RangeSet

SHOWN = 4
"""Segments in the playlist of a timeshift, at least."""
STARTED = 3
"""How many segments before the end of a list that slides a player begins (RFC 8216 section 6.3.3)."""
PAUSED_MS = 8_000
"""Players ask again for a list that slides at least this often, or once in two target durations."""
LOOK_BACK_MS = 120_000


@dataclass(slots=True)
class Following:
    """
    A viewer of a `timeshift_rel`: the last request, and the beginning of the first list: none of the later ones, which
    are longer, begins before that.
    """

    seen_ms: int = 0
    from_ms: int = 0


@dataclass(frozen=True, slots=True)
class Hls:
    """`now_ms`: the wall clock."""

    blocks: Blocks
    discontinuities: Discontinuities
    now_ms: Callable[[], int]

    # -- media playlists ----------------------------------------------------------------------------------------------

    async def live(self, source: Source, view: View) -> MediaPlaylist:
        window = source.window
        listed = self.blocks.live(source, view)
        if window is None or not listed:
            raise no_recordings()
        pieces = newest_run(listed, view.codec, window.target_ms)
        require_carried(pieces, view)
        before = [piece for piece in listed if piece.sequence < pieces[0].sequence]
        left = sum(piece.discontinuity + len(piece.block.breaks) for piece in before)
        return MediaPlaylist(
            pieces, target_ms=window.target_ms, discontinuity_sequence=window.discontinuity_sequence + left
        )

    async def archive(
        self, source: Source, begin_ms: int, duration_ms: int | None, event: bool, view: View
    ) -> MediaPlaylist:
        """`duration_ms` is `None` for `now`."""
        now = self.now_ms()
        end_ms = now if duration_ms is None else begin_ms + duration_ms
        pieces = await self._pieces(source, begin_ms, end_ms, view, lambda pieces: with_codec(pieces, view.codec))
        require_carried(pieces, view)
        pieces = _from_the_first_there(pieces)
        grows = duration_ms is None or (event and end_ms > now)
        playlist = self._playlist(source, pieces, "EVENT" if grows else "VOD", not grows)
        # Without it, players begin near the end of what still grows; shaka takes a zero for no tag.
        return replace(playlist, start_ms=max(1, begin_ms - pieces[0].begin_ms)) if grows else playlist

    async def rewind(self, source: Source, back_ms: int, view: View) -> MediaPlaylist:
        now = self.now_ms()
        begin_ms = now - back_ms
        pieces = await self.blocks.pieces(source, Range(max(0, min(begin_ms, now - LOOK_BACK_MS)), now), view)
        inside = sum(int((piece.block.begin_ms[piece.first : piece.stop] >= begin_ms).sum()) for piece in pieces)
        if not inside:
            raise no_recordings()
        target_ms = self._target(source, pieces)
        pieces = last_of(pieces, max(inside, enough_of(pieces, target_ms)))
        return self._sliding(source, newest_run(pieces, view.codec, target_ms))

    async def timeshift_rel(self, source: Source, delay_ms: int, view: View, following: Following) -> MediaPlaylist:
        """`following`: what the viewer has been given so far."""
        edge_ms = self.now_ms() - delay_ms
        pieces = run_at(await self._at(source, edge_ms, view), view.codec, edge_ms)
        target_ms = self._target(source, pieces)
        now_ms = self.now_ms()
        begins = now_ms - following.seen_ms > max(PAUSED_MS, 2 * target_ms)
        following.seen_ms = now_ms
        ahead_ms = edge_ms + (STARTED - 1) * target_ms
        pieces = begun_at(pieces, ahead_ms)
        if begins:  # with as few as possible: GStreamer begins four segments before the end, if there are as many
            playlist = self._timeshift(source, pieces, edge_ms, STARTED)
            following.from_ms = playlist.pieces[0].begin_ms
            return playlist
        return self._timeshift(source, ending_after(pieces, following.from_ms) or pieces, edge_ms)

    async def timeshift_abs(self, source: Source, from_ms: int, opened_ms: int, view: View) -> MediaPlaylist:
        """`opened_ms`: when the viewer's session began to watch this."""
        if from_ms > self.now_ms():
            raise no_recordings()
        pieces, edge_ms = await self._since(source, from_ms, self.now_ms() - opened_ms, view)
        return self._timeshift(source, pieces, edge_ms)

    # -- choosing segments --------------------------------------------------------------------------------------------

    async def _pieces(self, source: Source, begin_ms: int, end_ms: int, view: View, only: Only) -> list[Piece]:
        if end_ms <= begin_ms:
            raise no_recordings()
        pieces = await self.blocks.pieces(source, Range(begin_ms, end_ms), view, only)
        if not pieces:  # a window shorter than a segment: better the segment around it than nothing
            around = await self.blocks.pieces(source, Range(max(0, begin_ms - LOOK_BACK_MS), begin_ms), view, only)
            pieces = [piece for piece in last_of(around, 1) if piece.end_ms > begin_ms]
        if not pieces:
            raise no_recordings()
        return pieces

    async def _at(self, source: Source, edge_ms: int, view: View) -> list[Piece]:
        """Segments around `edge_ms`, some of which have begun then; in a gap, those before the gap."""
        for end_ms in (edge_ms, self._recorded_before(source, edge_ms - LOOK_BACK_MS)):
            if end_ms is None or end_ms <= 0:
                continue
            window = Range(max(0, end_ms - LOOK_BACK_MS), end_ms + LOOK_BACK_MS)
            pieces = await self.blocks.pieces(source, window, view)
            if pieces and pieces[0].begin_ms <= edge_ms:
                return pieces
        raise no_recordings()

    async def _since(self, source: Source, from_ms: int, age_ms: int, view: View) -> tuple[list[Piece], int]:
        """
        Where a session that began at `from_ms` is after `age_ms` of recordings, gaps not counted: the segments up to
        there and those that a player skips, and the moment.
        """
        ranges = source.archive.ranges(Range(from_ms, max(from_ms, self.now_ms()))) if source.archive else RangeSet()
        if not ranges and (source.window is None or not source.window.segments):
            raise no_recordings()
        begin_ms = ranges[0].begin_ms if ranges else from_ms
        edge_ms = _moment(ranges, begin_ms, age_ms)
        ahead_ms = _moment(ranges, begin_ms, age_ms + LOOK_BACK_MS)
        pieces = await self.blocks.pieces(source, Range(max(0, edge_ms - LOOK_BACK_MS), ahead_ms + 1), view)
        pieces = run_at(ending_after(pieces, begin_ms), view.codec, edge_ms)
        if not pieces:
            raise no_recordings()
        return pieces, max(edge_ms, pieces[0].begin_ms)

    def _recorded_before(self, source: Source, edge_ms: int) -> int | None:
        """The end of the last recording that begins before `edge_ms`."""
        if source.archive is None or edge_ms <= 0:
            return None
        bounds = source.archive.ranges(Range(0, edge_ms)).bounds
        return bounds.end_ms if bounds else None

    # -- presenting them ----------------------------------------------------------------------------------------------

    def _timeshift(self, source: Source, pieces: Sequence[Piece], edge_ms: int, count: int = SHOWN) -> MediaPlaylist:
        """The list of a viewer who is at `edge_ms` of `pieces`, of `count` segments or more."""
        begun = count_of(begun_at(pieces, edge_ms))
        shown = first_of(pieces, max(begun, 1) - 1 + STARTED)
        shown = last_of(shown, max(count, enough_of(shown, self._target(source, pieces))))
        passed = [int((np.minimum(ends, edge_ms) - begins).clip(0).sum()) for begins, ends in map(bounds, shown)]
        return replace(self._sliding(source, shown), start_ms=sum(passed))

    def _sliding(self, source: Source, pieces: list[Piece]) -> MediaPlaylist:
        sequence, apart = self.discontinuities.before(source, pieces[0])
        return self._playlist(source, pieces, sequence=sequence, apart=apart)

    def _playlist(
        self,
        source: Source,
        pieces: Sequence[Piece],
        kind: str = "",
        ended: bool = False,
        sequence: int = 0,
        apart: bool = False,
    ) -> MediaPlaylist:
        """`apart`: whether the first segment does not continue the one before the list."""
        target = max(piece.block.longest_ms for piece in pieces) if ended else self._target(source, pieces)
        pieces = [replace(pieces[0], discontinuity=apart), *pieces[1:]]
        return MediaPlaylist(pieces, kind, ended, target, sequence)

    def _target(self, source: Source, pieces: Sequence[Piece]) -> int:
        """Of the blobs, not of the segments shown, so that it stays as the list slides."""
        longest = max(piece.block.longest_ms for piece in pieces)
        return longest if source.window is None else max(longest, source.window.target_ms)


def _from_the_first_there(pieces: list[Piece]) -> list[Piece]:
    """
    Without the missing segments that a list would begin with: players that do not know `EXT-X-GAP` find out from the
    first segment what there is.
    """
    first = next((number for number, piece in enumerate(pieces) if not piece.block.gap), 0)
    return pieces[first:]


def _moment(ranges: RangeSet, begin_ms: int, age_ms: int) -> int:
    """Where one is after `age_ms` of `ranges`; what comes after all of them counts, too."""
    left, at_ms = age_ms, begin_ms
    for recorded in ranges:
        at_ms = recorded.begin_ms + min(left, recorded.duration_ms)
        left -= recorded.duration_ms
        if left <= 0:
            return at_ms
    return at_ms + left
