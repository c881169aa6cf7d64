"""
HLS of the live window and the archive: which segments a playlist lists, and how it presents itself.

    live            the live window                                        slides
    F-D             begins in [F, F+D)                                     VOD; EVENT while it may still grow
    F-now           begins in [F, now)                                     EVENT
    rewind-N        begins in [now-N, now)                                 slides
    timeshift_rel   the last few that end before now-N                     slides
    timeshift_abs   the last few that end before F + the session's age     slides, gaps are skipped

RFC 8216; product.md §3-4. The first segment begins not before F and the last not after F+D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flussdvr.formats.codec_string import codec_string
from flussdvr.media import Track
from flussdvr.playback.blocks import Blocks
from flussdvr.playback.discontinuities import Discontinuities
from flussdvr.playback.playlist import MediaPlaylist, Piece, Rendition, Variant, bandwidth, with_query
from flussdvr.playback.selection import selected, spell_selection, track_names
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.playback.view import View
from flussdvr.timeline import Range

SHOWN = 4
"""Segments in the playlist of a timeshift."""
STARTED = 3
"""Segments in the first playlist of a timeshift_abs: players begin three before the end (RFC 8216 §6.3.3)."""
LOOK_BACK_MS = 120_000


@dataclass(frozen=True, slots=True)
class Hls:
    """`now_ms`: the wall clock."""

    blocks: Blocks
    discontinuities: Discontinuities
    now_ms: Callable[[], int]

    # -- media playlists ----------------------------------------------------------------------------------------------

    async def live(self, source: Source, view: View) -> MediaPlaylist:
        window = source.window
        pieces = list(self._live_pieces(source, view))
        if window is None or not pieces:
            raise no_recordings()
        return MediaPlaylist(pieces, target_ms=window.target_ms, discontinuity_sequence=window.discontinuity_sequence)

    async def archive(
        self, source: Source, begin_ms: int, duration_ms: int | None, event: bool, view: View
    ) -> MediaPlaylist:
        """`duration_ms` is `None` for `now`."""
        now = self.now_ms()
        end_ms = now if duration_ms is None else begin_ms + duration_ms
        pieces = await self._pieces(source, begin_ms, end_ms, view)
        grows = duration_ms is None or (event and end_ms > now)
        return self._playlist(source, pieces, "EVENT" if grows else "VOD", not grows)

    async def rewind(self, source: Source, back_ms: int, view: View) -> MediaPlaylist:
        now = self.now_ms()
        pieces = await self._pieces(source, max(0, now - back_ms), now, view)
        return self._sliding(source, pieces)

    async def timeshift_rel(self, source: Source, delay_ms: int, view: View) -> MediaPlaylist:
        return self._sliding(source, await self._before(source, self.now_ms() - delay_ms, view, SHOWN))

    async def timeshift_abs(self, source: Source, from_ms: int, opened_ms: int, view: View) -> MediaPlaylist:
        """`opened_ms`: when the viewer's session began to watch this."""
        if from_ms > self.now_ms():
            raise no_recordings()
        return self._sliding(source, await self._since(source, from_ms, self.now_ms() - opened_ms, view))

    # -- the multivariant playlist ------------------------------------------------------------------------------------

    async def variant(
        self, source: Source, window: Range | None, view: View, child: str, up: str, query: str
    ) -> Variant:
        """
        The one variant of a stream in `window` (`None`: live); `child` is the media playlist's name, `up` the way
        from the playlist to the stream's own directory. Bandwidth is measured on the first recordings of the window.
        """
        if window is None:
            pieces = list(self._live_pieces(source, view))
        else:
            pieces = await self.blocks.pieces(source, window, view, enough=2)
        if not pieces:
            raise no_recordings()
        peak, average = bandwidth(pieces)
        tracks = selected(pieces[-1].block.tracks, view.selection)
        names = track_names(pieces[-1].block.tracks)
        video = next((track for track in tracks if track.is_video), None)
        audio = [track for track in tracks if not track.is_video]
        playlist = f"{child}.{view.container}.m3u8"
        renditions: list[Rendition] = []
        choice: str | None = spell_selection(view.selection) if view.selection else None
        if video is not None and len(audio) > 1:
            choice = names[video.id]
            renditions = [
                _rendition(track, names[track.id], with_query(f"{up}tracks-{names[track.id]}/{playlist}", query), first)
                for first, track in ((track is audio[0], track) for track in audio)
            ]
        folder = f"tracks-{choice}/" if choice else ""
        return Variant(
            with_query(f"{up}{folder}{playlist}", query),
            peak,
            average,
            tuple(dict.fromkeys(codec_string(track) for track in tracks)),
            video.width if video else 0,
            video.height if video else 0,
            video.frame_rate if video else None,
            tuple(renditions),
        )

    # -- choosing segments --------------------------------------------------------------------------------------------

    def _live_pieces(self, source: Source, view: View) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for block in self.blocks.of_live(source, view, None):
            pieces.append(Piece(block, 0, len(block), bool(pieces) or not block.continuous))
        return pieces

    async def _pieces(self, source: Source, begin_ms: int, end_ms: int, view: View) -> list[Piece]:
        if end_ms <= begin_ms:
            raise no_recordings()
        pieces = await self.blocks.pieces(source, Range(begin_ms, end_ms), view)
        if not pieces:  # a window shorter than a segment: better the segment around it than nothing
            around = await self.blocks.pieces(source, Range(max(0, begin_ms - LOOK_BACK_MS), begin_ms), view)
            pieces = [piece for piece in _last(around, 1) if piece.end_ms > begin_ms]
        if not pieces:
            raise no_recordings()
        return pieces

    async def _before(self, source: Source, edge_ms: int, view: View, count: int) -> list[Piece]:
        """The last `count` segments that end before `edge_ms`; in a gap, those before the gap."""
        for end_ms in (edge_ms, self._recorded_before(source, edge_ms - LOOK_BACK_MS)):
            if end_ms is None or end_ms <= 0:
                continue
            window = Range(max(0, end_ms - LOOK_BACK_MS), end_ms)
            pieces = _ended(await self.blocks.pieces(source, window, view), edge_ms)
            if pieces:
                return _last(pieces, count)
        raise no_recordings()

    async def _since(self, source: Source, from_ms: int, age_ms: int, view: View) -> list[Piece]:
        """What a session that began at `from_ms` has reached after `age_ms` of recordings, gaps not counted."""
        ranges = source.archive.ranges(Range(from_ms, max(from_ms, self.now_ms()))) if source.archive else ()
        begin_ms, left = None, age_ms
        edge_ms = from_ms
        for recorded in ranges:
            begin_ms = recorded.begin_ms if begin_ms is None else begin_ms
            edge_ms = recorded.begin_ms + min(left, recorded.duration_ms)
            left -= recorded.duration_ms
            if left <= 0:
                break
        if begin_ms is None:
            if source.window is None or not source.window.segments:
                raise no_recordings()
            begin_ms, edge_ms = from_ms, from_ms + age_ms
        # A player begins at the first of three segments, so the list is that much ahead of the session's clock.
        window = Range(max(begin_ms, edge_ms - LOOK_BACK_MS), edge_ms + LOOK_BACK_MS)
        pieces = await self.blocks.pieces(source, window, view)
        begun = sum(int((piece.block.begin_ms[piece.first : piece.stop] <= edge_ms).sum()) for piece in pieces)
        total = sum(piece.stop - piece.first for piece in pieces)
        keep = min(total, max(begun, 1) - 1 + STARTED)
        pieces = _last(_first(pieces, keep), SHOWN)
        if not pieces:
            raise no_recordings()
        return pieces

    def _recorded_before(self, source: Source, edge_ms: int) -> int | None:
        """The end of the last recording that begins before `edge_ms`."""
        if source.archive is None or edge_ms <= 0:
            return None
        bounds = source.archive.ranges(Range(0, edge_ms)).bounds
        return bounds.end_ms if bounds else None

    # -- presenting them ----------------------------------------------------------------------------------------------

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
        """
        Target duration: of the blobs, not of the segments shown, so that it stays as the list slides. `apart`: whether
        the first segment does not continue the one before the list.
        """
        target = max(piece.block.longest_ms for piece in pieces)
        if source.window is not None and not ended:
            target = max(target, source.window.target_ms)
        pieces = [replace(pieces[0], discontinuity=apart), *pieces[1:]]
        return MediaPlaylist(pieces, kind, ended, target, sequence)


