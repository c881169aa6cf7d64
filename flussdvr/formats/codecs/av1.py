"""
AV1: the sequence header, `av1C`, and temporal units as samples keep them.

    sample     OBUs of one temporal unit, each with its size, without temporal delimiters
    av1C       marker 1 version 7 | profile 3 level 5 | tier 1 depth 2 mono 1 subsampling 2 position 2 | delay | OBUs
    OBU        forbidden 1 type 4 extension 1 has_size 1 reserved 1 | [extension] | [size leb128] | payload

AV1 Bitstream & Decoding Process Specification §5.3 and §5.5; AV1 Codec ISO Media File Format Binding §2.3 and §5
(`codecs`: av01.P.LLT.DD).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME, TILE_LIST, PADDING = 1, 2, 3, 6, 8, 15
_NOT_KEPT = frozenset({TEMPORAL_DELIMITER, TILE_LIST, PADDING})
_VERSION = 0x81
RATE_MAX = 300


KEY_FRAME = 0
_BT_709, _SRGB, _IDENTITY = 1, 13, 0
"""Of colour_primaries, transfer_characteristics and matrix_coefficients: together they are RGB."""


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """`level`, `high_tier`: of the first operating point. `chroma_position`: 0 where it is not said."""

    width: int
    height: int
    profile: int
    level: int
    high_tier: bool
    bit_depth: int
    monochrome: bool
    subsampling: tuple[bool, bool]
    chroma_position: int
    frame_rate: Fraction | None


def split_obus(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(type, begin, begin of the payload, end) of each OBU. Raises `FormatError`."""
    at = 0
    while at < len(data):
        begin, header = at, data[at]
        if header & 0x80:
            raise FormatError(f"no AV1 OBU begins with 0x{header:02x}")
        at += 2 if header & 4 else 1
        if not header & 2:
            yield header >> 3 & 15, begin, at, len(data)
            return
        size = shift = 0
        while True:
            if at >= len(data) or shift > 49:
                raise FormatError("the size of an AV1 OBU is damaged")
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if size > len(data) - at:
            raise FormatError(f"AV1 OBU is truncated: need {size}, have {len(data) - at}")
        yield header >> 3 & 15, begin, at, at + size
        at += size


def temporal_unit(data: bytes) -> bytes:
    """The sample of a temporal unit. Raises `FormatError`."""
    kept = []
    dropped = False
    for kind, begin, _, end in split_obus(data):
        if kind in _NOT_KEPT:
            dropped = True
        else:
            kept.append(data[begin:end])
    return b"".join(kept) if dropped else data


def sequence_header_of(data: bytes) -> SequenceHeader | None:
    """The first sequence header among the OBUs in `data`. Raises `FormatError`."""
    for kind, _, begin, end in split_obus(data):
        if kind == SEQUENCE_HEADER:
            return parse_sequence_header(data[begin:end])
    return None


def parse_sequence_header(payload: bytes) -> SequenceHeader:
    """Of an OBU of that type; §5.5.1 and §5.5.2 without what only decoders ask. Raises `FormatError`."""
    bits = BitReader(payload)
    profile = bits.u(3)
    bits.skip(1)
    reduced = bool(bits.flag())  # reduced_still_picture_header
    rate = None
    if reduced:
        level, high_tier = bits.u(5), False
    else:
        rate, level, high_tier = _operating_points(bits)
    width_bits, height_bits = bits.u(4) + 1, bits.u(4) + 1
    width, height = bits.u(width_bits) + 1, bits.u(height_bits) + 1
    if not reduced and bits.flag():  # frame_id_numbers_present_flag
        bits.skip(7)
    bits.skip(3)
    if not reduced:
        _skip_tools(bits)
    bits.skip(3)
    depth, monochrome, subsampling, position = _colours(bits, profile)
    return SequenceHeader(width, height, profile, level, high_tier, depth, monochrome, subsampling, position, rate)


def _operating_points(bits: BitReader) -> tuple[Fraction | None, int, bool]:
    """The frame rate, and level and tier of the first one."""
    delay_length = 0
    rate = None
    if bits.flag():  # timing_info_present_flag
        units, scale = bits.u(32), bits.u(32)
        if bits.flag():  # equal_picture_interval
            ticks = _uvlc(bits) + 1
            rate = Fraction(scale, units * ticks) if units and scale else None
        if bits.flag():  # decoder_model_info_present_flag
            delay_length = bits.u(5) + 1
            bits.skip(32 + 5 + 5)
    has_display_delay = bits.flag()
    first: tuple[int, bool] | None = None
    for _ in range(bits.u(5) + 1):
        bits.skip(12)
        level = bits.u(5)
        high_tier = level > 7 and bool(bits.flag())
        first = first or (level, high_tier)
        if delay_length and bits.flag():
            bits.skip(2 * delay_length + 1)
        if has_display_delay and bits.flag():
            bits.skip(4)
    assert first is not None
    return rate if rate is not None and rate <= RATE_MAX else None, *first


