"""
What elementary streams of a transport stream are: those that are recorded, and the names of those that are not.

    stream_type, descriptors --framing_of--> Framing        recorded
                             --name_of-----> "AC-4"         not recorded, and said so

ISO/IEC 13818-1 table 2-34; ETSI EN 300 468 §6.2 and annex D (descriptors of DVB), ETSI TS 101 154; SMPTE RA's list of
format identifiers (registration descriptors); Blu-ray's and ATSC's private stream types; AV1 in MPEG-2 TS (AOMedia;
`AV1G` is what GStreamer registers for its own form);
Opus in MPEG-TS (ETSI TS 103 491 in all but name: the mapping that FFmpeg, GStreamer and OBS write).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

Descriptor = tuple[int, bytes]

PRIVATE_DATA = 0x06
REGISTRATION, LANGUAGE = 0x05, 0x0A
TELETEXT, SUBTITLES, AC3_DESCRIPTOR, EAC3_DESCRIPTOR, DTS_DESCRIPTOR, EXTENSION = 0x56, 0x59, 0x6A, 0x7A, 0x7B, 0x7F
EXTENSION_OPUS, EXTENSION_AC4, EXTENSION_DTS_HD, EXTENSION_DTS_UHD = 0x80, 0x15, 0x0E, 0x21


class Framing(Enum):
    """What the payload of an elementary stream's PES packets is made of."""

    H264 = "h264"
    H265 = "h265"
    MPEG_VIDEO = "mpeg video"
    ADTS = "adts"
    LATM = "latm"
    MPEG_AUDIO = "mpeg audio"
    AC3 = "ac3"
    EAC3 = "eac3"
    OPUS = "opus"
    AV1 = "av1"
    DTS = "dts"
    DTS_HD = "dts-hd"

    @property
    def is_video(self) -> bool:
        return self in _VIDEO


_VIDEO = frozenset({Framing.H264, Framing.H265, Framing.MPEG_VIDEO, Framing.AV1})

_FRAMINGS = {
    0x01: Framing.MPEG_VIDEO,
    0x02: Framing.MPEG_VIDEO,
    0x1B: Framing.H264,
    0x24: Framing.H265,
    0x0F: Framing.ADTS,
    0x11: Framing.LATM,
    0x03: Framing.MPEG_AUDIO,
    0x04: Framing.MPEG_AUDIO,
    0x81: Framing.AC3,
    0x82: Framing.DTS,
    0x8A: Framing.DTS,
    0x85: Framing.DTS_HD,
    0x84: Framing.EAC3,
    0x87: Framing.EAC3,
    0xA1: Framing.EAC3,
}
_REGISTERED = {
    b"AC-3": Framing.AC3,
    b"EAC3": Framing.EAC3,
    b"HEVC": Framing.H265,
    b"Opus": Framing.OPUS,
    b"AV01": Framing.AV1,
    b"DTS1": Framing.DTS,
    b"DTS2": Framing.DTS,
    b"DTS3": Framing.DTS,
    b"AV1G": Framing.AV1,
}
_SPLICING, _BLU_RAY = b"CUEI", b"HDMV"
_BLU_RAY_FRAMINGS = {0x86: Framing.DTS_HD}
"""What elsewhere is something else: 0x86 is mostly splicing information."""
_NAMES = {
    0x10: "MPEG-4 part 2 video",
    0x1C: "MPEG-4 audio without framing",
    0x1F: "H.264 SVC enhancement video",
    0x20: "H.264 MVC view video",
    0x21: "JPEG 2000 video",
    0x27: "H.265 enhancement video",
    0x2D: "MPEG-H 3D audio",
    0x2E: "MPEG-H 3D audio",
    0x32: "JPEG XS video",
    0x33: "H.266 video",
    0x34: "H.266 temporal layer video",
    0x35: "MPEG-5 EVC video",
    0x36: "LC-EVC video",
    0x42: "AVS video",
    0x80: "LPCM sound",
    0x83: "Dolby TrueHD sound",
    0x86: "DTS-HD Master Audio sound",
    0xA2: "DTS Express sound",
    0xD1: "Dirac video",
    0xD2: "AVS2 video",
    0xD3: "AVS audio",
    0xD4: "AVS3 video",
    0xEA: "VC-1 video",
}
"""Pictures and sound by stream type."""
_REGISTERED_NAMES = {
    b"VC-1": "VC-1 video",
    b"VC-4": "VC-4 video",
    b"drac": "Dirac video",
    b"VP09": "VP9 video",
    b"AC-4": "AC-4 sound",
    b"BSSD": "LPCM sound (SMPTE 302M)",
    b"fLaC": "FLAC sound",
    b"mlpa": "Dolby TrueHD sound",
}
_DATA_NAMES = {
    0x05: "private sections",
    0x0A: "DSM-CC",
    0x0B: "DSM-CC data",
    0x0C: "DSM-CC data",
    0x0D: "DSM-CC data",
    0x13: "scene description",
    0x14: "DSM-CC download data",
    0x15: "metadata",
    0x16: "metadata",
    0x17: "metadata",
    0x90: "Blu-ray subtitles",
    0x91: "Blu-ray menus",
    0x92: "Blu-ray text subtitles",
}


