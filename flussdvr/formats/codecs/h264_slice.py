"""
H.264 slice headers: which picture a slice belongs to, and that picture's place in output order.

    slice    first_mb_in_slice slice_type pps_id frame_num [field [bottom]] [idr_pic_id] [order count ...] ...

ITU-T H.264 §7.3.3, §7.4.1.2.4 (first slice of a picture) and §8.2.1 (picture order count). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader, HeadReader
from flussdvr.formats.codecs.h264 import OrderCount, Sps
from flussdvr.formats.codecs.nal import unescape

__all__ = ["PictureOrder", "Pps", "SliceHeader", "SliceReader", "begins_picture", "parse_pps"]

HEADER_BYTES = 48
"""The elements that are read fit into this, escaped."""
_MOSTLY = 16
"""Most fit into this; the fewer bytes, the quicker they are read."""
IDR = 5
_TYPES = 10
"""slice_type is less."""


class Pps(NamedTuple):
    """
    The few elements of a picture parameter set (§7.3.2.2) that slice headers depend on.

    `bottom_order`: bottom_field_pic_order_in_frame_present_flag; `redundant`: redundant_pic_cnt_present_flag.
    """

    id: int
    sps_id: int
    bottom_order: bool = False
    redundant: bool = False


def parse_pps(nal: bytes) -> Pps:
    """Of a PPS NAL unit, with its header byte and escaped. Raises `FormatError`."""
    r = BitReader(unescape(nal))
    r.skip(8)
    id_ = r.bounded_ue(255, "pic_parameter_set_id")
    sps_id = r.bounded_ue(31, "seq_parameter_set_id")
    r.flag()
    bottom_order = r.flag()
    try:
        _skip_slice_groups(r)
        for _ in range(2):
            r.ue()
        r.skip(3)
        for _ in range(3):
            r.se()
        r.skip(2)
        return Pps(id_, sps_id, bottom_order, r.flag())
    except FormatError:
        return Pps(id_, sps_id, bottom_order)


def _skip_slice_groups(r: BitReader) -> None:
    groups = 1 + r.bounded_ue(7, "num_slice_groups_minus1")
    if groups == 1:
        return
    kind = r.bounded_ue(6, "slice_group_map_type")
    if kind == 0:
        for _ in range(groups):
            r.ue()
    elif kind == 2:
        for _ in range(2 * (groups - 1)):
            r.ue()
    elif kind in (3, 4, 5):
        r.flag()
        r.ue()
    elif kind == 6:
        count = 1 + r.ue()
        r.skip(count * (groups - 1).bit_length())


class SliceHeader(NamedTuple):
    """
    A slice header up to redundant_pic_cnt.

    `order` has what pic_order_cnt_type makes of it: (lsb, delta_pic_order_cnt_bottom) of type 0,
    (delta_pic_order_cnt[0], [1]) of type 1. `idr_pic_id` is -1 for what is no IDR picture.
    """

    first_mb: int
    slice_type: int
    pps_id: int
    sps_id: int
    ref_idc: int
    frame_num: int
    field: bool
    bottom: bool
    idr_pic_id: int
    order: tuple[int, int]
    redundant: int

    @property
    def idr(self) -> bool:
        return self.idr_pic_id >= 0

    @property
    def intra(self) -> bool:
        """Whether slice_type is I or SI."""
        return self.slice_type % 5 in (2, 4)

    def completes(self, first: SliceHeader) -> bool:
        """Whether this field is the second one of the frame whose first field is `first` (§3.30)."""
        return (
            self.field
            and first.field
            and self.bottom != first.bottom
            and self.frame_num == first.frame_num
            and self.sps_id == first.sps_id
            and (not self.idr or first.idr)
            and (bool(self.ref_idc) <= bool(first.ref_idc))
        )


class SliceReader:
    """
    Reads slice headers by the parameter sets `pps` and `sps`; after a change of them, `forget` is to be called.

    Slices of one picture mostly have the same bits behind their place and type: those are not read again.
    """

    def __init__(self, pps: Mapping[int, Pps], sps: Mapping[int, Sps]) -> None:
        self._pps = pps
        self._sps = sps
        self._known: tuple[int, int, int, SliceHeader] | None = None
        """A slice's first byte, the bits behind its slice_type and how many they are, and its header."""
        self._plain: dict[int, tuple[int, int, int]] = {}
        """
        By the ids of PPS whose slices, but for IDR ones, have frame_num, pic_order_cnt_lsb at most, and nothing else:
        the id of the SPS, and how many bits these two have.
        """

    def forget(self) -> None:
        self._known = None
        self._plain.clear()

    def read(self, nal: bytes) -> SliceHeader:
        """
        Of a slice NAL unit (types 1, 2 and 5), with its header byte and escaped; its beginning is enough.

        Raises `FormatError` where it is damaged, or refers to parameter sets that are not there.
        """
        try:
            return self._read(nal[0], nal[1:_MOSTLY])
        except FormatError:
            return self._read(nal[0], nal[1:HEADER_BYTES])

    def place(self, nal: bytes) -> int | None:
        """
        first_mb_in_slice of a slice whose header is the one that was read last, but for its place and type.

        `None` if it is another one, or damaged, or this cannot be said at once.
        """
        if self._known is None:
            return None
        byte, bits, count, _ = self._known
        if byte != nal[0]:
            return None
        # As `_read` does it; most slices pass here, so nothing is called for a few bits.
        head = unescape(nal[1:_MOSTLY])
        value, left = int.from_bytes(head, "big"), len(head) * 8
        left -= 2 * (left - value.bit_length()) + 1
        if left < 0:
            return None
        place = value >> left
        value ^= place << left
        left -= 2 * (left - value.bit_length()) + 1
        if left < count:
            return None
        kind = value >> left
        value ^= kind << left
        return place - 1 if kind <= _TYPES and value >> left - count == bits and place < 1 << 32 else None

    def _read(self, first: int, head: bytes) -> SliceHeader:
        r = HeadReader(unescape(head))
        first_mb, slice_type = r.ues(2)
        if slice_type > 9:
            raise FormatError(f"slice_type is {slice_type}, at most 9 is allowed")
        if self._known is not None:
            byte, bits, count, header = self._known
            if byte == first and r.begins_with(bits, count):
                return SliceHeader(first_mb, slice_type, *header[2:])
        left, value = r.left, r.value
        header = self._read_rest(r, first_mb, slice_type, first)
        self._known = first, value >> r.left, left - r.left, header
        return header

    def _read_rest(self, r: HeadReader, first_mb: int, slice_type: int, first: int) -> SliceHeader:
        pps_id = r.ue()
        if first & 31 != IDR and (plain := self._plain.get(pps_id)) is not None:
            sps_id, frame_num_bits, lsb_bits = plain
            both = r.u(frame_num_bits + lsb_bits)
            frame_num, lsb = both >> lsb_bits, both & (1 << lsb_bits) - 1
            reference = first >> 5 & 3
            return SliceHeader(
                first_mb, slice_type, pps_id, sps_id, reference, frame_num, False, False, -1, (lsb, 0), 0
            )
        picture = self._pps.get(pps_id)
        sequence = self._sps.get(picture.sps_id) if picture is not None else None
        if picture is None or sequence is None:
            raise FormatError(f"slice of PPS {pps_id}, which is not known")
        count = sequence.order
        if sequence.frame_mbs_only and not (count.separate_planes or picture.bottom_order or picture.redundant):
            if count.kind != 1 or count.always_zero:
                self._plain[pps_id] = picture.sps_id, count.frame_num_bits, count.lsb_bits if count.kind == 0 else 0
        if count.separate_planes:
            r.u(2)
        frame_num = r.u(count.frame_num_bits)
        field = not sequence.frame_mbs_only and r.u(1) == 1
        bottom = field and r.u(1) == 1
        idr_pic_id = r.ue() if first & 31 == IDR else -1
        if idr_pic_id > 65535:
            raise FormatError(f"idr_pic_id is {idr_pic_id}, at most 65535 is allowed")
        order = (0, 0)
        more = picture.bottom_order and not field
        if count.kind == 0:
            order = (r.u(count.lsb_bits), r.se() if more else 0)
        elif count.kind == 1 and not count.always_zero:
            order = (r.se(), r.se() if more else 0)
        redundant = r.ue() if picture.redundant else 0
        if redundant > 127:
            raise FormatError(f"redundant_pic_cnt is {redundant}, at most 127 is allowed")
        return SliceHeader(
            first_mb,
            slice_type,
            pps_id,
            picture.sps_id,
            first >> 5 & 3,
            frame_num,
            field,
            bottom,
            idr_pic_id,
            order,
            redundant,
        )


