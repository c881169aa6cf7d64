"""
A window of the archive as one MP4: a head that is computed, and extents of the blobs as they are.

    ftyp
    moov
      mvhd
      trak              one per kind, number and codec of track
        tkhd
        edts: elst      presents exactly from the window's beginning; starts a track late that is not there yet
        mdia: mdhd hdlr
          minf: vmhd | smhd, dinf
            stbl        stsd: one entry per codec configuration, of NAL units one in all (then the sets that change
                        are in front of the sync samples); stts ctts stss stsc stsz co64
      [udta]            title, comment, date
    mdat                64 bit: the extents and what is put between them (`mdat`). The moofs in them are bytes that
                        nothing refers to

Time: what a piece shows first is shown where the pieces before it end, in every track; all times are computed from
there and not summed up, so nothing drifts apart. The last sample of a piece lasts until the first of the next one.
The same fragments and window give the same bytes. Blobs are taken one after the other and let go of: what is held are
the tables of the file alone.  ISO/IEC 14496-12 §8.2-8.7; §8.6.6 (edit list).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.made import Made, size_of
from flussdvr.formats.mp4.cut import cut_video
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.ilst import Metadata
from flussdvr.formats.mp4.mdat import MdatPart, part_size
from flussdvr.formats.mp4.media import Media
from flussdvr.formats.mp4.moov import write_head
from flussdvr.formats.mp4.sample_entry import write_sample_entry
from flussdvr.formats.mp4.shown import shown
from flussdvr.formats.mp4.stbl import MAX_DELTA
from flussdvr.formats.taken import Taken
from flussdvr.media import Codec, Track
from flussdvr.timeline import Range, to_ms

__all__ = ["Gaps", "Mp4Builder", "Mp4Head", "Piece", "head", "one_frame"]

T = TypeVar("T")
Gaps = Literal["skip", "keep"]
Key = tuple[bool, int, Codec]
"""
Output tracks are told apart by kind, number and codec: the second audio track of one blob goes on as that of the next,
unless that needs another decoder.
"""

HELD_BYTES = 8 << 20
"""Of samples; those of pieces that can be read again are let go of when it is more."""
SEAM_MS = 50
"""Blobs nearer than this follow one another: the rounding of a picture's duration, not a gap."""


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Fragments `[first, stop)` of one blob; `base` is whatever says which blob it is and is not looked at. `again`, if
    there is such a thing, reads the table again from the disk where `place` is, and raises what that raises.
    """

    table: FragmentTable
    first: int
    stop: int
    base: Hashable = None
    again: Callable[[], FragmentTable] | None = None
    place: object | None = None


@dataclass(frozen=True, slots=True)
class Mp4Head:
    """
    A virtual MP4: `head`, of which parts are made when they are wanted, then `parts`: each bytes, or (number of the
    piece, offset in its blob, length).

    It begins with what was shown at `begin_ms`, UTC, and lasts `duration_ms`. `held`: bytes of memory that the head is
    made of.
    """

    head: tuple[bytes | Made, ...]
    parts: Sequence[MdatPart]
    begin_ms: int
    duration_ms: int
    held: int = 0

    def __len__(self) -> int:
        return size_of(self.head) + sum(part_size(part) for part in self.parts)

    def body(self, extent: Callable[[int, int, int], T]) -> list[bytes | Made | T]:
        """The whole file: its parts, and what `extent` makes of (number of the piece, offset, length)."""
        return [*self.head, *(part if isinstance(part, bytes) else extent(*part) for part in self.parts)]


@dataclass(slots=True)
class _Span:
    """
    An uninterrupted part of the window in one blob, shown from `out_ms` of the output on.

    `joined`: it goes on where the span before ends. `tracks`: with the sample entry of each.
    """

    piece: int
    again: Callable[[], FragmentTable] | None
    place: object | None
    table: FragmentTable
    fragments: tuple[int, int]
    begin_ms: int
    end_ms: int
    tracks: dict[Key, tuple[Track, bytes]]
    out_ms: int = 0
    joined: bool = False


class Mp4Builder:
    """
    An MP4 of `window`, from one piece after the other in the order of time.

    `tracks`: ids of those wanted, all if `None`. `gaps`: "skip" shows what follows a gap at once, "keep" after as long
    as it was. In one thread at a time.
    """

    def __init__(
        self,
        window: Range,
        *,
        tracks: Collection[int] | None = None,
        gaps: Gaps = "skip",
        metadata: Metadata | None = None,
    ) -> None:
        self._window = window
        self._tracks = tracks
        self._gaps = gaps
        self._metadata = metadata
        self._count = 0
        self._media: dict[Key, Media | None] = {}
        self._pieces: list[int] = []
        """Of each span, the number of its piece."""
        self._begin_ms = 0
        self._before: dict[Key, tuple[Track, bytes]] = {}
        """The tracks of the span before the latest."""
        self._latest: _Span | None = None
        """The span that is looked at when it is known what follows."""

    def add(self, piece: Piece, tracks: Collection[int] | None = None) -> None:
        """
        `tracks`: those wanted of this piece, if other ones than of all. Raises `FormatError` for an index that
        contradicts itself, `DvrError` OUT_OF_RANGE.
        """
        for span in _spans(self._count, piece, self._window, self._tracks if tracks is None else tracks):
            before = self._latest
            if before is None:
                self._begin_ms = span.begin_ms
            else:
                _place(before, span, self._gaps)
                self._cut(before, span)
            self._latest = span
        self._count += 1

    def finish(self) -> Mp4Head:
        """The whole. Raises `DvrError` NOT_FOUND where there is nothing in the window; as `add`. To be called once."""
        span, self._latest = self._latest, None
        if span is not None:
            self._cut(span, None)
        media = [one for one in self._media.values() if one is not None and one.end > 0]
        if not media or span is None:
            raise DvrError(Kind.NOT_FOUND, "no_recordings", "Nothing is recorded in this window.")
        for one in media:
            one.carry_sets()
        duration_ms = span.out_ms + span.end_ms - span.begin_ms
        head, parts = write_head(self._pieces, media, self._begin_ms, duration_ms, self._metadata)
        return Mp4Head(head, parts, self._begin_ms, duration_ms, sum(one.nbytes for one in media))

    def _cut(self, span: _Span, after: _Span | None) -> None:
        """Take what the tracks have in `span`."""
        number = len(self._pieces)
        for key, (track, entry) in span.tracks.items():
            media = self._media.setdefault(key, None)
            joined = span.joined and key in self._before and self._before[key][1] == entry
            joins = after is not None and after.joined and key in after.tracks and after.tracks[key][1] == entry
            target, after_dts = (media.track, media.parts[-1].last_dts) if media is not None else (track, None)
            taken = Taken(
                *(track, target, span.fragments, span.begin_ms, None if joins else span.end_ms, joined),
                *(int(number == 0), span.out_ms, after_dts),
            )
            self._take(number, span, key, entry, taken)
        self._pieces.append(span.piece)
        self._before = span.tracks
        held = [one for one in self._media.values() if one is not None]
        if sum(part.samples_nbytes for one in held for part in one.fresh) > HELD_BYTES:
            for one in held:
                one.let_go()

    def _take(self, number: int, span: _Span, key: Key, entry: bytes, taken: Taken) -> None:
        """Lay the samples of one track out in the output's time."""
        cut, dts, pts = taken.lay_out(span.table)
        if not len(dts):
            return
        media = self._media[key]
        if media is None:
            media = self._media[key] = Media(taken.target, key[1])
        again = taken.again(span.table, span.again) if span.again is not None else None
        media.add(number, entry, cut, dts, pts, again, span.place)


