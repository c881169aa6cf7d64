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
The same fragments and window give the same bytes.  ISO/IEC 14496-12 §8.2-8.7; §8.6.6 (edit list).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.boxes import U32, box, full_box
from flussdvr.formats.cut import Cut, cut_audio, cut_video
from flussdvr.formats.fragment_table import FragmentTable
from flussdvr.formats.ilst import Metadata, metadata_box
from flussdvr.formats.in_band import in_band_sets
from flussdvr.formats.mdat import MdatPart, Stretches, lay_out, part_size
from flussdvr.formats.movie import handler, media_header, media_information, movie_header, track_header
from flussdvr.formats.sample_entry import write_sample_entry, write_stsd
from flussdvr.formats.sample_table import Ints
from flussdvr.formats.shown import shown
from flussdvr.formats.stbl import MAX_DELTA, co64, ctts, stsc, stss, stsz, stts
from flussdvr.media import Codec, Track
from flussdvr.timeline import Range, to_ms, to_ticks

__all__ = ["Gaps", "Mp4Head", "Piece", "head", "one_frame"]

T = TypeVar("T")
Gaps = Literal["skip", "keep"]
Key = tuple[bool, int, Codec]
"""
Output tracks are told apart by kind, number and codec: the second audio track of one blob goes on as that of the next,
unless that needs another decoder.
"""

SEAM_MS = 50
"""Blobs nearer than this follow one another: the rounding of a picture's duration, not a gap."""
FROM_1904 = 2_082_844_800
ELST_ENTRY = struct.Struct(">QqI")
NORMAL_RATE = 0x10000


@dataclass(frozen=True, slots=True)
class Piece:
    """Fragments `[first, stop)` of one blob; `base` is whatever says which blob it is and is not looked at."""

    table: FragmentTable
    first: int
    stop: int
    base: Hashable = None


@dataclass(frozen=True, slots=True)
class Mp4Head:
    """
    A virtual MP4: `head` and then the `parts`, each bytes or (number of the piece, offset in its blob, length).

    It begins with what was shown at `begin_ms`, UTC, and lasts `duration_ms`.
    """

    head: bytes
    parts: Sequence[MdatPart]
    begin_ms: int
    duration_ms: int

    def __len__(self) -> int:
        return len(self.head) + sum(part_size(part) for part in self.parts)

    def body(self, extent: Callable[[int, int, int], T]) -> list[bytes | T]:
        """The whole file: bytes, and what `extent` makes of (number of the piece, offset, length)."""
        return [self.head, *(part if isinstance(part, bytes) else extent(*part) for part in self.parts)]


@dataclass(slots=True)
class _Span:
    """
    An uninterrupted part of the window in one blob, shown from `out_ms` of the output on.

    `joined`: it goes on where the span before ends. `tracks`: with the sample entry of each.
    """

    piece: int
    table: FragmentTable
    fragments: tuple[int, int]
    begin_ms: int
    end_ms: int
    tracks: dict[Key, tuple[Track, bytes]]
    out_ms: int = 0
    joined: bool = False


@dataclass(slots=True)
class _Part:
    """
    What one output track has in one span; `chunks`: first sample of every contiguous stretch of bytes. `sets`: what is
    put in front of every sync sample.
    """

    span: int
    cut: Cut
    entry: bytes
    chunks: Ints
    sets: bytes = b""

    def sizes(self) -> Ints:
        """Of the samples in the output."""
        return self.cut.sizes + self.cut.sync * len(self.sets)

    def inserts(self) -> Ints:
        """Where in the blob the sync samples are that `sets` come before."""
        return self.cut.offsets[self.cut.sync] if self.sets else self.cut.offsets[:0]

    def begins(self) -> Ints:
        """Where the chunks begin in the blob."""
        return self.cut.offsets[self.chunks]

    def ends(self) -> Ints:
        """Where they end."""
        last = np.append(self.chunks[1:], len(self.cut)) - 1
        ends: Ints = self.cut.offsets[last] + self.cut.sizes[last]
        return ends


@dataclass(slots=True)
class _Media:
    """
    One output track: `dts` and `pts` of all its samples in the output, `last` the duration of the last, in ticks.
    `number`: which of its kind it is; tracks of one number follow each other, those of different ones are a choice.
    """

    track: Track
    number: int
    parts: list[_Part]
    dts: Ints
    pts: Ints
    last: int

    @property
    def end(self) -> int:
        """When nothing of it is shown any more."""
        return int(self.pts.max()) + self.last


