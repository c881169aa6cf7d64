"""
HLS playlists: RFC 8216, written from blocks of already rendered segments.

    #EXTM3U
    #EXT-X-VERSION:7                    early: some players recognise HLS by it
    #EXT-X-TARGETDURATION:6
    #EXT-X-MEDIA-SEQUENCE:359038        of the first segment, the same in every playlist of the stream
    [#EXT-X-PLAYLIST-TYPE:VOD]
    block                               one per blob, or a part of one
      [#EXT-X-DISCONTINUITY]            if it does not continue the block before it
      [#EXT-X-MAP:URI="init-....mp4"]   if it differs from the block before it
      #EXT-X-PROGRAM-DATE-TIME:...
      #EXTINF:5.000,
      2026/11/20/17/00/05.123-05000.m4s
      ...
    [#EXT-X-ENDLIST]

A day is 17 280 segments in 24 blocks: a block is rendered (and compressed) once, a playlist is a join of blocks.
Pure: no I/O, no clock.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flussdvr.media import Track
from flussdvr.timeline import utc_datetime

Column = NDArray[np.int64]

VERSION = 7
TS_VERSION = 3
GAP_VERSION = 8
"""The version of lists with `EXT-X-GAP`."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """
    Consecutive segments with one init segment, rendered.

    `begin_ms`, `end_ms`, `size`: one entry a segment. `text[start[i]:stop[i]]` are a segment's own lines; between
    them stand the tags of the discontinuities at `breaks`. `init`: the URL of the init segment, empty for MPEG-TS.
    `continuous`: the blob's recorder knew of no gap before it. `deflated`: `text` compressed, if worth keeping.
    `shown`: those of its `tracks` that the list wants and that have samples in it; `gap`: its segments are listed as
    missing, as the list cannot do without a track that has none, or as they were deleted from a list that slides.
    """

    sequence: int
    begin_ms: Column
    end_ms: Column
    size: Column
    init: str
    text: bytes
    start: list[int]
    stop: list[int]
    breaks: tuple[int, ...]
    deflated: bytes = b""
    tracks: tuple[Track, ...] = ()
    continuous: bool = True
    shown: tuple[Track, ...] = ()
    gap: bool = False

    def __len__(self) -> int:
        return len(self.start)

    @property
    def cost(self) -> int:
        """Bytes of memory, about."""
        return len(self.text) + len(self.deflated) + 88 * len(self.start) + 500

    @property
    def longest_ms(self) -> int:
        return int((self.end_ms - self.begin_ms).max()) if len(self) else 0


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Segments `[first, stop)` of a block; `discontinuity`: they do not continue what comes before them, be it in the list
    or, in one that slides, before it.
    """

    block: Block
    first: int
    stop: int
    discontinuity: bool = False

    @property
    def begin_ms(self) -> int:
        return int(self.block.begin_ms[self.first])

    @property
    def end_ms(self) -> int:
        return int(self.block.end_ms[self.stop - 1])

    @property
    def duration_ms(self) -> int:
        part = slice(self.first, self.stop)
        return int((self.block.end_ms[part] - self.block.begin_ms[part]).sum())

    @property
    def sequence(self) -> int:
        return self.block.sequence + self.first

    @property
    def whole(self) -> bool:
        return self.first == 0 and self.stop == len(self.block)

    @property
    def text(self) -> bytes:
        return self.block.text[self.block.start[self.first] : self.block.stop[self.stop - 1]]