def head(
    pieces: Sequence[Piece],
    window: Range,
    *,
    tracks: Collection[int] | None = None,
    gaps: Gaps = "skip",
    metadata: Metadata | None = None,
) -> Mp4Head:
    """As `Mp4Builder`, of `pieces` that are all there."""
    builder = Mp4Builder(window, tracks=tracks, gaps=gaps, metadata=metadata)
    for piece in pieces:
        builder.add(piece)
    return builder.finish()


def one_frame(table: FragmentTable, fragment: int, track: Track) -> Mp4Head:
    """An MP4 of nothing but the sync sample that `fragment` begins with. Raises `DvrError` where it has none."""
    cut = cut_video(table, track, (fragment, fragment + 1), int(table.begin_ms[fragment]), None, False)[:1]
    if not len(cut) or not cut.sync[0]:
        raise DvrError(Kind.NOT_FOUND, "no_sync_sample", "This fragment does not begin with a key frame.")
    zero = np.zeros(1, np.int64)
    media = Media(track, 0)
    media.add(0, write_sample_entry(track), cut, zero, zero)
    media.last = min(max(int(cut.durations[0]), 1), MAX_DELTA)
    begin_ms, duration_ms = to_ms(int(cut.pts[0]), track.timescale), max(to_ms(media.last, track.timescale), 1)
    head, parts = write_head([0], [media], begin_ms, duration_ms, None)
    return Mp4Head(head, parts, begin_ms, duration_ms)


