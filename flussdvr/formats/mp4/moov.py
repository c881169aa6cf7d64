"""
The head of a progressive MP4 in pieces: ftyp, moov and the header of mdat.

The pieces of the tables are those of the blobs, and are made of packed columns when they are sent: the whole head is
never in memory. How long each is, is known before.
ISO/IEC 14496-12 §8.2-8.7; §8.6.6 (edit list).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flussdvr.formats.made import size_of
from flussdvr.formats.mp4.boxes import U32, box, full_box
from flussdvr.formats.mp4.ilst import Metadata, metadata_box
from flussdvr.formats.mp4.mdat import MdatPart, lay_out, part_size
from flussdvr.formats.mp4.media import Media, MediaPart
from flussdvr.formats.mp4.movie import handler, information_header, media_header, movie_header, track_header
from flussdvr.formats.mp4.sample_entry import write_stsd
from flussdvr.formats.mp4.sample_table import Ints
from flussdvr.formats.mp4.stbl import Part, co64_header, ctts, made, nested, stsc, stss, stsz, stts
from flussdvr.media import Track
from flussdvr.timeline import to_ticks

__all__ = ["write_head"]

FROM_1904 = 2_082_844_800
ELST_ENTRY = struct.Struct(">QqI")
NORMAL_RATE = 0x10000


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


def write_head(
    pieces: Sequence[int], media: Sequence[Media], begin_ms: int, duration_ms: int, metadata: Metadata | None
) -> tuple[tuple[Part, ...], list[MdatPart]]:
    """
    The head of `media`, and what is in the `mdat` behind it; `pieces`: of each span, the number of its piece.

    `media` must not be changed after that. Raises `DvrError` OUT_OF_RANGE, `FormatError` for times that no table can
    have.
    """
    parts, spans = _mdat(pieces, media)
    in_mdat = [[span for span in spans if number in span.numbers] for number in range(len(media))]
    main = min(media, key=lambda one: not one.track.is_video)
    movie = _Movie(main.track.timescale, duration_ms, _late(main), main.track, begin_ms // 1000 + FROM_1904)
    header = movie_header(movie.timescale, movie.duration(), len(media) + 1, movie.created)
    rooms = [8 * sum(len(part.begins) for part in one.parts) for one in media]
    traks = [_trak(one, number, rooms[number - 1], movie, media) for number, one in enumerate(media, 1)]
    user_data = metadata_box(metadata) if metadata is not None else b""
    moov = nested(b"moov", [header, *(piece for trak in traks for piece in trak), user_data], sum(rooms))
    file_type = box(b"ftyp", b"isom", U32.pack(0x200), b"isomiso2mp41")
    data_header = struct.pack(">I4sQ", 1, b"mdat", 16 + sum(part_size(part) for part in parts))
    size = len(file_type) + size_of(moov) + sum(rooms) + len(data_header)

    def in_order() -> Iterator[Part]:
        yield from (file_type, *moov[:2])
        for number, trak in enumerate(traks):
            yield from trak
            yield from (span.chunk_offsets(number, size) for span in in_mdat[number])  # co64 is the end of every trak
        yield from (user_data, data_header)

    return tuple(_joined(in_order())), parts


def _joined(pieces: Iterable[Part]) -> Iterator[Part]:
    """What are bytes, joined where they follow each other."""
    few: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            few.append(piece)
            continue
        if few:
            yield b"".join(few)
            few = []
        yield piece
    if few:
        yield b"".join(few)


def _late(main: Media) -> int:
    return main.pts if 0 < main.pts * 1000 < main.track.timescale else 0


@dataclass(frozen=True, slots=True)
class _Laid:
    """What tracks have in one span, which is `at` that place of `mdat`; `numbers`: which tracks."""

    piece: int
    at: int
    numbers: Sequence[int]
    parts: Sequence[MediaPart]

    def lay_out(self) -> tuple[list[MdatPart], list[Ints], int]:
        return lay_out(self.piece, [part.stretches() for part in self.parts], self.at)

    def chunk_offsets(self, number: int, head: int) -> Part:
        """Where in the file the chunks of a track are, as `co64` has them; `head`: how many bytes are before `mdat`."""
        which = self.numbers.index(number)
        length = 8 * len(self.parts[which].begins)
        return made(lambda: (self.lay_out()[1][which] + head).astype(">u8").tobytes(), length)


def _mdat(pieces: Sequence[int], media: Sequence[Media]) -> tuple[list[MdatPart], list[_Laid]]:
    """What is in `mdat`, and from where in that each span."""
    parts: list[MdatPart] = []
    spans: list[_Laid] = []
    by_span: dict[int, list[tuple[int, MediaPart]]] = {}
    for number, one in enumerate(media):
        for part in one.parts:
            by_span.setdefault(part.span, []).append((number, part))
    size = 0
    for span, uses in sorted(by_span.items()):
        laid = _Laid(pieces[span], size, [number for number, _ in uses], [part for _, part in uses])
        more, _, size = laid.lay_out()
        parts += more
        spans.append(laid)
    return parts, spans


def _trak(media: Media, number: int, room: int, movie: _Movie, all_media: Sequence[Media]) -> list[Part]:
    """Without the offsets of its `co64`, which are the last `room` bytes of it."""
    track = media.track
    edits, shown = _edit_list(media, movie)
    choices = {one.number for one in all_media if one.track.is_video == track.is_video}
    flags = 3 if media.number == min(choices) else 2
    group = int(len(choices) > 1) * (1 if track.is_video else 2)
    entries = list(dict.fromkeys(part.entry for part in media.parts))
    sample_table: list[Part] = [
        write_stsd(*entries),
        *stts(media.steps()),
        *ctts(media.offsets()),
        *(stss((part.sync, part.count) for part in media.parts) if track.is_video else ()),
        *stsc((part.chunks, entries.index(part.entry) + 1) for part in media.parts),
        *stsz(part.some_sizes() for part in media.parts),
        co64_header(room // 8),
    ]
    information = nested(b"minf", [information_header(track), *nested(b"stbl", sample_table, room)], room)
    headers: list[Part] = [media_header(track, media.duration, movie.created), handler(track)]
    track_headers: list[Part] = [track_header(track, number, flags, shown, movie.created, group), box(b"edts", edits)]
    return nested(b"trak", [*track_headers, *nested(b"mdia", [*headers, *information], room)], room)


def _edit_list(media: Media, movie: _Movie) -> tuple[bytes, int]:
    """`elst`, and how long the track lasts in the movie's ticks."""
    scale = media.track.timescale
    begin = -(-movie.late * scale // movie.timescale)
    end = min(to_ticks(movie.duration_ms, scale), media.end)
    first = media.first_shown(begin, end)
    # Nothing to show yet at the beginning: an empty edit. FFmpeg would not wait for a picture otherwise.
    wait = (max(first - begin, 0) * movie.timescale + scale // 2) // scale
    shown = max((end - first) * movie.timescale // scale, 1)
    entries = [ELST_ENTRY.pack(wait, -1, NORMAL_RATE)] if wait else []
    entries.append(ELST_ENTRY.pack(shown, first - media.dts, NORMAL_RATE))
    return full_box(b"elst", 1, 0, U32.pack(len(entries)), *entries), wait + shown
