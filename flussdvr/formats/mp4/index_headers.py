"""
The headers of an index: what is hopped over to find the fragments.

    ( moof mdat-header | free-header | skip-header )*     after the init segment, with one `uuid` in front

    mdat-header    8 bytes: its size says how much the blob has there and the index has not
    free-header    16 bytes: size32 = 1, 'free', size64 = how much of the blob was deleted
    skip-header    32 bytes: as `free`, and two uint64 of UTC (ms): what is in front of the span ended then; the
                   segment in whose middle the span ends was over then, 0 if it ends where a segment begins

The one loop in Python that runs for every fragment: it must stay light.  ISO/IEC 14496-12 §4.2, §8.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import HEADER
from flussdvr.formats.mp4.fmp4 import MAX_INIT, MAX_MOOF, BlobInfo, parse_blob_info

__all__ = ["DamagedIndex", "Headers", "init_size", "read_headers"]

MAX_INFO = 1 << 16
MAX_HOLE = 1 << 60

_PAIR = struct.Struct(">II")
_LARGE = struct.Struct(">IIQ")
_SKIPPED = struct.Struct(">IIQQQ")
_MOOF, _MDAT, _FREE, _SKIP, _UUID = (int.from_bytes(kind) for kind in (b"moof", b"mdat", b"free", b"skip", b"uuid"))
MAX_MS = 1 << 53


class DamagedIndex(FormatError):
    """The index is good up to the byte `offset`; what is there does not belong there."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(f"index at {offset}: {message}")
        self.offset = offset


@dataclass(slots=True)
class Headers:
    """
    The headers of complete boxes up to `at`, all positions relative to the bytes read.

    `fragments`: flat triples of position and size of a `moof`, size of the `mdat` behind it. `holes`: before which
    fragment how many bytes are deleted, when what is in front of them ended (`None`: not known), and when the segment
    in whose middle they end was over (`None`: they end with one). `info` and its size, if it was there. `damage`: why
    reading ended, unless the bytes did.
    """

    at: int
    fragments: list[int] = field(default_factory=list)
    holes: list[tuple[int, int, int | None, int | None]] = field(default_factory=list)
    info: BlobInfo | None = None
    info_size: int = 0
    damage: str | None = None

    def __len__(self) -> int:
        return len(self.fragments) // 3

    def cut(self, count: int, damage: str) -> None:
        """Only `count` fragments are good; `at` is where the next one begins."""
        self.at, self.damage = self.fragments[3 * count], damage
        del self.fragments[3 * count :]


def init_size(data: memoryview) -> int:
    """Size of the init segment at the beginning of `data`; 0 while it is incomplete. Raises `DamagedIndex`."""
    size = 0
    for wanted in (b"ftyp", b"moov"):
        if len(data) < size + 8:
            return 0
        length, kind = HEADER.unpack_from(data, size)
        if kind != wanted or not 8 <= length <= MAX_INIT:
            raise DamagedIndex(size, f"{kind!r} of {length} bytes where {wanted!r} was expected")
        size += length
    return size if len(data) >= size else 0


def read_headers(data: memoryview, at: int, first: bool) -> Headers:
    """The headers in `data[at:]`; `first`: these are the first after the init segment. An incomplete end is left."""
    headers = Headers(at)
    fragments, stop, pair = headers.fragments, len(data) - 8, _PAIR.unpack_from
    while at <= stop:
        size, kind = pair(data, at)
        if kind == _MOOF and 24 <= size <= MAX_MOOF:
            mdat = at + size
            if mdat > stop:
                break
            length, kind = pair(data, mdat)
            if kind != _MDAT or length < 8:
                headers.damage = "moof is not followed by mdat"
                break
            fragments += (at, size, length)
            at = mdat + 8
        else:
            length = _read_other(data, at, first and not fragments, headers)
            if not length:
                break
            at += length
    headers.at = at
    return headers


def _read_other(data: memoryview, at: int, first: bool, headers: Headers) -> int:
    """A deleted span or the blob's info: how many bytes of the index it is, 0 if it is incomplete or damaged."""
    size: int
    size, kind = _PAIR.unpack_from(data, at)
    if kind == _FREE and size == 1:
        if at + 16 > len(data):
            return 0
        _, _, length = _LARGE.unpack_from(data, at)
        if 16 <= length < MAX_HOLE:
            headers.holes.append((len(headers), length, None, None))
            return 16
        headers.damage = f"deleted span of {length} bytes"
    elif kind == _SKIP and size == 1:
        if at + 32 > len(data):
            return 0
        _, _, length, from_ms, until_ms = _SKIPPED.unpack_from(data, at)
        if 32 <= length < MAX_HOLE and max(from_ms, until_ms) < MAX_MS:
            headers.holes.append((len(headers), length, from_ms, until_ms or None))
            return 32
        headers.damage = f"deleted span of {length} bytes, from {from_ms} until {until_ms}"
    elif kind == _UUID and first and 24 <= size <= MAX_INFO:
        if at + size > len(data):
            return 0
        try:
            headers.info = parse_blob_info(data[at + 8 : at + size])
        except FormatError as error:
            headers.damage = str(error)
            return 0
        headers.info_size += size
        return size
    else:
        headers.damage = f"neither fragment nor deleted span: type {kind:#010x}, size {size}"
    return 0
