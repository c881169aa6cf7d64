"""
H.265: access units, parameter sets and the HEVCDecoderConfigurationRecord.

    access unit   AUD? VPS* SPS* PPS* SEI* slice+     in Annex B; a sample keeps SEI and slices, with lengths
    hvcC          1 profile_tier_level(12) segmentation parallelism chroma depths rate layers|size arrays*
    array         complete|type u16 count (u16 length NAL)*

ITU-T H.265 §7.3 and Annex E; ISO/IEC 14496-15 §8.3.3 and Annex E (codec strings).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader
from flussdvr.formats.codecs.h264 import (
    MAX_SEI,
    RECOVERY_POINT,
    find_sei,
    plausible_rate,
    read_aspect_ratio,
    skip_video_signal,
)
from flussdvr.formats.codecs.nal import escape, split_annexb, unescape


class NalType(IntEnum):
    BLA_W_LP = 16
    BLA_W_RADL = 17
    BLA_N_LP = 18
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    VPS = 32
    SPS = 33
    PPS = 34
    AUD = 35
    END_OF_SEQUENCE = 36
    END_OF_BITSTREAM = 37
    FILLER = 38
    PREFIX_SEI = 39
    SUFFIX_SEI = 40


_MAX_PARAMETER_SET = 0xFFFF
VPS_HEADER = 32 << 9 | 1
# Level 6.2: sqrt(8 * MaxLumaPs).
_MAX_SIDE = 16888
_CHROMA_UNITS = ((1, 1), (2, 2), (2, 1), (1, 1))


class H265AccessUnit(NamedTuple):
    """
    One coded picture.

    `sample` has 4-byte lengths and no AUD, filler or parameter sets (as `hvc1` wants it), only of the base layer; it
    is empty when there was nothing else. `sync`: an IRAP picture (IDR, BLA, CRA), decoding can start here; `idr`: an
    IDR picture. `recovery`: recovery_poc_cnt of a recovery point SEI, `None` without one (§D.3.8).
    """

    sample: bytes
    sync: bool
    vps: list[bytes]
    sps: list[bytes]
    pps: list[bytes]
    idr: bool
    recovery: int | None = None


def read_access_unit(annexb: bytes) -> H265AccessUnit:
    """
    Turn one picture in Annex B into a sample, in one pass.

    NAL units with the forbidden bit set and those of enhancement layers are dropped.
    Raises `FormatError` when the picture has too many NAL units.
    """
    return access_unit(annexb[start:stop] for start, stop in split_annexb(annexb))


def access_unit(nals: Iterable[bytes]) -> H265AccessUnit:
    """The same of NAL units that came apart already (RTP, or a sample with lengths); none of them empty."""
    parts: list[bytes] = []
    sets: tuple[list[bytes], list[bytes], list[bytes]] = ([], [], [])
    sync = idr = False
    recovery: int | None = None
    for nal in nals:
        header = nal[0]
        # The forbidden bit and the first bit of nuh_layer_id, then the rest of nuh_layer_id.
        if header & 0x81 or len(nal) < 2 or nal[1] & 0xF8:
            continue
        kind = header >> 1
        if kind == 35 or kind == 38:
            continue
        if 32 <= kind <= 34:
            sets[kind - 32].append(nal)
            continue
        if 16 <= kind <= 23:
            sync = True
            idr = idr or kind in (19, 20)
        elif kind == 39 and recovery is None:
            recovery = recovery_count(nal)
        parts.append(len(nal).to_bytes(4, "big"))
        parts.append(nal)
    return H265AccessUnit(b"".join(parts), sync, *sets, idr, recovery)


def recovery_count(nal: bytes) -> int | None:
    """recovery_poc_cnt of a prefix SEI NAL unit, `None` if it is no recovery point."""
    payload = find_sei(unescape(nal[:MAX_SEI])[2:], RECOVERY_POINT)
    try:
        return None if payload is None else BitReader(payload).se()
    except FormatError:
        return None


@dataclass(frozen=True, slots=True)
class ProfileTierLevel:
    """general_* of profile_tier_level(); `constraint_flags` are the 48 bits behind the compatibility flags."""

    profile_space: int
    tier_flag: bool
    profile_idc: int
    compatibility_flags: int
    constraint_flags: int
    level_idc: int

    def __bytes__(self) -> bytes:
        first = self.profile_space << 6 | self.tier_flag << 5 | self.profile_idc
        flags = self.compatibility_flags.to_bytes(4, "big") + self.constraint_flags.to_bytes(6, "big")
        return bytes((first,)) + flags + bytes((self.level_idc,))


@dataclass(frozen=True, slots=True)
class Sps:
    """
    A sequence parameter set, as far as a recorder wants to know it.

    `width`, `height` in luma samples inside of the conformance window; `frame_rate` in frames per second if the
    stream says it; `max_num_reorder`: how many pictures can precede another in decoding order and follow it in output
    order; `min_spatial_segmentation_idc` as in the VUI, 0 if it is not there; `order_bits`: of slice_pic_order_cnt_lsb.
    """

    profile: ProfileTierLevel
    temporal_layers: int
    temporal_id_nested: bool
    id: int
    chroma_format_idc: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    max_num_reorder: int
    sample_aspect_ratio: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    min_spatial_segmentation_idc: int = 0
    order_bits: int = 4
    separate_planes: bool = False
    vps_id: int = 0
    max_dec_pic_buffering: int = 1


def parse_sps(nal: bytes) -> Sps:
    """
    Parse an SPS NAL unit, with its header of two bytes and escaped (§7.3.2.2).

    What is damaged behind the picture's size is as good as not there. Raises `FormatError` for everything else.
    """
    r = _open(nal, NalType.SPS)
    vps_id = r.u(4)
    layers = 1 + r.u(3)
    nested = r.flag()
    if layers > 7:
        raise FormatError(f"sps_max_sub_layers_minus1 is {layers - 1}")
    profile = _read_profile_tier_level(r, layers)
    id_ = r.bounded_ue(15, "sps_seq_parameter_set_id")
    chroma = r.bounded_ue(3, "chroma_format_idc")
    units = _CHROMA_UNITS[chroma]
    separate = chroma == 3 and r.flag()
    width, height = r.bounded_ue(_MAX_SIDE, "width"), r.bounded_ue(_MAX_SIDE, "height")
    if r.flag():
        left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
        width -= (left + right) * units[0]
        height -= (top + bottom) * units[1]
    if width <= 0 or height <= 0:
        raise FormatError("SPS has no picture inside of its conformance window")
    depth_luma = 8 + r.bounded_ue(8, "bit_depth_luma_minus8")
    depth_chroma = 8 + r.bounded_ue(8, "bit_depth_chroma_minus8")
    order_bits = 4 + r.bounded_ue(12, "log2_max_pic_order_cnt_lsb_minus4")
    reorder = buffering = 0
    for _ in range(layers if r.flag() else 1):
        buffering = 1 + r.bounded_ue(15, "sps_max_dec_pic_buffering_minus1")
        reorder = r.bounded_ue(15, "sps_max_num_reorder_pics")
        r.ue()
    aspect, rate, segmentation = _read_vui(r, order_bits, layers)
    return Sps(
        profile,
        layers,
        nested,
        id_,
        chroma,
        depth_luma,
        depth_chroma,
        width,
        height,
        reorder,
        aspect,
        rate,
        segmentation,
        order_bits,
        separate,
        vps_id,
        buffering,
    )


def _open(nal: bytes, kind: NalType) -> BitReader:
    if len(nal) < 3 or nal[0] >> 1 & 63 != kind:
        raise FormatError(f"not a {kind.name}")
    if len(nal) > _MAX_PARAMETER_SET:
        raise FormatError(f"{kind.name} has {len(nal)} bytes")
    r = BitReader(unescape(nal))
    r.skip(16)
    return r


def _read_profile_tier_level(r: BitReader, layers: int) -> ProfileTierLevel:
    """§7.3.3; what it says of sub-layers is passed over."""
    general = ProfileTierLevel(r.u(2), r.flag(), r.u(5), r.u(32), r.u(48), r.u(8))
    if layers > 1:
        present = [(r.flag(), r.flag()) for _ in range(layers - 1)]
        r.skip(2 * (9 - layers))
        for has_profile, has_level in present:
            r.skip(88 * has_profile + 8 * has_level)
    return general


def _read_vui(r: BitReader, order_bits: int, layers: int) -> tuple[tuple[int, int], Fraction | None, int]:
    """(sample aspect ratio, frame rate, min_spatial_segmentation_idc): what precedes damage counts."""
    aspect: tuple[int, int] = (1, 1)
    rate: Fraction | None = None
    segmentation = 0
    try:
        _skip_coding_tools(r, order_bits)
        if r.flag():
            aspect = read_aspect_ratio(r)
            skip_video_signal(r)
            r.skip(3)
            if r.flag():
                for _ in range(4):
                    r.ue()
            if r.flag():
                ticks, scale = r.u(32), r.u(32)
                rate = plausible_rate(scale, ticks)
                if r.flag():
                    r.ue()
                if r.flag():
                    _skip_hrd(r, layers)
            if r.flag():
                r.skip(3)
                segmentation = r.bounded_ue(4095, "min_spatial_segmentation_idc")
    except FormatError:
        pass
    return aspect, rate, segmentation


def _skip_coding_tools(r: BitReader, order_bits: int) -> None:
    """From log2_min_luma_coding_block_size_minus3 to the VUI."""
    for _ in range(6):
        r.ue()
    if r.flag() and r.flag():
        _skip_scaling_lists(r)
    r.skip(2)
    if r.flag():
        r.skip(8)
        r.ue()
        r.ue()
        r.flag()
    deltas = 0
    for index in range(r.bounded_ue(64, "num_short_term_ref_pic_sets")):
        deltas = _skip_reference_set(r, index, deltas)
    if r.flag():
        for _ in range(r.bounded_ue(32, "num_long_term_ref_pics_sps")):
            r.skip(order_bits + 1)
    r.skip(2)


def _skip_scaling_lists(r: BitReader) -> None:
    """§7.3.4"""
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not r.flag():
                r.ue()
                continue
            if size > 1:
                r.se()
            for _ in range(16 if size == 0 else 64):
                r.se()


def _skip_reference_set(r: BitReader, index: int, previous: int) -> int:
    """st_ref_pic_set(): how many deltas it has, which the next one may build upon (§7.3.7)."""
    if index and r.flag():
        r.flag()
        r.ue()
        deltas = 0
        for _ in range(previous + 1):
            # used_by_curr_pic_flag, else use_delta_flag
            deltas += r.flag() or r.flag()
        if deltas > 32:
            raise FormatError(f"short-term reference picture set has {deltas} pictures")
        return deltas
    negative, positive = r.bounded_ue(16, "num_negative_pics"), r.bounded_ue(16, "num_positive_pics")
    for _ in range(negative + positive):
        r.ue()
        r.flag()
    return negative + positive


def _skip_hrd(r: BitReader, layers: int) -> None:
    """hrd_parameters(1, layers - 1), §E.2.2"""
    nal, vcl = r.flag(), r.flag()
    picture = False
    if nal or vcl:
        picture = r.flag()
        if picture:
            r.skip(19)
        r.skip(8)
        if picture:
            r.skip(4)
        r.skip(15)
    for _ in range(layers):
        low_delay = False
        fixed = r.flag() or r.flag()
        if fixed:
            r.ue()
        else:
            low_delay = r.flag()
        count = 1 if low_delay else 1 + r.bounded_ue(31, "cpb_cnt_minus1")
        for _ in range((nal + vcl) * count):
            for _ in range(4 if picture else 2):
                r.ue()
            r.flag()


def _parallelism(pps_list: Iterable[bytes]) -> int:
    """parallelismType of hvcC: 1 slices, 2 tiles, 3 wavefronts, 0 mixed or not known."""
    kinds = set()
    for nal in pps_list:
        try:
            tiles, wavefronts = _read_pps_tools(nal)
        except FormatError:
            return 0
        kinds.add(0 if tiles and wavefronts else 3 if wavefronts else 2 if tiles else 1)
    return kinds.pop() if len(kinds) == 1 else 0


def _read_pps_tools(nal: bytes) -> tuple[bool, bool]:
    """(tiles_enabled_flag, entropy_coding_sync_enabled_flag), §7.3.2.3"""
    r = _open(nal, NalType.PPS)
    r.bounded_ue(63, "pps_pic_parameter_set_id")
    r.bounded_ue(15, "pps_seq_parameter_set_id")
    r.skip(7)
    r.ue()
    r.ue()
    r.se()
    r.skip(2)
    if r.flag():
        r.ue()
    r.se()
    r.se()
    r.skip(4)
    return r.flag(), r.flag()


def build_vps(sps: Sps) -> bytes:
    """A VPS for a stream that has none: decoders refuse an SPS without the VPS that it names (§7.3.2.1)."""
    bits = f"{VPS_HEADER:016b}{sps.vps_id:04b}11{0:06b}"
    bits += f"{sps.temporal_layers - 1:03b}{sps.temporal_id_nested:b}{0xFFFF:016b}"
    bits += f"{int.from_bytes(bytes(sps.profile), 'big'):096b}"
    if sps.temporal_layers > 1:
        bits += "00" * 8  # nothing is said of sub-layers
    bits += "0" + _ue(sps.max_dec_pic_buffering - 1) + _ue(sps.max_num_reorder) + _ue(0)
    bits += f"{0:06b}" + _ue(0) + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    return escape(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def build_hvcc(vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes], in_band: bool = False) -> bytes:
    """
    The HEVCDecoderConfigurationRecord of these parameter sets, for samples with 4-byte lengths.

    `in_band`: the samples bring parameter sets too (`hev1`).

    Raises `FormatError` when there is no SPS, there are too many sets, or the first SPS cannot be parsed.
    """
    if not sps:
        raise FormatError("no SPS")
    first = parse_sps(sps[0])
    segmentation = first.min_spatial_segmentation_idc
    parts = [
        b"\x01",
        bytes(first.profile),
        (0xF000 | segmentation).to_bytes(2, "big"),
        bytes(
            (
                0xFC | (_parallelism(pps) if segmentation else 0),
                0xFC | first.chroma_format_idc,
                0xF8 | (first.bit_depth_luma - 8) & 7,
                0xF8 | (first.bit_depth_chroma - 8) & 7,
                0,
                0,
                first.temporal_layers << 3 | first.temporal_id_nested << 2 | 3,
            )
        ),
    ]
    arrays = [(kind, sets) for kind, sets in zip((32, 33, 34), (vps, sps, pps), strict=True) if sets]
    parts.append(bytes((len(arrays),)))
    for kind, sets in arrays:
        # array_completeness: hvc1 samples bring no parameter sets of their own.
        parts.append(bytes((kind if in_band else 0x80 | kind,)) + _u16(len(sets)))
        for nal in sets:
            parts += (_u16(len(nal)), nal)
    return b"".join(parts)


def _u16(value: int) -> bytes:
    if value > 0xFFFF:
        raise FormatError("too many or too long parameter sets")
    return value.to_bytes(2, "big")


def parse_hvcc(data: bytes) -> tuple[int, list[bytes], list[bytes], list[bytes]]:
    """
    (bytes of a NAL unit length, VPS, SPS, PPS) of an HEVCDecoderConfigurationRecord.

    Other arrays (SEI) are passed over. Raises `FormatError` when it is truncated or of another version.
    """
    if len(data) < 23 or data[0] != 1:
        raise FormatError("not an HEVCDecoderConfigurationRecord of version 1")
    length_size = 1 + (data[21] & 3)
    if length_size == 3:
        raise FormatError("NAL unit lengths of 3 bytes")
    sets: dict[int, list[bytes]] = {32: [], 33: [], 34: []}
    position = 23
    for _ in range(data[22]):
        if position + 3 > len(data):
            raise FormatError(f"hvcC is truncated: need {position + 3}, have {len(data)}")
        array = sets.get(data[position] & 63, [])
        count = int.from_bytes(data[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            start = position + 2
            stop = start + int.from_bytes(data[position:start], "big")
            if start > len(data) or stop > len(data):
                raise FormatError(f"hvcC is truncated: need {max(start, stop)}, have {len(data)}")
            array.append(data[start:stop])
            position = stop
    return length_size, sets[32], sets[33], sets[34]


def codec_string(hvcc: bytes, entry: str = "hvc1") -> str:
    """The sample entry's name and profile, compatibility, tier and level, constraints (ISO/IEC 14496-15 §E.3)."""
    if len(hvcc) < 13:
        raise FormatError("hvcC is truncated")
    profile = ("", "A", "B", "C")[hvcc[1] >> 6] + str(hvcc[1] & 31)
    # The standard wants the flags in reverse bit order.
    compatibility = int(f"{int.from_bytes(hvcc[2:6], 'big'):032b}"[::-1], 2)
    level = ("H" if hvcc[1] & 32 else "L") + str(hvcc[12])
    constraints = [f"{byte:X}" for byte in hvcc[6:12].rstrip(b"\x00")]
    return ".".join([entry, profile, f"{compatibility:X}", level, *constraints])
