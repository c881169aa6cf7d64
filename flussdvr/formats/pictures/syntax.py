"""
What NAL units of H.264 and H.265 do to access units, and what their slice headers say of a picture.

    H.264   AUD SPS PPS SEI, types 14 to 18, or a slice that differs from the one before in what §7.4.1.2.4 lists
    H.265   AUD VPS SPS PPS prefix SEI, reserved and unspecified types, or first_slice_segment_in_pic_flag

ITU-T H.264 §7.4.1.2.3, H.265 §7.4.2.4.4. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import h264, h264_slice, h265, h265_slice
from flussdvr.formats.pictures.access_unit import Role
from flussdvr.formats.pictures.coded import Coded, access_h264, access_h265

__all__ = ["H264Syntax", "H265Syntax", "Picture"]

# To look at a member of an enumeration takes as long as a call.
_OPENS, _PICTURE, _SLICE, _OTHER = Role.OPENS, Role.PICTURE, Role.SLICE, Role.OTHER
_H264_KINDS: dict[int, Role | None] = {
    **dict.fromkeys((6, 7, 8, 9, 15, 16, 17, 18), Role.OPENS),
    **dict.fromkeys((3, 4), Role.SLICE),
    **dict.fromkeys((1, 2, 5), None),
    14: Role.PREFIX,
}
"""By nal_unit_type; with forbidden_zero_bit it is none of them."""
_H264_ROLES = tuple(_H264_KINDS.get(first & 31, Role.OTHER) if first < 0x80 else Role.OTHER for first in range(256))
"""By a NAL unit's first byte; `None` for slices, which say themselves what they are."""
_H264_USUAL = frozenset((1, 5, 6, 7, 8, 9, 12))
_H265_OPENS = frozenset((32, 33, 34, 35, 39, *range(41, 45), *range(48, 56)))


class Picture(NamedTuple):
    """
    A picture, as its first slice describes it.

    `order`: picture order count, `None` where it cannot be told; `begins_sequence`: the counts begin anew with it;
    `reference`: others may refer to it; `intra`: its first slice is one; `sps_id`: of the SPS that it refers to,
    if that is known.
    """

    order: int | None
    begins_sequence: bool
    reference: bool
    intra: bool
    sps_id: int | None = None


_Asked = tuple[bytes, bytes, h264_slice.SliceHeader | None]
"""A slice, its first bytes, and the header in them."""


class H264Syntax:
    """Knows the parameter sets that have come, and the slices of the picture that is being put together."""

    def __init__(self) -> None:
        self.sps: dict[int, h264.Sps] = {}
        self.has_fields = False
        """Whether a picture may be a field: an SPS has said so."""
        self._sets: dict[int, bytes] = {}
        """The last SPS and PPS, by nal_unit_type."""
        self._pps: dict[int, h264_slice.Pps] = {}
        self._slices = h264_slice.SliceReader(self._pps, self.sps)
        self._order = h264_slice.PictureOrder()
        self._last: h264_slice.SliceHeader | None = None
        self._mbs: set[int] = set()
        self._asked: _Asked = b"", b"", None
        """The slice that was asked for last: it is asked for when it comes, or its beginning does, and again then."""
        self._first: _Asked = b"", b"", None
        """The first slice of the picture: it is asked for again when the picture is whole."""

    def role(self, nal: bytes) -> Role | None:
        role = _H264_ROLES[nal[0]]
        if role is not None:
            return role
        header = self.header(nal)
        if header is None:
            if len(nal) < 2:
                return None
            return _PICTURE if nal[1] & 0x80 else _SLICE  # first_mb_in_slice, ue(v): 0
        return _PICTURE if self._begins(header) else _SLICE

    def _begins(self, header: h264_slice.SliceHeader) -> bool:
        """Whether a slice is the first of a picture."""
        if self._last is None:
            return not header.first_mb
        # Beyond the standard: encoders that number nothing still begin a picture with its first macroblock.
        again = header.first_mb in self._mbs and not header.redundant
        return again or h264_slice.begins_picture(self._last, header)

    def accept(self, nal: bytes, role: Role) -> None:
        kind = nal[0] & 31
        if kind in (1, 2, 5):
            header = self.header(nal)
            if role is _PICTURE:
                self._mbs.clear()
                self._last = None
                self._first = self._asked
            if header is not None:
                self._last = header
                self._mbs.add(header.first_mb)
        elif kind in (7, 8) and nal == self._sets.get(kind):
            return  # each group of pictures brings the same again
        elif kind == 7:
            self._sets[kind] = nal
            self._forget_headers()
            try:
                sps = h264.parse_sps(nal)
            except FormatError:
                return
            self.sps[sps.id] = sps
            self.has_fields = self.has_fields or not sps.frame_mbs_only
        elif kind == 8:
            self._sets[kind] = nal
            self._forget_headers()
            try:
                pps = h264_slice.parse_pps(nal)
            except FormatError:
                return
            self._pps[pps.id] = pps

    def whole(self, nals: list[bytes]) -> tuple[bytes, Coded] | None:
        picture = b""
        header: h264_slice.SliceHeader | None = None
        sets: tuple[list[bytes], list[bytes]] = ([], [])
        mbs: set[int] = set()
        recovery: int | None = None
        parts: list[bytes] = []
        for nal in nals:
            first = nal[0]
            kind = first & 31
            if first & 0x80 or kind not in _H264_USUAL:
                return None
            if kind == 1 or kind == 5:
                if not picture:
                    header = self.header(nal)
                    if header is None or not self._begins(header):
                        return None
                    picture, place = nal, header.first_mb
                elif (other := self._slices.place(nal)) is None or other in mbs:
                    return None
                else:
                    place = other
                mbs.add(place)
            elif kind == 12:
                continue
            elif picture:
                return None
            elif kind == 9:
                continue
            elif kind == 6:
                recovery = h264.recovery_count(nal) if recovery is None else recovery
            elif nal != self._sets.get(kind):
                return None
            else:
                sets[kind - 7].append(nal)
                continue
            parts += len(nal).to_bytes(4, "big"), nal
        if header is None:
            return None
        self._mbs, self._last, self._first = mbs, header, self._asked
        idr = header.idr_pic_id >= 0
        access = access_h264(idr, idr or header.intra, bool(sets[0]), recovery)
        return picture, (b"".join(parts), sets, access)

    def lost(self) -> None:
        self._last = None
        self._mbs.clear()

    def header(self, nal: bytes) -> h264_slice.SliceHeader | None:
        """Of a slice; `None` without its parameter sets, or if it is damaged."""
        asked, known, header = self._asked
        if nal is asked:
            return header
        if nal is self._first[0]:
            return self._first[2]
        begin = nal[: h264_slice.HEADER_BYTES]
        if begin != known:
            try:
                header = self._slices.read(begin)
            except FormatError:
                header = None
        self._asked = nal, begin, header
        return header

    def _forget_headers(self) -> None:
        """With other parameter sets they say something else."""
        self._asked = self._first = b"", b"", None
        self._slices.forget()

    def picture(self, nal: bytes) -> Picture:
        """What `nal`, a picture's first slice, says. To be called once for each picture, in decoding order."""
        header = self.header(nal)
        if header is None:
            return Picture(None, nal[0] & 31 == 5, nal[0] & 0x60 != 0, False)
        order = self._order.count(header, self.sps[header.sps_id].order)
        return Picture(order, header.idr_pic_id >= 0, header.ref_idc != 0, header.intra, header.sps_id)


