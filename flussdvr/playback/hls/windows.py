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

RFC 8216. The first segment of an archive's list begins not before F and the last not after F+D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from flussdvr.formats.codecs.silence import silent_track
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.formats.mpegts.lane import CARRIED, NotCarried
from flussdvr.media import Track
from flussdvr.playback.hls.blocks import Blocks
from flussdvr.playback.hls.discontinuities import Discontinuities
from flussdvr.playback.hls.playlist import (
    Column,
    MediaPlaylist,
    Piece,
    Rendition,
    Variant,
    bandwidth,
    ts_bandwidth,
    with_query,
)
from flussdvr.playback.selection import spell_selection, track_names
from flussdvr.playback.sources import Source, no_recordings, no_such_tracks
from flussdvr.playback.ts.continuity import corrupt
from flussdvr.playback.view import View
from flussdvr.timeline import Range, RangeSet

SHOWN = 4
"""Segments in the playlist of a timeshift, at least."""
STARTED = 3
"""How many segments before the end of a list that slides a player begins (RFC 8216 section 6.3.3)."""
MEASURED = 48
"""Blobs of a window that a multivariant playlist looks at to tell the peak of its bandwidth."""
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
        pieces = self.blocks.live(source, view)
        if window is None or not pieces:
            raise no_recordings()
        _require_carried(pieces, view)
        return MediaPlaylist(pieces, target_ms=window.target_ms, discontinuity_sequence=window.discontinuity_sequence)

    async def archive(
        self, source: Source, begin_ms: int, duration_ms: int | None, event: bool, view: View
    ) -> MediaPlaylist:
        """`duration_ms` is `None` for `now`."""
        now = self.now_ms()
        end_ms = now if duration_ms is None else begin_ms + duration_ms
        pieces = await self._pieces(source, begin_ms, end_ms, view)
        _require_carried(pieces, view)
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
        return self._sliding(source, _last(pieces, max(inside, _enough(pieces, self._target(source, pieces)))))

    async def timeshift_rel(self, source: Source, delay_ms: int, view: View, following: Following) -> MediaPlaylist:
        """`following`: what the viewer has been given so far."""
        edge_ms = self.now_ms() - delay_ms
        pieces = await self._at(source, edge_ms, view)
        target_ms = self._target(source, pieces)
        now_ms = self.now_ms()
        begins = now_ms - following.seen_ms > max(PAUSED_MS, 2 * target_ms)
        following.seen_ms = now_ms
        ahead_ms = edge_ms + (STARTED - 1) * target_ms
        pieces = _begun(pieces, ahead_ms)
        if begins:  # with as few as possible: GStreamer begins four segments before the end, if there are as many
            playlist = self._timeshift(source, pieces, edge_ms, STARTED)
            following.from_ms = playlist.pieces[0].begin_ms
            return playlist
        return self._timeshift(source, _ending_after(pieces, following.from_ms) or pieces, edge_ms)

    async def timeshift_abs(self, source: Source, from_ms: int, opened_ms: int, view: View) -> MediaPlaylist:
        """`opened_ms`: when the viewer's session began to watch this."""
        if from_ms > self.now_ms():
            raise no_recordings()
        pieces, edge_ms = await self._since(source, from_ms, self.now_ms() - opened_ms, view)
        return self._timeshift(source, pieces, edge_ms)

    # -- the multivariant playlist ------------------------------------------------------------------------------------

    async def variant(
        self,
        source: Source,
        window: Range | None,
        view: View,
        child: str,
        up: str,
        query: str,
        measured: int = MEASURED,
        grows: bool = False,
    ) -> Variant:
        """
        The one variant of a stream in `window` (`None`: live); `child` is the media playlist's name, `up` the way
        from the playlist to the stream's own directory. Bandwidth: the peak of all that the live
        list has ever had, or of the first `measured` blobs of the window. A list that `grows` gets its tracks by name:
        what comes to it later must not change them.
        """
        if window is None:
            pieces = self.blocks.recorded_live(source, view)
        else:
            pieces = await self.blocks.recorded(source, window, view, enough=measured)
        if not pieces:
            raise no_recordings()
        peak, average = bandwidth(pieces)
        if window is None and source.window is not None:
            peak = max(peak, source.window.peak_bps)
        if view.container == "ts":
            peak, average = ts_bandwidth(peak), ts_bandwidth(average)
        _require_carried(pieces, view)
        tracks, names, silence = _shown(pieces)
        if not tracks:
            raise no_such_tracks()
        video = next((track for track in tracks if track.is_video), None)
        audio = [track for track in tracks if not track.is_video]
        playlist = f"{child}.{view.container}.m3u8"
        renditions: list[Rendition] = []
        choice: str | None = spell_selection(view.selection) if view.selection else None
        if video is not None and len(audio) > 1:
            choice = names[video]
            renditions = [
                _rendition(track, names[track], with_query(f"{up}tracks-{names[track]}/{playlist}", query), first)
                for first, track in ((track is audio[0], track) for track in audio)
            ]
        elif choice is None and grows:
            choice = "".join(names[track] for track in tracks)
        folder = f"tracks-{choice}/" if choice else ""
        codecs = [codec_string(track) for track in tracks]
        if silence and audio:
            codecs.append(codec_string(silent_track(0)))
        return Variant(
            with_query(f"{up}{folder}{playlist}", query),
            peak,
            average,
            tuple(dict.fromkeys(codecs)),
            video.width if video else 0,
            video.height if video else 0,
            video.frame_rate if video else None,
            tuple(renditions),
        )

    # -- choosing segments --------------------------------------------------------------------------------------------

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
        pieces = _ending_after(pieces, begin_ms)
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
        begun = _count(_begun(pieces, edge_ms))
        shown = _first(pieces, max(begun, 1) - 1 + STARTED)
        shown = _last(shown, max(count, _enough(shown, self._target(source, pieces))))
        passed = [int((np.minimum(ends, edge_ms) - begins).clip(0).sum()) for begins, ends in map(_bounds, shown)]
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


