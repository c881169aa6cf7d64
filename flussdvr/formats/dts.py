"""
DTS Coherent Acoustics: frames in a stream of bytes, and what ISO BMFF says of them (`ddts`).

    core        7ffe8001 | type 1 short 5 crc 1 blocks 7 size 14 amode 6 rate 4 bit rate 5 | lff 2 ... [crc 16] ...
    extension   64582025 | user 8 index 2 long 1 header size 8 or 12, frame size 16 or 20
    access unit core, extension*           both of the same samples

    ddts        rate 32 | max 32 | average 32 | depth 8 | duration 2 construction 5 lfe 1 layout 6 core size 14
                downmix 1 representation 3 | layout 16 | multi-asset 1 LBR 1 reserved box 1 reserved 5

ETSI TS 102 114 §5.3 and §5.4 (core), §7.4.1 (extension substream), annex E (`dtsc`, `dtsh`, `ddts`). Only the 16-bit,
big-endian form, which is that of MPEG-TS. Streams without a core (DTS Express, `dtse`) are none of these.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader

CORE, EXTENSION = b"\x7f\xfe\x80\x01", b"\x64\x58\x20\x25"
EXTENSION_MAX = 4
"""Extension substreams of one frame."""
HEADER_SIZE = 15
_RATES = {1: 8000, 2: 16000, 3: 32000, 6: 11025, 7: 22050, 8: 44100, 11: 12000, 12: 24000, 13: 48000}
_CHANNELS = (1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8)
_DEPTHS = {0: 16, 1: 16, 2: 20, 3: 20, 5: 24, 6: 24}
_LAYOUTS = frozenset({0, 2, 4, 5, 6, 7, 8, 9})
"""Arrangements of channels that CoreLayout names by the same number."""
_OTHER_LAYOUT = 31
# ChannelLayout: C 1, L R 2, Ls Rs 4, LFE 8, Cs 16.
_SPEAKERS = {0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 3, 6: 2 | 16, 7: 3 | 16, 8: 2 | 4, 9: 3 | 4}
_DURATIONS = {512: 0, 1024: 1, 2048: 2, 4096: 3}
_CORE_ONLY = 1
"""StreamConstruction; 0 where it is not listed."""
_SPECIFIC = struct.Struct(">IIIB")


@dataclass(frozen=True, slots=True)
class CoreFrame:
    """`size` in bytes; `samples` of each channel."""

    size: int
    samples: int
    amode: int
    sample_rate: int
    lfe: bool
    depth: int

    @property
    def channels(self) -> int:
        return _CHANNELS[self.amode] + self.lfe


def parse_core(data: bytes, at: int = 0) -> CoreFrame:
    """The header of the core frame at `at`. Raises `FormatError`."""
    if data[at : at + 4] != CORE:
        raise FormatError("no DTS core")
    bits = BitReader(data[at + 4 : at + HEADER_SIZE + 2])
    bits.skip(1 + 5)
    has_crc = bits.flag()
    blocks, size, amode = bits.u(7) + 1, bits.u(14) + 1, bits.u(6)
    rate = _RATES.get(bits.u(4))
    bits.skip(5 + 5 + 3 + 1 + 1)  # bit rate; mix, dynamics, time, auxiliary, HDCD; extension; sync word in subframes
    lfe = bits.u(2)
    bits.skip(1 + (16 if has_crc else 0) + 1 + 4 + 2)  # history, CRC, filters, version, copies
    depth = _DEPTHS.get(bits.u(3))
    if blocks < 6 or size < 96 or amode >= len(_CHANNELS) or rate is None or lfe == 3 or depth is None:
        raise FormatError("a DTS core frame is damaged")
    return CoreFrame(size, 32 * blocks, amode, rate, lfe != 0, depth)


def extension_size(data: bytes, at: int) -> int:
    """Bytes of the extension substream at `at`. Raises `FormatError`."""
    if data[at : at + 4] != EXTENSION:
        raise FormatError("no DTS extension substream")
    bits = BitReader(data[at + 4 : at + 10])
    bits.skip(8 + 2)
    long = bits.flag()
    header, size = bits.u(12 if long else 8) + 1, bits.u(20 if long else 16) + 1
    if not 10 <= header <= size:
        raise FormatError("a DTS extension substream is damaged")
    return size


def split_frames(data: bytes, extended: bool) -> tuple[list[tuple[int, int]], int]:
    """
    (start, stop) of each access unit, and the position of what is not whole yet.

    `extended`: extensions follow the cores of this stream, so a core at the end of the data is not whole.
    """
    frames: list[tuple[int, int]] = []
    at = 0
    while True:
        start = data.find(CORE, at)
        if start < 0:
            return frames, max(at, len(data) - len(CORE) + 1)
        if len(data) - start < HEADER_SIZE + 2:
            return frames, start
        try:
            stop = start + parse_core(data, start).size
            for _ in range(EXTENSION_MAX):
                if stop + 10 > len(data) or data[stop : stop + 4] != EXTENSION:
                    break
                stop += extension_size(data, stop)
        except FormatError:
            at = start + 1
            continue
        if stop > len(data) or (extended and _may_be_extended(data, stop)):
            return frames, start
        frames.append((start, stop))
        at = stop


def _may_be_extended(data: bytes, stop: int) -> bool:
    """Whether what follows is not there yet, and may be an extension of a frame that has none so far."""
    rest = data[stop : stop + 10]
    return len(rest) < 10 and (not rest or rest[:4] == EXTENSION[: len(rest[:4])])


def build_ddts(core: CoreFrame, extended: bool) -> bytes:
    """The payload of `ddts`."""
    rate = 0 if extended else core.size * 8 * core.sample_rate // core.samples
    layout = core.amode if core.amode in _LAYOUTS else _OTHER_LAYOUT
    speakers = _SPEAKERS.get(core.amode, 0) | 8 * core.lfe
    construction = 0 if extended else _CORE_ONLY
    words = _DURATIONS.get(core.samples, 0)
    for value, width in ((construction, 5), (core.lfe, 1), (layout, 6), (core.size & 0x3FFF, 14), (0, 1), (0, 3)):
        words = words << width | value
    depth = 24 if core.depth > 16 else 16
    return _SPECIFIC.pack(core.sample_rate, rate, rate, depth) + struct.pack(">IHB", words, speakers, 0)