class H265Syntax:
    """Knows the parameter sets that have come. Layers above the base are of no picture of ours."""

    def __init__(self) -> None:
        self.sps: dict[int, h265.Sps] = {}
        self._sets: dict[int, bytes] = {}
        """The last SPS and PPS, by nal_unit_type."""
        self._pps: dict[int, h265_slice.Pps] = {}
        self._order = h265_slice.PictureOrder()

    def role(self, nal: bytes) -> Role | None:
        if len(nal) < 2:
            return None
        kind = nal[0] >> 1 & 63
        if nal[0] & 1 or nal[1] & 0xF8:
            return _OTHER
        if kind < 32:
            if len(nal) < 3:
                return None
            return _PICTURE if nal[2] & 0x80 else _SLICE
        return _OPENS if kind in _H265_OPENS else _OTHER

    def accept(self, nal: bytes, role: Role) -> None:
        kind = nal[0] >> 1 & 63
        if kind not in (33, 34) or role is not _OPENS or nal == self._sets.get(kind):
            return
        self._sets[kind] = nal
        try:
            if kind == 33:
                sps = h265.parse_sps(nal)
                self.sps[sps.id] = sps
            else:
                pps = h265_slice.parse_pps(nal)
                self._pps[pps.id] = pps
        except FormatError:
            return

    def whole(self, nals: list[bytes]) -> tuple[bytes, Coded] | None:
        picture = b""
        sets: tuple[list[bytes], ...] = ([], [], [])
        recovery: int | None = None
        random = False
        parts: list[bytes] = []
        for nal in nals:
            first = nal[0]
            kind = first >> 1
            if first & 0x81 or len(nal) < 3 or nal[1] & 0xF8:
                return None
            if kind < 32:
                if (nal[2] >= 0x80) is bool(picture):
                    return None  # the first one begins a picture, and no other
                picture = picture or nal
                random = random or 16 <= kind <= 23
            elif kind == 38:
                continue
            elif kind == 40:
                pass
            elif picture:
                return None
            elif kind == 35:
                continue
            elif kind == 39:
                recovery = h265.recovery_count(nal) if recovery is None else recovery
            elif kind == 32 or (kind < 35 and nal == self._sets.get(kind)):
                sets[kind - 32].append(nal)
                continue
            else:
                return None
            parts += len(nal).to_bytes(4, "big"), nal
        return (picture, (b"".join(parts), sets, access_h265(random, recovery))) if picture else None

    def lost(self) -> None:
        """A slice says itself whether it is the first."""

    def header(self, nal: bytes) -> h265_slice.SliceHeader | None:
        """Of a picture's first slice; `None` without its parameter sets, or if it is damaged."""
        try:
            return h265_slice.parse_slice(nal, self._pps, self.sps)
        except FormatError:
            return None

    def picture(self, nal: bytes) -> Picture:
        """What `nal`, a picture's first slice, says. To be called once for each picture, in decoding order."""
        kind = nal[0] >> 1 & 63
        header = self.header(nal)
        reference = kind >= 16 or bool(kind & 1)
        if header is None:
            return Picture(None, 16 <= kind <= 20, reference, False)
        order = self._order.count(header, self.sps[header.sps_id].order_bits)
        return Picture(order, header.begins_sequence, reference, header.intra, header.sps_id)