def _require_carried(pieces: Sequence[Piece], view: View) -> None:
    """Raises `DvrError` where the container has no place for a track: a list without it would hide that."""
    if view.container != "ts":
        return
    for track in pieces[-1].block.shown:
        if track.codec not in CARRIED:
            raise corrupt(NotCarried(track.codec))


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


def _shown(pieces: Sequence[Piece]) -> tuple[list[Track], dict[Track, str], bool]:
    """
    The tracks of a list, each as the newest recording has it, their names, and whether any recording lacks a sound
    that another has.
    """
    found: dict[str, Track] = {}
    for piece in pieces:
        names = track_names(piece.block.tracks)
        found.update((names[track.id], track) for track in piece.block.shown)
    sounds = {sum(not track.is_video for track in piece.block.shown) for piece in pieces}
    ordered = sorted(found, key=lambda name: (name[0] != "v", int(name[1:])))
    return [found[name] for name in ordered], {found[name]: name for name in ordered}, len(sounds) > 1


def _rendition(track: Track, name: str, uri: str, default: bool) -> Rendition:
    label = track.language if track.language not in ("", "und") else name
    return Rendition(f"{label} ({name})" if label != name else name, track.language, uri, track.channels, default)


def _bounds(piece: Piece) -> tuple[Column, Column]:
    return piece.block.begin_ms[piece.first : piece.stop], piece.block.end_ms[piece.first : piece.stop]


def _count(pieces: Sequence[Piece]) -> int:
    return sum(piece.stop - piece.first for piece in pieces)


def _begun(pieces: Sequence[Piece], edge_ms: int) -> list[Piece]:
    """Without the segments that begin after `edge_ms`."""
    return _first(pieces, sum(int((_bounds(piece)[0] <= edge_ms).sum()) for piece in pieces))


def _ending_after(pieces: Sequence[Piece], begin_ms: int) -> list[Piece]:
    """Without the segments that are over at `begin_ms`."""
    return _last(pieces, sum(int((_bounds(piece)[1] > begin_ms).sum()) for piece in pieces))


def _enough(pieces: Sequence[Piece], target_ms: int) -> int:
    """How many of the last segments are three target durations (RFC 8216 section 6.2.2); all if they are less."""
    wanted, count = 3 * -(-target_ms // 1000) * 1000, 0
    for piece in reversed(pieces):
        begins, ends = _bounds(piece)
        for duration in (ends - begins)[::-1].tolist():
            if wanted <= 0:
                return count
            wanted -= duration
            count += 1
    return count


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
