"""
The configuration of an H.264 or H.265 track: parameter sets as they come in, the record and the track made of them.

    access unit's VPS SPS PPS -> ParameterSets -> avcC | hvcC -> Track
                                              `-> what the sample carries itself (`avc3`, `hev1`)

ISO/IEC 14496-15 §5.3.3, §8.3.3. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import h264, h264_slice, h265, h265_slice
from flussdvr.formats.pictures.parameter_sets import Change, ParameterSets, Readers
from flussdvr.media import Codec, Track

__all__ = ["VideoConfig"]


_UNCHANGED = Change.NONE
"""To look at a member of an enumeration takes as long as a call."""


class VideoConfig:
    """
    Of one track. `track` is `None` until there are an SPS and a PPS; it is replaced when a decoder must be told.

    `codec` is H264 or H265.
    """

    def __init__(self, track_id: int, codec: Codec, timescale: int, language: str = "und") -> None:
        self.track: Track | None = None
        self.reorder: int | None = None
        """As `Sps.max_num_reorder`."""
        self.frame_mbs_only = True
        self._id = track_id
        self._codec = codec
        self._timescale = timescale
        self._language = language
        self._sets = ParameterSets(_H264 if codec is Codec.H264 else _H265)

    def update(
        self, found: Sequence[Sequence[bytes]], active: int | None, now_s: float, hint: Fraction | None = None
    ) -> Change:
        """
        Take over the sets of an access unit: of H.264 SPS and PPS, of H.265 VPS before them.

        `active`: id of the SPS that its picture refers to, if known; `hint`: a frame rate for SPS that say none.
        """
        carried = self._sets.carried
        change = self._sets.update(found, active, now_s)
        if change is _UNCHANGED:
            return change
        if change is Change.CONFIGURATION or (change is Change.CARRIED and not carried):
            try:
                self._configure(hint)
            except FormatError:
                return Change.NONE
        return change

    @property
    def carried(self) -> bool:
        """Whether samples carry their parameter sets."""
        return self._sets.carried

    def carried_sets(self, found: Sequence[Sequence[bytes]], change: Change, sync: bool) -> bytes:
        """What a sample must carry in front of its picture, with lengths; nothing in `avc1` and `hvc1`."""
        if not self._sets.carried or not (sync or change is Change.CARRIED):
            return b""
        sets = self._sets.in_force if sync else found
        return b"".join([len(nal).to_bytes(4, "big") + nal for of_kind in sets for nal in of_kind])

    def _configure(self, hint: Fraction | None) -> None:
        sets, in_band = self._sets.configured, self._sets.carried
        sps: h264.Sps | h265.Sps
        if self._codec is Codec.H264:
            config, sps = h264.build_avcc(*sets), h264.parse_sps(sets[0][0])
            self.frame_mbs_only = sps.frame_mbs_only
        else:
            vps, sps_nals, pps = sets
            sps = h265.parse_sps(sps_nals[0])
            config = h265.build_hvcc(vps or [h265.build_vps(sps)], sps_nals, pps, in_band)
        self.reorder = sps.max_num_reorder
        self.track = Track(
            self._id,
            self._codec,
            self._timescale,
            config,
            self._language,
            sps.width,
            sps.height,
            sps.sample_aspect_ratio,
            sps.frame_rate or hint,
            in_band=in_band,
        )


def _h264_format(nal: bytes) -> Hashable:
    sps = h264.parse_sps(nal)
    depths = sps.chroma_format_idc, sps.bit_depth_luma, sps.bit_depth_chroma
    size = sps.width, sps.height, sps.sample_aspect_ratio, sps.frame_mbs_only
    return sps.profile_idc, sps.constraint_flags, sps.level_idc, depths, size


def _h265_format(nal: bytes) -> Hashable:
    sps = h265.parse_sps(nal)
    depths = sps.chroma_format_idc, sps.bit_depth_luma, sps.bit_depth_chroma
    return sps.profile, sps.temporal_layers, depths, sps.width, sps.height, sps.sample_aspect_ratio


def _vps_id(nal: bytes) -> int:
    if len(nal) < 3:
        raise FormatError("VPS is truncated")
    return nal[2] >> 4


_H264 = Readers(
    (lambda nal: h264.parse_sps(nal).id, lambda nal: h264_slice.parse_pps(nal).id),
    lambda nal: h264_slice.parse_pps(nal).sps_id,
    _h264_format,
)
_H265 = Readers(
    (_vps_id, lambda nal: h265.parse_sps(nal).id, lambda nal: h265_slice.parse_pps(nal).id),
    lambda nal: h265_slice.parse_pps(nal).sps_id,
    _h265_format,
)