def begins_picture(before: SliceHeader, slice_: SliceHeader) -> bool:
    """Whether `slice_` belongs to another primary coded picture than the slice `before` it (§7.4.1.2.4)."""
    if before[2:] == slice_[2:]:
        return False  # all but the place in the picture and the type: mostly it is so, and this is quicker to say
    return (
        before.frame_num != slice_.frame_num
        or before.pps_id != slice_.pps_id
        and before.sps_id != slice_.sps_id
        or before.field != slice_.field
        or before.bottom != slice_.bottom
        or before.ref_idc != slice_.ref_idc
        and 0 in (before.ref_idc, slice_.ref_idc)
        or before.idr_pic_id != slice_.idr_pic_id
        or before.order != slice_.order
    )


class PictureOrder:
    """Picture order counts of a sequence's pictures, in decoding order (§8.2.1). The counts begin anew at an IDR."""

    def __init__(self) -> None:
        self._msb = 0
        self._lsb = 0
        self._frame_num = 0
        self._frame_offset = 0

    def count(self, slice_: SliceHeader, order: OrderCount) -> int:
        """The count of the picture that `slice_` begins: of a frame, its earlier field's."""
        if slice_.idr:
            self._msb = self._lsb = self._frame_num = self._frame_offset = 0
        if order.kind == 0:
            return self._by_lsb(slice_, order)
        if slice_.frame_num < self._frame_num:
            self._frame_offset += 1 << order.frame_num_bits
        self._frame_num = slice_.frame_num
        number = self._frame_offset + slice_.frame_num
        if order.kind == 2:
            return 2 * number - (not slice_.ref_idc)
        return self._by_cycle(slice_, order, number)

    def _by_lsb(self, slice_: SliceHeader, order: OrderCount) -> int:
        size = 1 << order.lsb_bits
        lsb, delta = slice_.order
        msb = self._msb
        if lsb < self._lsb and self._lsb - lsb >= size >> 1:
            msb += size
        elif lsb > self._lsb and lsb - self._lsb > size >> 1:
            msb -= size
        if slice_.ref_idc:
            self._msb, self._lsb = msb, lsb
        return msb + lsb + min(0, delta)

    def _by_cycle(self, slice_: SliceHeader, order: OrderCount, number: int) -> int:
        length = len(order.cycle)
        number = number if length else 0
        if number and not slice_.ref_idc:
            number -= 1
        expected = 0
        if number:
            cycles, place = divmod(number - 1, length)
            expected = cycles * sum(order.cycle) + sum(order.cycle[: place + 1])
        if not slice_.ref_idc:
            expected += order.offsets[0]
        first, second = slice_.order
        if slice_.field:
            return expected + first + (order.offsets[1] if slice_.bottom else 0)
        return expected + first + min(0, order.offsets[1] + second)
