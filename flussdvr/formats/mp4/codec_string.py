"""
The `codecs` parameter: what a playlist says so that a player knows whether it can play a track.

RFC 6381 §3.3 and §3.4, ISO/IEC 14496-15 Annex E; sample entry names of MP4RA.
"""

from __future__ import annotations

from flussdvr.formats.codecs import aac, av1, h264, h265, mpeg2video, vp9
from flussdvr.media import Codec, Track

# Object types of MPEG-4 audio for layers III and II (as HLS names them), and of a picture track.
_PLAIN = {
    Codec.MP3: "mp4a.40.34",
    Codec.MP2: "mp4a.40.33",
    Codec.AC3: "ac-3",
    Codec.EAC3: "ec-3",
    Codec.MJPEG: "mp4v.6C",
    Codec.OPUS: "opus",
    Codec.DTS: "dtsc",
    Codec.DTS_HD: "dtsh",
}


def codec_string(track: Track) -> str:
    """`avc1.64001F`, `hev1.1.6.L93.B0`, `mp4a.40.2` ... Raises `FormatError` when the track's config is damaged."""
    match track.codec:
        case Codec.H264:
            return h264.codec_string(track.config, "avc3" if track.in_band else "avc1")
        case Codec.H265:
            return h265.codec_string(track.config, "hev1" if track.in_band else "hvc1")
        case Codec.MPEG2:
            return f"mp4v.{mpeg2video.object_type_of(track.config):02X}"
        case Codec.AV1:
            return av1.codec_string(track.config)
        case Codec.VP9:
            return vp9.codec_string(track.config)
        case Codec.AAC:
            return aac.parse_audio_specific_config(track.config).codec_string
        case codec:
            return _PLAIN[codec]