# --- where everything goes --------------------------------------------------------------------------------------------


def _spans(number: int, piece: Piece, window: Range, wanted: Collection[int] | None) -> Iterator[_Span]:
    """The parts of a piece inside `window`; one more where something in the middle of it was deleted."""
    table, first, stop = piece.table, max(piece.first, 0), min(piece.stop, len(piece.table))
    if first >= stop:
        return
    for begin, end in table.stretches(first, stop):
        begin_ms = max(int(table.begin_ms[begin]), window.begin_ms)
        end_ms = min(int(table.end_ms[end - 1]), window.end_ms)
        if begin_ms < end_ms:
            tracks = _keyed(table, wanted)
            yield _Span(number, piece.again, piece.place, table, (begin, end), begin_ms, end_ms, tracks)


def _keyed(table: FragmentTable, wanted: Collection[int] | None) -> dict[Key, tuple[Track, bytes]]:
    keyed: dict[Key, tuple[Track, bytes]] = {}
    numbers = {True: 0, False: 0}
    for track in table.tracks:
        if wanted is None or track.id in wanted:
            keyed[track.is_video, numbers[track.is_video], track.codec] = track, write_sample_entry(track)
        numbers[track.is_video] += 1
    return keyed


def _place(before: _Span, span: _Span, gaps: Gaps) -> None:
    """
    Set where in the output `span` is shown, and where that ends what is `before` it. After a gap that is skipped it is
    up to a millisecond later, so that its first picture does not come before the last one in front of it is over.
    """
    gap_ms = span.begin_ms - before.end_ms
    deleted = span.piece == before.piece  # however short: references are missing
    if abs(gap_ms) <= SEAM_MS and span.begin_ms > before.begin_ms and not deleted:
        before.end_ms, span.joined, gap_ms = span.begin_ms, True, 0
    kept_ms = max(gap_ms, 0) if gaps == "keep" else 0
    span.out_ms = before.out_ms + before.end_ms - before.begin_ms + kept_ms
    if not span.joined and kept_ms == 0 and _fraction(span, 0) < _fraction(before, 1):
        span.out_ms += 1


def _fraction(span: _Span, which: int) -> Fraction:
    """How far into a millisecond the first picture of a span is shown (0), or the last is over (1)."""
    track = next((track for (is_video, *_), (track, _) in span.tracks.items() if is_video), None)
    bounds = shown(span.table, track, *span.fragments) if track is not None else None
    if track is None or bounds is None:
        return Fraction(0)
    return Fraction(bounds[which] * 1000, track.timescale) % 1