def head(
    pieces: Sequence[Piece],
    window: Range,
    *,
    tracks: Collection[int] | None = None,
    gaps: Gaps = "skip",
    metadata: Metadata | None = None,
) -> Mp4Head:
    """
    `window` of `pieces`, which are in the order of time.

    `tracks`: ids of those wanted, all if `None`. `gaps`: "skip" shows what follows a gap at once, "keep" after as long
    as it was. Raises `DvrError` where there is nothing in the window, `FormatError` for an index that contradicts
    itself.
    """
    spans = list(_spans(pieces, window, tracks))
    _place(spans, gaps)
    keys = list(dict.fromkeys(key for span in spans for key in span.tracks))
    media = [one for key in keys if (one := _media(spans, key[1], _parts(spans, key))) is not None]
    if not media:
        raise DvrError(Kind.NOT_FOUND, "no_recordings", "Nothing is recorded in this window.")
    duration_ms = spans[-1].out_ms + spans[-1].end_ms - spans[-1].begin_ms
    return _write([span.piece for span in spans], media, spans[0].begin_ms, duration_ms, metadata)


def one_frame(table: FragmentTable, fragment: int, track: Track) -> Mp4Head:
    """An MP4 of nothing but the sync sample that `fragment` begins with. Raises `DvrError` where it has none."""
    cut = cut_video(table, track, (fragment, fragment + 1), int(table.begin_ms[fragment]), None, False)[:1]
    if not len(cut) or not cut.sync[0]:
        raise DvrError(Kind.NOT_FOUND, "no_sync_sample", "This fragment does not begin with a key frame.")
    zero = np.zeros(1, np.int64)
    duration = min(max(int(cut.durations[0]), 1), MAX_DELTA)
    part = _Part(0, cut, write_sample_entry(track), zero)
    media = _Media(track, 0, [part], zero, zero, duration)
    begin_ms = to_ms(int(cut.pts[0]), track.timescale)
    return _write([0], [media], begin_ms, max(to_ms(duration, track.timescale), 1), None)


# --- where everything goes --------------------------------------------------------------------------------------------


def _spans(pieces: Sequence[Piece], window: Range, wanted: Collection[int] | None) -> Iterator[_Span]:
    """The parts of `pieces` inside `window`; one more where something in the middle of a piece was deleted."""
    for number, piece in enumerate(pieces):
        table, first, stop = piece.table, max(piece.first, 0), min(piece.stop, len(piece.table))
        if first >= stop:
            continue
        for begin, end in table.stretches(first, stop):
            begin_ms = max(int(table.begin_ms[begin]), window.begin_ms)
            end_ms = min(int(table.end_ms[end - 1]), window.end_ms)
            if begin_ms < end_ms:
                yield _Span(number, table, (begin, end), begin_ms, end_ms, _keyed(table, wanted))


def _keyed(table: FragmentTable, wanted: Collection[int] | None) -> dict[Key, tuple[Track, bytes]]:
    keyed: dict[Key, tuple[Track, bytes]] = {}
    numbers = {True: 0, False: 0}
    for track in table.tracks:
        if wanted is None or track.id in wanted:
            keyed[track.is_video, numbers[track.is_video], track.codec] = track, write_sample_entry(track)
        numbers[track.is_video] += 1
    return keyed


def _place(spans: Sequence[_Span], gaps: Gaps) -> None:
    """
    Set where in the output each span is shown. After a gap that is skipped that is up to a millisecond later, so that
    its first picture does not come before the last one in front of it is over.
    """
    for before, span in pairwise(spans):
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


def _parts(spans: Sequence[_Span], key: Key) -> Iterator[_Part]:
    """What the output track `key` has in each of `spans`."""

    def entry(number: int) -> bytes | None:
        return spans[number].tracks[key][1] if number < len(spans) and key in spans[number].tracks else None

    for number, span in enumerate(spans):
        if key not in span.tracks:
            continue
        track, own = span.tracks[key]
        joined = span.joined and entry(number - 1) == own
        joins = number + 1 < len(spans) and spans[number + 1].joined and entry(number + 1) == own
        end_ms = None if joins else span.end_ms
        if track.is_video:
            cut = cut_video(span.table, track, span.fragments, span.begin_ms, end_ms, joined)
        else:
            preroll = int(number == 0)
            cut = cut_audio(span.table, track, span.fragments, span.begin_ms, end_ms, joined, preroll)
        if len(cut):
            yield _Part(number, cut, own, np.empty(0, np.int64))


