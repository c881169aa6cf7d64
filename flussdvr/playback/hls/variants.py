# -*- test-case-name: tests.playback.hls.test_windows -*-
"""
The multivariant playlist of a stream: its variants, and their sound where there are several.

    window     | H.264 | H.265 | H.264 |
    variants   mono...h264  mono...h265      each with the spans of one codec, for players that cannot decode all

What slides and stays near one moment (live, a timeshift) has one variant: what its list shows now. A long window is
not read whole for it: its first blobs and its newest tell the codecs and the bandwidth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flussdvr.formats.codecs.silence import silent_track
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.media import Codec, Track
from flussdvr.playback.hls.blocks import Blocks
from flussdvr.playback.hls.carried import require_carried
from flussdvr.playback.hls.playlist import Piece, Rendition, Variant, bandwidth, ts_bandwidth, with_query
from flussdvr.playback.hls.video_codecs import newest_run, run_at, shown_codecs, with_codec
from flussdvr.playback.selection import spell_selection, track_names
from flussdvr.playback.sources import Source, no_recordings, no_such_tracks
from flussdvr.playback.view import View
from flussdvr.timeline import Range

MEASURED = 48
"""Blobs of a window that are looked at to tell the peak of its bandwidth."""


@dataclass(frozen=True, slots=True)
class Extent:
    """
    What the lists of the variants are about. `window` is `None` for what is live; `edge_ms`: the moment that the list
    of a timeshift is at; `grows`: something may come to them later, at their end; `slides`: and leave at the other.
    """

    window: Range | None = None
    edge_ms: int | None = None
    grows: bool = True
    slides: bool = True
    measured: int = MEASURED


@dataclass(frozen=True, slots=True)
class Lists:
    """
    The URLs of the variants' lists: `child` is their name, `up` the way from the playlist to the stream's own
    directory, `query` what they inherit.
    """

    child: str
    up: str = ""
    query: str = ""

    def url(self, view: View, tracks: str = "", codec: Codec | None = None) -> str:
        folder = f"tracks-{tracks}/" if tracks else ""
        coded = f".{codec}" if codec else ""
        return with_query(f"{self.up}{folder}{self.child}{coded}.{view.container}.m3u8", self.query)


async def variants(blocks: Blocks, source: Source, extent: Extent, view: View, lists: Lists) -> list[Variant]:
    """
    One for each codec of the pictures, that of which there is most first. Bandwidth: the peak of all that the live
    list has ever had, or of what has been looked at. Raises `DvrError` NOT_FOUND.
    """
    pieces = await _pieces(blocks, source, extent, view)
    require_carried(pieces, view)
    codecs = [view.codec] if view.codec else shown_codecs(pieces)
    if len(codecs) < 2:
        return [_variant(source, pieces, extent, view, lists, next(iter(codecs), None), view.codec is not None)]
    parts = {codec: with_codec(pieces, codec) for codec in codecs}
    codecs.sort(key=lambda codec: -sum(piece.duration_ms for piece in parts[codec]))
    made = [_variant(source, parts[codec], extent, view, lists, codec, True) for codec in codecs]
    peak, average = (max(getattr(one, name) for one in made) for name in ("bandwidth", "average_bandwidth"))
    # The same of all: they are not the same pictures, and nobody is to change from one to the other for its bandwidth.
    return [replace(one, bandwidth=peak, average_bandwidth=average) for one in made]


async def _pieces(blocks: Blocks, source: Source, extent: Extent, view: View) -> list[Piece]:
    every = replace(view, codec=None)
    if extent.window is None:
        pieces = blocks.recorded_live(source, every)
    else:
        pieces = await blocks.measured(source, extent.window, every, extent.measured)
    if not pieces:
        raise no_recordings()
    if extent.window is None:
        return newest_run(pieces, view.codec, source.window.target_ms if source.window is not None else 0)
    if extent.edge_ms is not None:
        return run_at(pieces, view.codec, extent.edge_ms)
    return with_codec(pieces, view.codec) if view.codec is not None else pieces


def _variant(
    source: Source,
    pieces: Sequence[Piece],
    extent: Extent,
    view: View,
    lists: Lists,
    codec: Codec | None,
    named: bool,
) -> Variant:
    """
    Of `pieces`, whose pictures are of `codec`; `named`: the URL says which. A list that grows gets its tracks by name:
    what comes to it later must not change them.
    """
    peak, average = bandwidth(pieces)
    if extent.window is None and source.window is not None:
        peak = max(peak, source.window.peak_bps)
    if view.container == "ts":
        peak, average = ts_bandwidth(peak), ts_bandwidth(average)
    tracks, names, silence = _shown(pieces)
    if not tracks:
        raise no_such_tracks()
    video = next((track for track in tracks if track.is_video), None)
    audio = [track for track in tracks if not track.is_video]
    choice = spell_selection(view.selection) if view.selection else ""
    several = video is not None and len(audio) > 1
    # The list of a sound alone has no hole where the pictures have one, unless its URL says their codec.
    named = named or (several and extent.grows and not extent.slides)
    said = codec if named else None
    renditions: list[Rendition] = []
    if video is not None and several:
        choice = names[video]
        renditions = [
            _rendition(track, names[track], lists.url(view, names[track], said), track is audio[0]) for track in audio
        ]
    elif not choice and extent.grows:
        choice = "".join(names[track] for track in tracks)
    codecs = [codec_string(track) for track in tracks]
    if silence and audio:
        codecs.append(codec_string(silent_track(0)))
    return Variant(
        lists.url(view, choice, said),
        peak,
        average,
        tuple(dict.fromkeys(codecs)),
        video.width if video else 0,
        video.height if video else 0,
        video.frame_rate if video else None,
        tuple(renditions),
    )


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