def _skip_tools(bits: BitReader) -> None:
    """From enable_interintra_compound to order_hint_bits."""
    bits.skip(4)
    has_order = bits.flag()
    if has_order:
        bits.skip(2)
    may_be_screen = bits.flag() or bits.flag()  # seq_choose_..., else seq_force_screen_content_tools
    if may_be_screen and not bits.flag():  # seq_choose_integer_mv
        bits.skip(1)
    if has_order:
        bits.skip(3)


def _colours(bits: BitReader, profile: int) -> tuple[int, bool, tuple[bool, bool], int]:
    """Bit depth, whether it is monochrome, subsampling across and down, chroma_sample_position."""
    depth = 8
    if bits.flag():
        depth = 12 if profile == 2 and bits.flag() else 10
    monochrome = profile != 1 and bool(bits.flag())
    colours = (bits.u(8), bits.u(8), bits.u(8)) if bits.flag() else (2, 2, 2)
    if not monochrome and colours == (_BT_709, _SRGB, _IDENTITY):
        return depth, False, (False, False), 0
    bits.skip(1)  # color_range
    if monochrome or profile == 0:
        across = down = True
    elif profile == 1:
        across = down = False
    else:
        across = depth < 12 or bool(bits.flag())
        down = depth == 12 and across and bool(bits.flag())
    position = bits.u(2) if across and down and not monochrome else 0
    return depth, monochrome, (across, down), position


def _uvlc(bits: BitReader) -> int:
    zeros = 0
    while not bits.flag():
        zeros += 1
    return bits.u(zeros) + (1 << zeros) - 1 if zeros < 32 else (1 << 32) - 1


def is_sync(sample: bytes) -> bool:
    """
    Whether decoding may begin with a temporal unit: a shown key frame behind its sequence header (binding §2.4).

    Raises `FormatError`.
    """
    has_header = False
    for kind, _, begin, end in split_obus(sample):
        if kind == SEQUENCE_HEADER:
            has_header = True
        elif kind in (FRAME_HEADER, FRAME):
            # show_existing_frame 1, frame_type 2, show_frame 1
            return has_header and begin < end and sample[begin] >> 4 == KEY_FRAME << 1 | 1
    return False


def sized_obu(obu: bytes) -> bytes:
    """An OBU with its size. Raises `FormatError` for what is none."""
    if not obu or obu[0] & 0x80:
        raise FormatError("no AV1 OBU")
    if obu[0] & 2:
        _, begin, _, end = next(split_obus(obu))
        return obu[begin:end]
    head = 2 if obu[0] & 4 else 1
    if len(obu) < head:
        raise FormatError("AV1 OBU is truncated")
    size, groups = len(obu) - head, bytearray()
    while size > 0x7F:
        groups.append(size & 0x7F | 0x80)
        size >>= 7
    groups.append(size)
    return bytes((obu[0] | 2,)) + obu[1:head] + bytes(groups) + obu[head:]


def build_av1c(obu: bytes, header: SequenceHeader) -> bytes:
    """The record of a sequence header: the OBU with its size, and what it says."""
    across, down = header.subsampling
    depth = (header.bit_depth > 8) << 6 | (header.bit_depth == 12) << 5
    colours = header.monochrome << 4 | across << 3 | down << 2 | header.chroma_position
    third = header.high_tier << 7 | depth | colours
    return bytes((_VERSION, header.profile << 5 | header.level, third, 0)) + obu


def check_av1c(record: bytes) -> None:
    """Raises `FormatError` for what is no `av1C`."""
    if len(record) < 4 or record[0] != _VERSION:
        raise FormatError("av1C is damaged")


def config_obus(record: bytes) -> bytes:
    """The OBUs in an `av1C`, mostly a sequence header."""
    return record[4:]


def codec_string(record: bytes) -> str:
    """`av01.0.05M.08`. Raises `FormatError`."""
    check_av1c(record)
    profile, level = record[1] >> 5, record[1] & 31
    tier = "H" if record[2] & 0x80 else "M"
    depth = (12 if record[2] & 0x20 else 10) if record[2] & 0x40 else 8
    return f"av01.{profile}.{level:02}{tier}.{depth:02}"