def render_block(
    sequence: int,
    begin_ms: Column,
    end_ms: Column,
    size: Column,
    extension: str,
    init: str = "",
    compress: bool = False,
    tracks: tuple[Track, ...] = (),
    continuous: bool = True,
    shown: tuple[Track, ...] | None = None,
    gap: bool = False,
    folder: str = "",
) -> Block:
    """
    The block of segments `[begin_ms[i], end_ms[i])`; a hole between two of them is a discontinuity. `folder`: what
    their URLs begin with.
    """
    missing = "#EXT-X-GAP\n" if gap else ""
    lines: list[str] = []
    starts, stops, breaks = [], [], []
    at = 0
    minute, prefix, previous = -1, "", None
    for index, (begin, end) in enumerate(zip(begin_ms.tolist(), end_ms.tolist(), strict=True)):
        if begin // 60_000 != minute:
            minute = begin // 60_000
            prefix = utc_datetime(begin).strftime(f"{folder}%Y/%m/%d/%H/%M/")
        if previous is not None and begin != previous:
            tags = f"#EXT-X-DISCONTINUITY\n{date_time(begin)}"
            lines.append(tags)
            at += len(tags)
            breaks.append(index)
        previous = end
        second, duration = begin % 60_000, end - begin
        line = (
            f"{missing}#EXTINF:{duration // 1000}.{duration % 1000:03d},\n"
            f"{prefix}{second // 1000:02d}.{second % 1000:03d}-{duration:05d}.{extension}\n"
        )
        lines.append(line)
        starts.append(at)
        at += len(line)
        stops.append(at)
    text = "".join(lines).encode()
    deflated = deflate(text) if compress else b""
    block = Block(
        sequence, begin_ms, end_ms, size, init, text, starts, stops, tuple(breaks), deflated, tracks, continuous
    )
    return replace(block, shown=tracks if shown is None else shown, gap=gap)


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """
    What stands around the pieces.

    `kind`: `VOD`, `EVENT` or empty for a sliding list. `target_ms`: no segment is longer, now or later.
    `discontinuity_sequence`: how many lie before the list; the one in front of its first piece is in the list, as its
    tag, until that segment leaves (RFC 8216 section 6.2.2). `query`: what every URL inside inherits.
    `start_ms`: how far into the list a player is to begin, if it is not to choose itself.
    """

    pieces: Sequence[Piece]
    kind: str = ""
    ended: bool = False
    target_ms: int = 0
    discontinuity_sequence: int = 0
    query: str = ""
    start_ms: int | None = None

    def with_query(self, query: str) -> MediaPlaylist:
        return replace(self, query=query)

    def render(self) -> bytes:
        return b"".join(text for text, _ in self._parts())

    def render_gzip(self) -> bytes:
        """The same compressed: what is compressed already is taken over as it is."""
        return gzip(self._parts())

    @property
    def size(self) -> int:
        """The length of the text, about."""
        return sum(self._weight(piece) for piece in self.pieces)

    @property
    def uncompressed(self) -> int:
        """How much of the text `render_gzip` would have to compress."""
        return sum(self._weight(piece) for piece in self.pieces if not self._ready(piece))

    def _weight(self, piece: Piece) -> int:
        return piece.block.stop[piece.stop - 1] - piece.block.start[piece.first]

    def _ready(self, piece: Piece) -> bool:
        return bool(piece.whole and piece.block.deflated and not self.query)

    def _parts(self) -> Iterable[tuple[bytes, bytes]]:
        """Text, and the same text compressed or nothing."""
        yield self._head().encode(), b""
        init: str | None = None
        for piece in self.pieces:
            tags = ""
            if piece.discontinuity:
                tags += "#EXT-X-DISCONTINUITY\n"
            if piece.block.init and piece.block.init != init:
                tags += f'#EXT-X-MAP:URI="{with_query(piece.block.init, self.query)}"\n'
            init = piece.block.init
            yield (tags + date_time(piece.begin_ms)).encode(), b""
            if self._ready(piece):
                yield piece.block.text, piece.block.deflated
            elif self.query:
                end = b"ts\n" if piece.text.endswith(b".ts\n") else b"m4s\n"
                yield piece.text.replace(b"." + end, b"." + end[:-1] + b"?" + self.query.encode() + b"\n"), b""
            else:
                yield piece.text, b""
        if self.ended:
            yield b"#EXT-X-ENDLIST\n", b""

    def _head(self) -> str:
        version = VERSION if any(piece.block.init for piece in self.pieces) else TS_VERSION
        if any(piece.block.gap for piece in self.pieces):
            version = GAP_VERSION
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{version}",
            f"#EXT-X-TARGETDURATION:{-(-self.target_ms // 1000)}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.pieces[0].sequence if self.pieces else 0}",
        ]
        if self.discontinuity_sequence:
            lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}")
        if self.kind:
            lines.append(f"#EXT-X-PLAYLIST-TYPE:{self.kind}")
        if self.start_ms is not None:
            lines.append(f"#EXT-X-START:TIME-OFFSET={self._start_s()},PRECISE=YES")
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS\n")
        return "\n".join(lines)

    def _start_s(self) -> str:
        """From the beginning of a list that keeps it, from the end of one that slides."""
        offset_ms = self.start_ms or 0
        if not self.kind:
            offset_ms = min(offset_ms - sum(piece.duration_ms for piece in self.pieces), -1)
        return f"{offset_ms / 1000:.3f}"