def _rendition(track: Track, name: str, uri: str, default: bool) -> Rendition:
    label = track.language if track.language not in ("", "und") else name
    return Rendition(f"{label} ({name})" if label != name else name, track.language, uri, track.channels, default)


def _ended(pieces: Sequence[Piece], edge_ms: int) -> list[Piece]:
    """Without the segments that end after `edge_ms`."""
    result = []
    for piece in pieces:
        count = int((piece.block.end_ms[piece.first : piece.stop] <= edge_ms).sum())
        if count:
            result.append(Piece(piece.block, piece.first, piece.first + count, piece.discontinuity))
    return result


def _last(pieces: Sequence[Piece], count: int) -> list[Piece]:
    result: list[Piece] = []
    for piece in reversed(pieces):
        if count <= 0:
            break
        first = max(piece.first, piece.stop - count)
        result.insert(0, Piece(piece.block, first, piece.stop, piece.discontinuity and first == piece.first))
        count -= piece.stop - first
    return result


def _first(pieces: Sequence[Piece], count: int) -> list[Piece]:
    result: list[Piece] = []
    for piece in pieces:
        if count <= 0:
            break
        stop = min(piece.stop, piece.first + count)
        result.append(Piece(piece.block, piece.first, stop, piece.discontinuity))
        count -= stop - piece.first
    return result