def framing_of(stream_type: int, descriptors: Sequence[Descriptor]) -> Framing | None:
    """What is in an entry of a PMT, `None` when it is nothing that we record."""
    if stream_type in _BLU_RAY_FRAMINGS and (REGISTRATION, _BLU_RAY) in [(tag, data[:4]) for tag, data in descriptors]:
        return _BLU_RAY_FRAMINGS[stream_type]
    if stream_type != PRIVATE_DATA:
        return _FRAMINGS.get(stream_type) or (_by_registration(descriptors) if stream_type >= 0x80 else None)
    for tag, payload in descriptors:
        if tag == AC3_DESCRIPTOR:
            return Framing.AC3
        if tag == EAC3_DESCRIPTOR:
            return Framing.EAC3
        if tag == DTS_DESCRIPTOR:
            return Framing.DTS
        if tag == EXTENSION and payload[:1] == bytes((EXTENSION_DTS_HD,)):
            return Framing.DTS_HD
    return _by_registration(descriptors)


def _by_registration(descriptors: Sequence[Descriptor]) -> Framing | None:
    for tag, payload in descriptors:
        if tag == REGISTRATION and payload[:4] in _REGISTERED:
            return _REGISTERED[payload[:4]]
    return None


def name_of(stream_type: int, descriptors: Sequence[Descriptor]) -> tuple[str, bool]:
    """(what an entry of a PMT that is not recorded is called, whether that is a picture or sound)."""
    registered = next((payload[:4] for tag, payload in descriptors if tag == REGISTRATION), b"")
    if registered in _REGISTERED_NAMES:
        return _REGISTERED_NAMES[registered], True
    if registered == _SPLICING:
        return "splicing information (SCTE 35)", False
    for tag, payload in descriptors:
        if tag == TELETEXT:
            return "teletext", False
        if tag == SUBTITLES:
            return "DVB subtitles", False
        if tag == EXTENSION and payload[:1]:
            name = {EXTENSION_AC4: "AC-4 sound", EXTENSION_DTS_UHD: "DTS-UHD sound"}
            if payload[0] in name:
                return name[payload[0]], True
    if stream_type in _NAMES:
        return _NAMES[stream_type], True
    if stream_type == PRIVATE_DATA or stream_type in _DATA_NAMES:
        return _DATA_NAMES.get(stream_type, "private data"), False
    code = f" ({registered.decode('latin-1')})" if registered.isalnum() else ""
    return f"stream type 0x{stream_type:02x}{code}", True


def language_of(descriptors: Sequence[Descriptor]) -> str:
    """ISO 639-2 code, `und` when it is not said or is no code."""
    for tag, payload in descriptors:
        code = payload[:3].lower()
        if tag == LANGUAGE and len(code) == 3 and code.isalpha() and code.isascii():
            return code.decode("ascii")
    return "und"
