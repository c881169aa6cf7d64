"""
H.264: access units, sequence parameter sets and the AVCDecoderConfigurationRecord.

    access unit   AUD? SPS* PPS* SEI* slice+        in Annex B; a sample keeps SEI and slices, with lengths
    avcC          1 profile constraints level 3|size SPS* PPS* [chroma depths SPSExt*]

ITU-T H.264 §7.3 and Annexes D, E; ISO/IEC 14496-15 §5.3.3; RFC 6381 §3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader
from flussdvr.formats.codecs.nal import split_annexb, unescape


class NalType(IntEnum):
    SLICE = 1
    PARTITION_A = 2
    PARTITION_B = 3
    PARTITION_C = 4
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    AUD = 9
    END_OF_SEQUENCE = 10
    END_OF_STREAM = 11
    FILLER = 12
    SPS_EXTENSION = 13
    PREFIX = 14
    SUBSET_SPS = 15


# Profiles with chroma_format_idc in the SPS (§7.3.2.1.1).
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
# avcC says chroma and depth for every profile but these (ISO/IEC 14496-15 §5.3.3.1.2).
_PLAIN_PROFILES = frozenset({66, 77, 88})
RECOVERY_POINT = 6
# How far an SEI is searched for a recovery point: encoders' user data in front of it has about 1 kB.
MAX_SEI = 4096
_INTRA_SLICES = frozenset({2, 4, 7, 9})
# The same in the byte that begins with first_mb_in_slice 0, a single one: the longest slice_type fills the rest.
_INTRA_FIRST = frozenset({*range(0xB0, 0xC0), *range(0x94, 0x98), 0x88, 0x8A})
# Level 6.2: sqrt(8 * MaxFS).
_MAX_MACROBLOCKS = 1055
_MAX_PARAMETER_SET = 0xFFFF
# A "rate" above this is the clock of a stream with a variable one.
_MAX_FRAME_RATE = 300

# Table E-1, shared with H.265.
ASPECT_RATIOS: tuple[tuple[int, int], ...] = (
    (1, 1),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
)
EXTENDED_SAR = 255


class H264AccessUnit(NamedTuple):
    """
    One coded picture.

    `sample` has 4-byte lengths and no AUD, filler or parameter sets (as `avc1` wants it); it is empty when there was
    nothing else. `sync`: decoding can start here: an IDR picture, or an I picture announced by a recovery point SEI
    (open GOP). `idr`: the former only. `intra`: the first slice is an I slice, whether or not decoding can start.
    `recovery`: recovery_frame_cnt of a recovery point SEI, `None` without one: a decoder that starts here is right
    after so many pictures (§D.2.8).
    """

    sample: bytes
    sync: bool
    sps: list[bytes]
    pps: list[bytes]
    idr: bool
    intra: bool
    recovery: int | None = None


def read_access_unit(annexb: bytes) -> H264AccessUnit:
    """
    Turn one picture in Annex B into a sample, in one pass.

    NAL units with the forbidden bit set are dropped, damaged SEI is ignored.
    Raises `FormatError` when the picture has too many NAL units.
    """
    return access_unit(annexb[start:stop] for start, stop in split_annexb(annexb))


def access_unit(nals: Iterable[bytes]) -> H264AccessUnit:
    """The same of NAL units that came apart already (RTP, or a sample with lengths); none of them empty."""
    parts: list[bytes] = []
    sps: list[bytes] = []
    pps: list[bytes] = []
    idr = False
    recovery: int | None = None
    first_slice = b""
    for nal in nals:
        header = nal[0]
        kind = header & 0x1F
        if kind == 9 or kind == 12 or header & 0x80:
            continue
        if kind == 7:
            sps.append(nal)
            continue
        if kind == 8:
            pps.append(nal)
            continue
        if kind == 6:
            recovery = recovery_count(nal) if recovery is None else recovery
        elif 1 <= kind <= 5:
            idr = idr or kind == 5
            first_slice = first_slice or nal[:16]
        parts += len(nal).to_bytes(4, "big"), nal
    intra = idr or _is_intra(first_slice)
    return H264AccessUnit(b"".join(parts), idr or (recovery == 0 and intra), sps, pps, idr, intra, recovery)


def _is_intra(slice_: bytes) -> bool:
    """Whether slice_type is I or SI (§7.3.3)."""
    if slice_[1:2] >= b"\x80":
        return slice_[1] in _INTRA_FIRST
    reader = BitReader(unescape(slice_))
    try:
        reader.skip(8)
        reader.ue()
        return reader.ue() in _INTRA_SLICES
    except FormatError:
        return False


def recovery_count(nal: bytes) -> int | None:
    """recovery_frame_cnt of an SEI NAL unit, `None` if it is no recovery point (§D.1.8)."""
    payload = find_sei(unescape(nal[:MAX_SEI])[1:], RECOVERY_POINT)
    try:
        return None if payload is None else BitReader(payload).ue()
    except FormatError:
        return None


def find_sei(rbsp: bytes, wanted: int) -> bytes | None:
    """The payload of that type in an SEI behind its NAL unit's header, the same in H.265; as much as there is of it."""
    position, end = 0, len(rbsp)
    while position + 2 < end:
        kind = size = 0
        while position < end and rbsp[position] == 255:
            kind += 255
            position += 1
        if position >= end:
            return None
        kind += rbsp[position]
        position += 1
        while position < end and rbsp[position] == 255:
            size += 255
            position += 1
        if position >= end:
            return None
        size += rbsp[position]
        position += 1
        if kind == wanted:
            return rbsp[position : position + size]
        position += size
    return None