def _media(spans: Sequence[_Span], number: int, parts: Iterable[_Part]) -> _Media | None:
    """
    Lay `parts` out in the output's time; `None` if nothing of them is shown in it.

    They are read one after the other, and their own times are let go of: a day has millions of samples.
    """
    media: _Media | None = None
    all_dts: list[Ints] = []
    all_pts: list[Ints] = []
    for part in parts:
        source, span = part.cut.track, spans[part.span]
        track = media.track if media else source
        dts, pts = (_to_output(times, source, track, span) for times in (part.cut.dts, part.cut.pts))
        if media and not track.is_video:
            # A frame of audio that would begin before the one in front of it: there is no room for both.
            later = dts > all_dts[-1][-1]
            part.cut, dts, pts = part.cut[later], dts[later], pts[later]
        if not len(dts):
            continue
        part.chunks = _chunks(part.cut)
        last = int(part.cut.durations[-1]) * track.timescale // source.timescale
        part.cut = part.cut.placed()
        all_dts.append(dts)
        all_pts.append(pts)
        if media is None:
            media = _Media(track, number, [part], dts, pts, last)
        else:
            media.parts.append(part)
            media.last = last
    if media is None:
        return None
    media.dts, media.pts = np.concatenate(all_dts), np.concatenate(all_pts)
    if media.end <= 0:
        return None
    media.dts = _in_order(media.dts, media.pts)
    _carry_sets(media)
    return media


def _carry_sets(media: _Media) -> None:
    """
    Where parameter sets change, bring them in front of each sync sample, and have one sample entry.

    Most players set up their decoder once, by the first entry, and also seek back over a change.
    """
    if len({part.entry for part in media.parts}) > 1 and in_band_sets(media.track):
        entry = write_sample_entry(media.track, in_band=True)
        for part in media.parts:
            part.sets, part.entry = in_band_sets(part.cut.track), entry


def _to_output(ticks: Ints, source: Track, target: Track, span: _Span) -> Ints:
    """UTC ticks of `source` as ticks of `target`, the timescale of the output, in the output's time."""
    if source.timescale == target.timescale:
        # One rounding for all that is joined, so that it stays exactly as far apart as it was.
        return ticks + to_ticks(span.out_ms - span.begin_ms, target.timescale)
    since = ticks - to_ticks(span.begin_ms, source.timescale)
    return since * target.timescale // source.timescale + to_ticks(span.out_ms, target.timescale)


def _in_order(dts: Ints, pts: Ints) -> Ints:
    """`dts`, earlier where they must be: each after the one before, and not after its own presentation."""
    if len(dts) > 1 and (np.diff(dts) <= 0).any():
        steps = np.arange(len(dts))
        dts = np.minimum.accumulate((dts - steps)[::-1])[::-1] + steps
    late = int((dts - pts).max())
    return dts - late if late > 0 else dts


