"""
H.265 slice segment headers: a picture's kind and its place in output order.

    slice    first_slice_segment_in_pic [no_output_of_prior_pics] pps_id [dependent] [address] [reserved] slice_type ...

ITU-T H.265 §7.3.6.1 and §8.3.1 (picture order count). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader, HeadReader
from flussdvr.formats.codecs.h265 import Sps
from flussdvr.formats.codecs.nal import unescape

__all__ = ["PictureOrder", "Pps", "SliceHeader", "parse_pps", "parse_slice"]

HEADER_BYTES = 48
IDR_KINDS = (19, 20)
I_SLICE = 2
# RADL and RASL pictures and sub-layer non-reference pictures do not count for the order of what follows (§8.3.1).
_LEADING = frozenset(range(6, 10))
_NOT_REFERENCED = frozenset(range(0, 16, 2))


class Pps(NamedTuple):
    """The few elements of a picture parameter set (§7.3.2.3.1) that slice headers depend on."""

    id: int
    sps_id: int
    output_flag: bool = False
    extra_bits: int = 0


def parse_pps(nal: bytes) -> Pps:
    """Of a PPS NAL unit, with its header of two bytes and escaped. Raises `FormatError`."""
    r = BitReader(unescape(nal[:HEADER_BYTES]))
    r.skip(16)
    id_, sps_id = r.bounded_ue(63, "pps_pic_parameter_set_id"), r.bounded_ue(15, "pps_seq_parameter_set_id")
    r.flag()
    return Pps(id_, sps_id, r.flag(), r.u(3))


class SliceHeader(NamedTuple):
    """
    The header of a picture's first slice segment up to the picture order count.

    `kind` is nal_unit_type, `lsb` slice_pic_order_cnt_lsb.
    """

    kind: int
    temporal_id: int
    pps_id: int
    sps_id: int
    slice_type: int
    lsb: int

    @property
    def idr(self) -> bool:
        return self.kind in IDR_KINDS

    @property
    def begins_sequence(self) -> bool:
        """Whether the order of pictures begins anew: IDR and BLA."""
        return 16 <= self.kind <= 20

    @property
    def intra(self) -> bool:
        return self.slice_type == I_SLICE


def parse_slice(nal: bytes, pps: Mapping[int, Pps], sps: Mapping[int, Sps]) -> SliceHeader:
    """
    Of a picture's first slice segment, with its header of two bytes and escaped; its beginning is enough.

    Raises `FormatError` where it is damaged, not the first, or refers to parameter sets that are not there.
    """
    r = HeadReader(unescape(nal[:HEADER_BYTES]))
    first = r.u(17)  # the header of the NAL unit, and first_slice_segment_in_pic_flag
    kind, temporal_id = first >> 10 & 63, (first >> 1 & 7) - 1
    if not first & 1:
        raise FormatError("not the first slice segment of a picture")
    if 16 <= kind <= 23:
        r.u(1)
    pps_id = r.ue()
    picture = pps.get(pps_id)
    sequence = sps.get(picture.sps_id) if picture is not None else None
    if picture is None or sequence is None:
        raise FormatError(f"slice of PPS {pps_id}, which is not known")
    r.u(picture.extra_bits)
    slice_type = r.ue()
    if slice_type > 2:
        raise FormatError(f"slice_type is {slice_type}, at most 2 is allowed")
    r.u(picture.output_flag + 2 * sequence.separate_planes)
    lsb = 0 if kind in IDR_KINDS else r.u(sequence.order_bits)
    return SliceHeader(kind, temporal_id, pps_id, picture.sps_id, slice_type, lsb)


class PictureOrder:
    """Picture order counts in decoding order (§8.3.1). The counts begin anew at IDR and BLA pictures."""

    def __init__(self) -> None:
        self._msb = 0
        self._lsb = 0

    def count(self, slice_: SliceHeader, order_bits: int) -> int:
        """PicOrderCntVal of the picture that `slice_` begins."""
        size = 1 << order_bits
        msb, lsb = self._msb, slice_.lsb
        if slice_.begins_sequence:
            msb = 0
        elif lsb < self._lsb and self._lsb - lsb >= size >> 1:
            msb += size
        elif lsb > self._lsb and lsb - self._lsb > size >> 1:
            msb -= size
        if slice_.temporal_id == 0 and slice_.kind not in _LEADING and slice_.kind not in _NOT_REFERENCED:
            self._msb, self._lsb = msb, lsb
        return msb + lsb