@dataclass(frozen=True, slots=True)
class OrderCount:
    """
    How pictures of a sequence are numbered (§7.4.2.1.1): lengths in bits; `kind` is pic_order_cnt_type.

    Of kind 1: `always_zero` is delta_pic_order_always_zero_flag, `offsets` are offset_for_non_ref_pic and
    offset_for_top_to_bottom_field, `cycle` has offset_for_ref_frame.
    """

    frame_num_bits: int = 4
    kind: int = 2
    lsb_bits: int = 4
    always_zero: bool = True
    offsets: tuple[int, int] = (0, 0)
    cycle: tuple[int, ...] = ()
    separate_planes: bool = False


@dataclass(frozen=True, slots=True)
class Sps:
    """
    A sequence parameter set, as far as a recorder wants to know it.

    `width`, `height` in luma samples after cropping; `frame_rate` in frames per second if the stream says it;
    `max_num_reorder`: how many pictures can precede another in decoding order and follow it in output order, `None`
    where the stream does not say; `order`: what a slice header's reader needs.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    id: int
    chroma_format_idc: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    frame_mbs_only: bool
    max_num_ref_frames: int
    sample_aspect_ratio: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    fixed_frame_rate: bool = False
    max_num_reorder: int | None = None
    order: OrderCount = OrderCount()


@dataclass(frozen=True, slots=True)
class _Vui:
    sample_aspect_ratio: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    fixed_frame_rate: bool = False
    max_num_reorder: int | None = None


def parse_sps(nal: bytes) -> Sps:
    """
    Parse an SPS NAL unit, with its header byte and escaped (§7.3.2.1.1).

    A damaged VUI is as good as none. Raises `FormatError` for everything else.
    """
    if not nal or nal[0] & 0x1F != NalType.SPS:
        raise FormatError("not an SPS")
    if len(nal) > _MAX_PARAMETER_SET:
        raise FormatError(f"SPS has {len(nal)} bytes")
    r = BitReader(unescape(nal))
    r.skip(8)
    profile_idc, constraint_flags, level_idc = r.u(8), r.u(8), r.u(8)
    id_ = r.bounded_ue(31, "seq_parameter_set_id")
    chroma_format_idc, luma, chroma, separate = 1, 8, 8, False
    if profile_idc in _HIGH_PROFILES:
        chroma_format_idc = r.bounded_ue(3, "chroma_format_idc")
        separate = chroma_format_idc == 3 and r.flag()
        luma = 8 + r.bounded_ue(6, "bit_depth_luma_minus8")
        chroma = 8 + r.bounded_ue(6, "bit_depth_chroma_minus8")
        r.flag()
        if r.flag():
            _skip_scaling_lists(r, 12 if chroma_format_idc == 3 else 8)
    order = _read_order_count(r, separate)
    max_num_ref_frames = r.bounded_ue(16, "max_num_ref_frames")
    r.flag()
    width_mbs = 1 + r.bounded_ue(_MAX_MACROBLOCKS - 1, "pic_width_in_mbs_minus1")
    height_units = 1 + r.bounded_ue(_MAX_MACROBLOCKS - 1, "pic_height_in_map_units_minus1")
    frame_mbs_only = r.flag()
    if not frame_mbs_only:
        r.flag()
    r.flag()
    fields = 1 if frame_mbs_only else 2
    width, height = width_mbs * 16, height_units * 16 * fields
    if r.flag():
        planar = 0 if separate else chroma_format_idc
        unit_x = 2 if planar in (1, 2) else 1
        unit_y = (2 if planar == 1 else 1) * fields
        left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
        if width <= 0 or height <= 0:
            raise FormatError("SPS crops the whole picture away")
    vui = _read_vui(r)
    # Output order is decoding order in type 2 (§8.2.1.3).
    reorder = 0 if order.kind == 2 else vui.max_num_reorder
    return Sps(
        profile_idc,
        constraint_flags,
        level_idc,
        id_,
        chroma_format_idc,
        luma,
        chroma,
        width,
        height,
        frame_mbs_only,
        max_num_ref_frames,
        vui.sample_aspect_ratio,
        vui.frame_rate,
        vui.fixed_frame_rate,
        reorder,
        order,
    )


def _skip_scaling_lists(r: BitReader, count: int) -> None:
    """§7.3.2.1.1.1"""
    for index in range(count):
        if not r.flag():
            continue
        last = next_ = 8
        for _ in range(16 if index < 6 else 64):
            if next_:
                next_ = (last + r.se()) & 0xFF
            last = next_ or last


def _read_order_count(r: BitReader, separate_planes: bool) -> OrderCount:
    frame_num_bits = 4 + r.bounded_ue(12, "log2_max_frame_num_minus4")
    kind = r.bounded_ue(2, "pic_order_cnt_type")
    if kind == 0:
        lsb_bits = 4 + r.bounded_ue(12, "log2_max_pic_order_cnt_lsb_minus4")
        return OrderCount(frame_num_bits, kind, lsb_bits, separate_planes=separate_planes)
    if kind == 1:
        always_zero, offsets = r.flag(), (r.se(), r.se())
        count = r.bounded_ue(255, "num_ref_frames_in_pic_order_cnt_cycle")
        cycle = tuple(r.se() for _ in range(count))
        return OrderCount(frame_num_bits, kind, 4, always_zero, offsets, cycle, separate_planes)
    return OrderCount(frame_num_bits, separate_planes=separate_planes)


def _read_vui(r: BitReader) -> _Vui:
    """§E.1.1. Encoders get this wrong more often than the rest, so what precedes the damage counts."""
    aspect: tuple[int, int] = (1, 1)
    rate: Fraction | None = None
    fixed = False
    reorder: int | None = None
    try:
        if r.flag():
            aspect = read_aspect_ratio(r)
            skip_video_signal(r)
            if r.flag():
                ticks, scale = r.u(32), r.u(32)
                fixed = r.flag()
                rate = plausible_rate(scale, 2 * ticks)
            reorder = _read_restrictions(r)
    except FormatError:
        pass
    return _Vui(aspect, rate, fixed and rate is not None, reorder)


def read_aspect_ratio(r: BitReader) -> tuple[int, int]:
    """aspect_ratio_info of a VUI, the same in H.265; (1, 1) when it is not said."""
    if not r.flag():
        return (1, 1)
    idc = r.u(8)
    if idc == EXTENDED_SAR:
        horizontal, vertical = r.u(16), r.u(16)
        return (horizontal, vertical) if horizontal and vertical else (1, 1)
    return ASPECT_RATIOS[idc] if idc < len(ASPECT_RATIOS) else (1, 1)


def skip_video_signal(r: BitReader) -> None:
    """overscan, video_signal_type and chroma_loc_info of a VUI, the same in H.265."""
    if r.flag():
        r.flag()
    if r.flag():
        r.skip(4)
        if r.flag():
            r.skip(24)
    if r.flag():
        r.ue()
        r.ue()


def plausible_rate(scale: int, ticks: int) -> Fraction | None:
    """scale / ticks as frames per second, or None for what is a clock and not a rate."""
    if not scale or not ticks or scale > ticks * _MAX_FRAME_RATE:
        return None
    return Fraction(scale, ticks)


def _read_restrictions(r: BitReader) -> int | None:
    """The rest of the VUI, for max_num_reorder_frames."""
    nal_hrd = r.flag()
    if nal_hrd:
        _skip_hrd(r)
    vcl_hrd = r.flag()
    if vcl_hrd:
        _skip_hrd(r)
    if nal_hrd or vcl_hrd:
        r.flag()
    r.flag()
    if not r.flag():
        return None
    r.flag()
    for _ in range(4):
        r.ue()
    reorder = r.bounded_ue(16, "max_num_reorder_frames")
    r.bounded_ue(16, "max_dec_frame_buffering")
    return reorder


def _skip_hrd(r: BitReader) -> None:
    """§E.1.2"""
    count = 1 + r.bounded_ue(31, "cpb_cnt_minus1")
    r.skip(8)
    for _ in range(count):
        r.ue()
        r.ue()
        r.flag()
    r.skip(20)


def build_avcc(sps_list: Sequence[bytes], pps_list: Sequence[bytes]) -> bytes:
    """
    The AVCDecoderConfigurationRecord of these parameter sets, for samples with 4-byte lengths.

    Raises `FormatError` when there is no SPS, there are too many, or one cannot be parsed.
    """
    if not sps_list:
        raise FormatError("no SPS")
    if len(sps_list) > 31 or len(pps_list) > 255:
        raise FormatError(f"too many parameter sets: {len(sps_list)} SPS, {len(pps_list)} PPS")
    if any(not nal or len(nal) > _MAX_PARAMETER_SET for nal in (*sps_list, *pps_list)):
        raise FormatError("parameter set is empty or longer than 65535 bytes")
    first = parse_sps(sps_list[0])
    parts = [bytes((1, *sps_list[0][1:4], 0xFF, 0xE0 | len(sps_list)))]
    for nal in sps_list:
        parts += (len(nal).to_bytes(2, "big"), nal)
    parts.append(bytes((len(pps_list),)))
    for nal in pps_list:
        parts += (len(nal).to_bytes(2, "big"), nal)
    if first.profile_idc not in _PLAIN_PROFILES:
        depths = 0xF8 | (first.bit_depth_luma - 8), 0xF8 | (first.bit_depth_chroma - 8)
        parts.append(bytes((0xFC | first.chroma_format_idc, *depths, 0)))
    return b"".join(parts)


def parse_avcc(data: bytes) -> tuple[int, list[bytes], list[bytes]]:
    """
    (bytes of a NAL unit length, SPS, PPS) of an AVCDecoderConfigurationRecord.

    Raises `FormatError` when it is truncated or of another version.
    """
    if len(data) < 7 or data[0] != 1:
        raise FormatError("not an AVCDecoderConfigurationRecord of version 1")
    length_size = 1 + (data[4] & 3)
    if length_size == 3:
        raise FormatError("NAL unit lengths of 3 bytes")
    sps, position = _read_sets(data, 6, data[5] & 31)
    if position >= len(data):
        raise FormatError("avcC is truncated before its PPS")
    pps, _ = _read_sets(data, position + 1, data[position])
    return length_size, sps, pps


def _read_sets(data: bytes, position: int, count: int) -> tuple[list[bytes], int]:
    sets = []
    for _ in range(count):
        start = position + 2
        stop = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or stop > len(data):
            raise FormatError(f"avcC is truncated: need {max(start, stop)}, have {len(data)}")
        sets.append(data[start:stop])
        position = stop
    return sets, position


def codec_string(avcc: bytes, entry: str = "avc1") -> str:
    """`avc1.PPCCLL` of an avcC payload in a sample entry `entry`: profile, constraints and level (RFC 6381 §3.3)."""
    if len(avcc) < 4:
        raise FormatError("avcC is truncated")
    return f"{entry}.{avcc[1:4].hex().upper()}"
