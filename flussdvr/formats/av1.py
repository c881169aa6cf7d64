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

from flussdvr.errors import FormatError
from flussdvr.formats.bits import BitReader

SEQUENCE_HEADER, TEMPORAL_DELIMITER, TILE_LIST, PADDING = 1, 2, 8, 15
_NOT_KEPT = frozenset({TEMPORAL_DELIMITER, TILE_LIST, PADDING})
_VERSION = 0x81


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    width: int
    height: int


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
    """Of an OBU of that type; §5.5.1 up to the size of pictures. Raises `FormatError`."""
    bits = BitReader(payload)
    bits.skip(3 + 1)
    if bits.flag():  # reduced_still_picture_header
        bits.skip(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.u(4) + 1, bits.u(4) + 1
    return SequenceHeader(bits.u(width_bits) + 1, bits.u(height_bits) + 1)


def _skip_operating_points(bits: BitReader) -> None:
    delay_length = 0
    if bits.flag():  # timing_info_present_flag
        bits.skip(64)
        if bits.flag():
            _skip_uvlc(bits)
        if bits.flag():  # decoder_model_info_present_flag
            delay_length = bits.u(5) + 1
            bits.skip(32 + 5 + 5)
    has_display_delay = bits.flag()
    for _ in range(bits.u(5) + 1):
        bits.skip(12)
        if bits.u(5) > 7:
            bits.skip(1)
        if delay_length and bits.flag():
            bits.skip(2 * delay_length + 1)
        if has_display_delay and bits.flag():
            bits.skip(4)


def _skip_uvlc(bits: BitReader) -> None:
    zeros = 0
    while not bits.flag():
        zeros += 1
    if zeros < 32:
        bits.skip(zeros)


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
