"""
The boxes of `moov` that a fragmented and a progressive MP4 share.

    mvhd
    trak: tkhd, mdia: mdhd hdlr minf: vmhd | smhd, dinf, stbl

ISO/IEC 14496-12 §8.2-8.5, all in version 1: a day at 90 kHz has more than 32 bits.
"""

from __future__ import annotations

import struct

from flussdvr.formats.mp4.boxes import U32, box, full_box
from flussdvr.media import Track

__all__ = [
    "handler",
    "information_header",
    "media_header",
    "media_information",
    "movie_header",
    "pack_language",
    "track_header",
    "unpack_language",
]

UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def movie_header(timescale: int, duration: int, next_id: int, created: int = 0) -> bytes:
    """`mvhd`; `created` in seconds since 1904."""
    return full_box(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQ IHH8x", created, created, timescale, duration, 0x10000, 0x100, 0),
        UNITY,
        bytes(24),
        U32.pack(next_id),
    )


def track_header(track: Track, track_id: int, flags: int, duration: int = 0, created: int = 0, group: int = 0) -> bytes:
    """`tkhd`; `duration` in the movie's timescale, the picture's size with its pixels made square."""
    horizontal, vertical = track.sample_aspect_ratio
    width = (track.width << 16) * horizontal // max(vertical, 1) if track.is_video else 0
    height = track.height << 16 if track.is_video else 0
    volume = 0 if track.is_video else 0x100
    return full_box(
        b"tkhd",
        1,
        flags,
        struct.pack(">QQI4xQ 8x HHHH", created, created, track_id, duration, 0, group, volume, 0),
        UNITY,
        struct.pack(">II", min(width, 0xFFFF_FFFF), min(height, 0xFFFF_FFFF)),
    )


def media_header(track: Track, duration: int = 0, created: int = 0) -> bytes:
    """`mdhd`; `duration` in the track's timescale."""
    return full_box(
        b"mdhd",
        1,
        0,
        struct.pack(">QQIQHH", created, created, track.timescale, duration, pack_language(track.language), 0),
    )


def handler(track: Track) -> bytes:
    """`hdlr`."""
    kind, name = (b"vide", b"VideoHandler") if track.is_video else (b"soun", b"SoundHandler")
    return full_box(b"hdlr", 0, 0, bytes(4), kind, bytes(12), name, b"\0")


def media_information(track: Track, *sample_table: bytes) -> bytes:
    """`minf` around the boxes of `stbl`, which come last in it."""
    return box(b"minf", information_header(track), box(b"stbl", *sample_table))


def information_header(track: Track) -> bytes:
    """What is in `minf` in front of `stbl`."""
    header = full_box(b"vmhd", 0, 1, bytes(8)) if track.is_video else full_box(b"smhd", 0, 0, bytes(4))
    return header + box(b"dinf", full_box(b"dref", 0, 0, U32.pack(1), full_box(b"url ", 0, 1)))


def pack_language(language: str) -> int:
    """ISO 639-2/T code as `mdhd` packs it; `und` for what is none."""
    if len(language) != 3 or not (language.isascii() and language.isalpha() and language.islower()):
        language = "und"
    first, second, third = (ord(letter) - 0x60 for letter in language)
    return first << 10 | second << 5 | third


def unpack_language(packed: int) -> str:
    """The code that `mdhd` has; `und` where it is none."""
    letters = [packed >> shift & 0x1F for shift in (10, 5, 0)]
    if not all(1 <= letter <= 26 for letter in letters):
        return "und"
    return "".join(chr(letter + 0x60) for letter in letters)
