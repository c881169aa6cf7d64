"""
Parameter sets in front of pictures, for files in which they change.

    sample     | length SPS | length PPS | length IDR ... |      entry avc3 | hev1

ISO/IEC 14496-15 §5.3.3 and §8.3.3. Decoders that are set up once, from the first sample entry, find the others there.
"""

from __future__ import annotations

from flussdvr.formats.codecs import h264, h265
from flussdvr.media import Codec, Track

__all__ = ["in_band_sets"]


def in_band_sets(track: Track) -> bytes:
    """
    The parameter sets of `track` as NAL units with 4-byte lengths, empty where its codec has none. Raises
    `FormatError` for a configuration that cannot be read.
    """
    if track.codec is Codec.H264:
        _, sps, pps = h264.parse_avcc(track.config)
        return _with_lengths(sps + pps)
    if track.codec is Codec.H265:
        _, vps, sps, pps = h265.parse_hvcc(track.config)
        return _with_lengths(vps + sps + pps)
    return b""


def _with_lengths(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
