"""
NAL units: what H.264 and H.265 share.

    Annex B      (00)* 00 00 01 NAL (00)*      as in MPEG-TS; start codes of 3 or 4 bytes
    with lengths u32 NAL                       as in ISO files, RTMP and this archive
    escaped      00 00 03 xx                   stands for 00 00 xx inside of a NAL unit (emulation prevention)

ITU-T H.264 Annex B and §7.4.1, ISO/IEC 14496-15 §5.3.4.2.1. A picture has at most `MAX_NALS` units, more is an attack.
"""

from __future__ import annotations

import re

import numpy as np

from flussdvr.errors import FormatError

MAX_NALS = 1024
_START_CODE = b"\x00\x00\x01"
_TO_ESCAPE = re.compile(rb"(\x00\x00)(?=[\x00-\x03])")
_START_CODES = re.compile(_START_CODE)
# Below this the search for three bytes is quicker than the fixed cost of numpy.
_SHORT = 12 << 10
# More places than this to look at one by one means long runs of zeros: let C search them.
_FEW = 64


def split_annexb(data: bytes) -> list[tuple[int, int]]:
    """
    Where the NAL units are: (start, stop) of each without start code and trailing zeros, empty ones left out.

    What stands before the first start code is ignored. Raises `FormatError` when there are more than `MAX_NALS`.
    """
    codes = _start_codes(data)
    if not codes:
        return []
    units = []
    codes.append(len(data))
    begin = codes[0] + 3
    for code in codes[1:]:
        stop = code
        if stop > begin and not data[stop - 1]:
            stop -= 1
            if stop > begin and not data[stop - 1]:
                stop = begin + len(data[begin:stop].rstrip(b"\x00"))
        if stop > begin:
            units.append((begin, stop))
        begin = code + 3
    return units


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units that `split_annexb` finds. Raises `FormatError` as it does."""
    if len(data) >= _SHORT:
        return [data[start:stop] for start, stop in split_annexb(data)]
    nals = _START_CODES.split(data, MAX_NALS + 1)
    if len(nals) > MAX_NALS + 1:
        raise FormatError(f"more than {MAX_NALS} NAL units in a picture")
    del nals[0]
    for index, nal in enumerate(nals):
        if not nal or not nal[-1]:
            nals[index] = nal.rstrip(b"\x00")
    return nals if all(nals) else [nal for nal in nals if nal]


def annexb_to_lengths(data: bytes) -> bytes:
    """All NAL units of an Annex B stream with 4-byte lengths instead of start codes."""
    parts = []
    for start, stop in split_annexb(data):
        parts.append((stop - start).to_bytes(4, "big"))
        parts.append(data[start:stop])
    return b"".join(parts)


def is_annexb(data: bytes) -> bool:
    """Whether what should have 4-byte lengths has start codes instead: encoders mix the two up."""
    if data.startswith(b"\0\0\0\1"):
        return True  # as a length that is a first unit of one byte, which no picture has
    if not data.startswith(_START_CODE):
        return False
    try:
        split_lengths(data)
    except FormatError:
        return True
    return False


def split_lengths(data: bytes, length_size: int = 4) -> list[tuple[int, int]]:
    """
    (start, stop) of each NAL unit behind its length of `length_size` (1, 2 or 4) bytes, empty ones left out.

    Raises `FormatError` when a unit ends outside of `data` or there are more than `MAX_NALS`.
    """
    units = []
    position, end = 0, len(data)
    count = 0
    while position < end:
        start = position + length_size
        stop = start + int.from_bytes(data[position:start], "big")
        if start > end or stop > end:
            raise FormatError(f"NAL unit is truncated: ends at {max(start, stop)} of {end}")
        count += 1
        if count > MAX_NALS:
            raise FormatError(f"more than {MAX_NALS} NAL units in a picture")
        if stop > start:
            units.append((start, stop))
        position = stop
    return units


def lengths_to_annexb(data: bytes, length_size: int = 4) -> bytes:
    """All NAL units of a sample behind 4-byte start codes. Raises `FormatError` as `split_lengths` does."""
    parts = []
    for start, stop in split_lengths(data, length_size):
        parts.append(b"\x00\x00\x00\x01")
        parts.append(data[start:stop])
    return b"".join(parts)


def unescape(nal: bytes) -> bytes:
    """The NAL unit without its emulation prevention bytes (header and RBSP)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def escape(nal: bytes) -> bytes:
    """The NAL unit with emulation prevention bytes."""
    return _TO_ESCAPE.sub(b"\\1\x03", nal)


def _start_codes(data: bytes) -> list[int]:
    """Where 00 00 01 stands. Every byte of video passes here, hence the two ways."""
    if len(data) < _SHORT:
        return _find_all(data)
    # As little-endian pairs a start code shows as 00 00 | 01 xx when it is even and as xx 00 | 00 01 when it is odd:
    # one masked compare leaves a handful of places, several times quicker than searching for three bytes.
    pairs = np.frombuffer(data, "<u2", len(data) >> 1)
    places = ((pairs & 0xFEFF) == 0).nonzero()[0]
    if len(places) > _FEW:
        return _find_all(data)
    codes: list[int] = []
    for place in places.tolist():
        even = place * 2
        if data[even + 1]:
            even -= 1
            if even < 0 or data[even]:
                continue
        elif data[even + 2 : even + 3] != b"\x01":
            continue
        codes.append(even)
    # The pairs do not show an odd last byte.
    if len(data) & 1 and data.endswith(_START_CODE) and (not codes or codes[-1] != len(data) - 3):
        codes.append(len(data) - 3)
    return codes


def _find_all(data: bytes) -> list[int]:
    # Quicker than bytes.find: the expression looks for the next zero first, and those are few.
    codes = []
    for found in _START_CODES.finditer(data):
        codes.append(found.start())
        if len(codes) > MAX_NALS:
            raise FormatError(f"more than {MAX_NALS} NAL units in a picture")
    return codes