def _chunks(cut: Cut) -> Ints:
    """Numbers of the samples that do not lie directly behind the one before."""
    apart = np.flatnonzero(cut.offsets[1:] != cut.offsets[:-1] + cut.sizes[:-1]) + 1
    return np.append(0, apart)


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(
    pieces: Sequence[int], media: Sequence[_Media], begin_ms: int, duration_ms: int, metadata: Metadata | None
) -> Mp4Head:
    """The head of `media`; `pieces`: of each span, the number of its piece."""
    parts, in_mdat = _mdat(pieces, media)
    main = min(media, key=lambda one: not one.track.is_video)
    movie = _Movie(main.track.timescale, duration_ms, _late(main), main.track, begin_ms // 1000 + FROM_1904)
    file_type = box(b"ftyp", b"isom", U32.pack(0x200), b"isomiso2mp41")
    header = movie_header(movie.timescale, movie.duration(), len(media) + 1, movie.created)
    traks = [_trak(one, number, movie, media) for number, one in enumerate(media, 1)]
    user_data = metadata_box(metadata) if metadata is not None else b""
    result = bytearray(file_type + box(b"moov", header, *traks, user_data))
    size = sum(part_size(part) for part in parts)
    result += struct.pack(">I4sQ", 1, b"mdat", 16 + size)
    end = len(file_type) + 8 + len(header)
    for trak, offsets in zip(traks, in_mdat, strict=True):
        # co64 is the end of every trak.
        end += len(trak)
        result[end - 8 * len(offsets) : end] = (offsets + len(result)).astype(">u8").tobytes()
    return Mp4Head(bytes(result), parts, begin_ms, duration_ms)


@dataclass(frozen=True, slots=True)
class _Movie:
    """`late`: by how many ticks of `main` less than a millisecond the first picture comes after the beginning."""

    timescale: int
    duration_ms: int
    late: int
    main: Track
    created: int

    def duration(self) -> int:
        return to_ticks(self.duration_ms, self.timescale) - self.late


def _late(main: _Media) -> int:
    first = int(main.pts[0])
    return first if 0 < first * 1000 < main.track.timescale else 0


def _mdat(pieces: Sequence[int], media: Sequence[_Media]) -> tuple[list[MdatPart], list[Ints]]:
    """What is in `mdat`, and where in that the chunks of each track are."""
    parts: list[MdatPart] = []
    chunks: list[list[Ints]] = [[] for _ in media]
    size = 0
    for span, piece in enumerate(pieces):
        own = [(number, part) for number, one in enumerate(media) for part in one.parts if part.span == span]
        if not own:
            continue
        uses = [Stretches(part.begins(), part.ends(), part.inserts(), part.sets) for _, part in own]
        more, places, size = lay_out(piece, uses, size)
        parts += more
        for (number, _), place in zip(own, places, strict=True):
            chunks[number].append(place)
    return parts, [np.concatenate(one) for one in chunks]


def _trak(media: _Media, number: int, movie: _Movie, all_media: Sequence[_Media]) -> bytes:
    track, cuts = media.track, [part.cut for part in media.parts]
    durations = np.append(np.diff(media.dts), media.last)
    if durations.max() > MAX_DELTA:
        raise DvrError(Kind.OUT_OF_RANGE, "gap_too_long", "The gap in this window is too long for one MP4.")
    edits, shown = _edit_list(media, movie)
    choices = {one.number for one in all_media if one.track.is_video == track.is_video}
    flags = 3 if media.number == min(choices) else 2
    group = int(len(choices) > 1) * (1 if track.is_video else 2)
    sample_table = (
        write_stsd(*(entries := list(dict.fromkeys(part.entry for part in media.parts)))),
        stts(durations),
        ctts(media.pts - media.dts),
        stss(np.concatenate([cut.sync for cut in cuts])) if track.is_video else b"",
        stsc(*_chunk_columns(media.parts, entries)),
        stsz(np.concatenate([part.sizes() for part in media.parts])),
        co64(np.zeros(sum(len(part.chunks) for part in media.parts), np.int64)),
    )
    return box(
        b"trak",
        track_header(track, number, flags, shown, movie.created, group),
        box(b"edts", edits),
        box(
            b"mdia",
            media_header(track, int(durations.sum()), movie.created),
            handler(track),
            media_information(track, *sample_table),
        ),
    )


def _chunk_columns(parts: Sequence[_Part], entries: Sequence[bytes]) -> tuple[Ints, Ints]:
    """Samples per chunk, number of its sample entry."""
    counts = [np.diff(np.append(part.chunks, len(part.cut))) for part in parts]
    descriptions = [np.full(len(part.chunks), entries.index(part.entry) + 1) for part in parts]
    return np.concatenate(counts), np.concatenate(descriptions)


def _edit_list(media: _Media, movie: _Movie) -> tuple[bytes, int]:
    """`elst`, and how long the track lasts in the movie's ticks."""
    scale = media.track.timescale
    begin = -(-movie.late * scale // movie.timescale)
    end = min(to_ticks(movie.duration_ms, scale), media.end)
    first = _first_shown(media, begin, end)
    # Nothing to show yet at the beginning: an empty edit. FFmpeg would not wait for a picture otherwise.
    wait = (max(first - begin, 0) * movie.timescale + scale // 2) // scale
    shown = max((end - first) * movie.timescale // scale, 1)
    entries = [ELST_ENTRY.pack(wait, -1, NORMAL_RATE)] if wait else []
    entries.append(ELST_ENTRY.pack(shown, first - int(media.dts[0]), NORMAL_RATE))
    return full_box(b"elst", 1, 0, U32.pack(len(entries)), *entries), wait + shown


def _first_shown(media: _Media, begin: int, end: int) -> int:
    """
    What of `media` is presented first in `[begin, end)`.

    Audio may begin in the middle of a frame; pictures begin with one, the first of the interval, or with the one that
    is on if there is none.
    """
    pts = media.pts
    if not media.track.is_video:
        return max(int(pts[0]), begin)
    inside = pts[(pts >= begin) & (pts < end)]
    if len(inside):
        return int(inside.min())
    before = pts[pts < begin]
    return int(before.max() if len(before) else pts.min())