@dataclass(frozen=True, slots=True)
class Rendition:
    """An audio rendition of a multivariant playlist (`EXT-X-MEDIA`)."""

    name: str
    language: str
    uri: str
    channels: int = 0
    default: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """One `EXT-X-STREAM-INF`; bandwidths in bit/s, the first the peak over segments."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    frame_rate: Fraction | None = None
    renditions: tuple[Rendition, ...] = ()


def multivariant_playlist(variants: Sequence[Variant], version: int = VERSION) -> bytes:
    """A multivariant playlist ("master") of variants and their audio renditions."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    groups = ["audio" if number == 0 else f"audio{number + 1}" for number in range(len(variants))]
    for variant, group in zip(variants, groups, strict=True):
        lines += [_media(rendition, group) for rendition in variant.renditions]
    for variant, group in zip(variants, groups, strict=True):
        lines += [_stream(variant, group), variant.uri]
    return "\n".join([*lines, ""]).encode()


def _media(rendition: Rendition, group: str) -> str:
    fields = ["TYPE=AUDIO", f'GROUP-ID="{group}"', f'NAME="{quoted(rendition.name)}"']
    if rendition.language not in ("", "und"):
        fields.append(f'LANGUAGE="{quoted(rendition.language)}"')
    fields.append(f"DEFAULT={'YES' if rendition.default else 'NO'},AUTOSELECT=YES")
    if rendition.channels:
        fields.append(f'CHANNELS="{rendition.channels}"')
    return f'#EXT-X-MEDIA:{",".join(fields)},URI="{rendition.uri}"'


def _stream(variant: Variant, group: str) -> str:
    fields = [f"BANDWIDTH={max(1, variant.bandwidth)}", f"AVERAGE-BANDWIDTH={max(1, variant.average_bandwidth)}"]
    if variant.codecs:
        fields.append(f'CODECS="{",".join(variant.codecs)}"')
    if variant.width and variant.height:
        fields.append(f"RESOLUTION={variant.width}x{variant.height}")
    if variant.frame_rate:
        fields.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    if variant.renditions:
        fields.append(f'AUDIO="{group}"')
    return f"#EXT-X-STREAM-INF:{','.join(fields)}"


def bandwidth(pieces: Iterable[Piece]) -> tuple[int, int]:
    """Peak over segments and average, in bit/s."""
    peak, total_bits, total_ms = 0, 0, 0
    for piece in pieces:
        block, part = piece.block, slice(piece.first, piece.stop)
        duration = np.maximum(block.end_ms[part] - block.begin_ms[part], 1)
        bits = block.size[part] * 8
        peak = max(peak, int((bits * 1000 // duration).max()))
        total_bits += int(bits.sum())
        total_ms += int(duration.sum())
    return peak, total_bits * 1000 // max(total_ms, 1)


def ts_bandwidth(bps: int) -> int:
    """
    What `bps` of fMP4 are as MPEG-TS at most, in bit/s: 4 bytes a packet of 188, and some 100 kbit/s for headers,
    tables, clocks and the last packet of each picture and each frame of sound, which is seldom full.
    """
    return bps * 188 // 184 + 120_000


def date_time(utc_ms: int) -> str:
    """The tag that dates the segment after it."""
    return f"#EXT-X-PROGRAM-DATE-TIME:{utc_datetime(utc_ms):%Y-%m-%dT%H:%M:%S}.{utc_ms % 1000:03d}Z\n"


def quoted(text: str) -> str:
    """`text` for a quoted-string, which cannot hold quotes or line ends (RFC 8216 §4.2)."""
    return "".join(char for char in text if char not in '"\r\n')


def with_query(url: str, query: str) -> str:
    return f"{url}?{query}" if query else url


# --- gzip ------------------------------------------------------------------------------------------------------------
# RFC 1951 blocks that end at a full flush can be joined; RFC 1952 wants a checksum over the whole text, which costs
# 0.3 ms a megabyte where compressing costs 30.

GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
LAST_BLOCK = b"\x03\0"


def deflate(data: bytes) -> bytes:
    """`data` as deflate blocks that do not refer to anything before them, none of them the last."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


def gzip(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """One gzip member of (text, the same deflated or nothing) pairs."""
    out: list[bytes] = [GZIP_HEAD]
    loose: list[bytes] = []
    checksum = length = 0
    for text, deflated in parts:
        checksum = zlib.crc32(text, checksum)
        length += len(text)
        if deflated:
            out += [deflate(b"".join(loose)), deflated]
            loose = []
        else:
            loose.append(text)
    out += [deflate(b"".join(loose)), LAST_BLOCK]
    out.append(checksum.to_bytes(4, "little") + (length & 0xFFFF_FFFF).to_bytes(4, "little"))
    return b"".join(out)
