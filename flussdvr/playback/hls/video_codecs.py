# -*- test-case-name: tests.playback.hls.test_video_codecs -*-
"""
One codec of the pictures for a whole list.

    recorded        | H.264  | H.265 | H.264 |
    mono...h264     | H.264  |       | H.264 |      what is recorded otherwise is missing, as where nothing is recorded
    mono...h265              | H.265 |
    mono            as the first of them

No player that we know follows from one codec to another within a list of fMP4, and browsers refuse what they cannot
decode. A list that ends has a hole for the rest, which all of them pass over as they pass over a gap of the recording;
segments that are listed and marked as missing (`EXT-X-GAP`) are fetched and decoded all the same by ffmpeg.

The segments of a list that slides are numbered without a hole (RFC 8216 section 6.2.1). So it shows one run between
two changes, and goes on with the next when that is a list by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flussdvr.media import Codec
from flussdvr.playback.hls.pieces import wanted_ms
from flussdvr.playback.hls.playlist import Block, Piece
from flussdvr.playback.sources import no_such_tracks

Run = list[Piece]


def recorded_codec(block: Block) -> Codec | None:
    """Of the recording's pictures, whether the list shows them or not."""
    return next((track.codec for track in block.tracks if track.is_video), None)


def shown_codecs(pieces: Sequence[Piece]) -> list[Codec]:
    """Of the pictures that the pieces show, in the order in which they come first."""
    return list(dict.fromkeys(track.codec for piece in pieces for track in piece.block.shown if track.is_video))


def with_codec(pieces: Sequence[Piece], codec: Codec | None) -> list[Piece]:
    """
    Without recordings whose pictures have another codec than `codec`, or than the first that is shown for `None`.

    Raises `DvrError` NOT_FOUND where none is left.
    """
    if codec is None:
        codec = next(iter(shown_codecs(pieces)), None)
        if codec is None:
            return list(pieces)
    kept: list[Piece] = []
    apart = False
    for piece in pieces:
        if recorded_codec(piece.block) not in (codec, None):
            apart = True
            continue
        kept.append(replace(piece, discontinuity=True) if apart and kept else piece)
        apart = False
    if pieces and not any(recorded_codec(piece.block) for piece in kept):
        raise no_such_tracks()
    return kept


def newest_run(pieces: Sequence[Piece], codec: Codec | None, target_ms: int) -> Run:
    """
    What a list that slides shows of `pieces`: the newest run of one codec (of `codec`, if it is not `None`) that is
    three target durations long, or the oldest while none is. So it never goes back. Raises as `with_codec`.
    """
    found = runs(pieces, codec)
    if len(found) > 1 and recorded_codec(found[0][0].block) is None:
        del found[0]  # perhaps the end of a run whose pictures have left the window
    for run in reversed(found):
        if sum(piece.duration_ms for piece in run) >= wanted_ms(target_ms):
            return run
    return found[0] if found else []


def run_at(pieces: Sequence[Piece], codec: Codec | None, edge_ms: int) -> Run:
    """The last run of one codec (of `codec`) that has begun at `edge_ms`, or the first. Raises as `with_codec`."""
    found = runs(pieces, codec)
    return next((run for run in reversed(found) if run[0].begin_ms <= edge_ms), found[0] if found else [])


def runs(pieces: Sequence[Piece], codec: Codec | None) -> list[Run]:
    """
    `pieces` cut where the codec of the pictures changes, with `codec` those of it. Recordings without pictures belong
    to those before them. Raises as `with_codec`.
    """
    found: list[tuple[Codec | None, Run]] = []
    for piece in pieces:
        own = recorded_codec(piece.block)
        if not found or own not in (found[-1][0], None):
            found.append((own, []))
        found[-1][1].append(piece)
    of_codec = [run for own, run in found if codec is None or own is codec]
    if found and not of_codec:
        raise no_such_tracks()
    return of_codec
