"""
Sample entries: what a track's samples are, in `stsd`.

    avc1 | hvc1     VisualSampleEntry   avcC | hvcC   [pasp]    avc3 | hev1 where samples carry parameter sets
    av01 | vp09     VisualSampleEntry   av1C | vpcC
    mp4v            VisualSampleEntry   esds          Motion JPEG 0x6C, MPEG-2 video 0x60 to 0x65, MPEG-1 video 0x6A
    mp4a            AudioSampleEntry    esds          AAC 0x40, MPEG-2 layer II 0x69, MP3 0x6B
    ac-3 | ec-3     AudioSampleEntry    dac3 | dec3
    Opus            AudioSampleEntry    dOps
    dtsc | dtsh     AudioSampleEntry    ddts          DTS: a core, a core with extensions

    esds: ES_Descriptor 3 > DecoderConfigDescriptor 4 > [DecoderSpecificInfo 5], SLConfigDescriptor 6

ISO/IEC 14496-12 §8.5.2 and §12, 14496-15 §5.4 and §8.4 (NAL units), 14496-1 §7.2.6 (descriptors), 14496-14 §5.6,
ETSI TS 102 366 annex F (AC-3), 102 114 annex E (DTS), and the bindings of AV1, VP9 and Opus to ISO BMFF.  Read as
others write them too: `jpeg`, `mjpg`, QuickTime's `mp4a` versions 1 and 2, `.mp3`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import mpeg2video
from flussdvr.formats.mp4.boxes import U32, Box, Buffer, box, boxes, find, full_box, full_box_header, unpack
from flussdvr.media import Codec, Track

__all__ = ["parse_sample_entry", "parse_stsd", "write_sample_entry", "write_stsd"]

VISUAL = struct.Struct(">6xH 16x HHIII H 31p x H h")
VISUAL_SIZE = 78
AUDIO = struct.Struct(">6xH HHI HHHH I")
AUDIO_SIZE = 28
DPI_72 = 0x0048_0000
PASP = struct.Struct(">II")

ES, DECODER_CONFIG, DECODER_SPECIFIC, SL_CONFIG = 3, 4, 5, 6
OBJECT_TYPES = {Codec.AAC: 0x40, Codec.MP2: 0x69, Codec.MP3: 0x6B, Codec.MJPEG: 0x6C}
CODECS = {value: key for key, value in OBJECT_TYPES.items()} | {0x66: Codec.AAC, 0x67: Codec.AAC, 0x68: Codec.AAC}
MPEG_VIDEO_TYPES = range(0x60, 0x6B)
VISUAL_STREAM, AUDIO_STREAM = 4, 5
VPCC_VERSION = b"\x01\0\0\0"

VISUAL_CODECS = {
    b"avc1": (Codec.H264, b"avcC"),
    b"avc3": (Codec.H264, b"avcC"),
    b"hvc1": (Codec.H265, b"hvcC"),
    b"hev1": (Codec.H265, b"hvcC"),
    b"jpeg": (Codec.MJPEG, b""),
    b"mjpg": (Codec.MJPEG, b""),
    b"mp4v": (Codec.MJPEG, b"esds"),
    b"av01": (Codec.AV1, b"av1C"),
    b"vp09": (Codec.VP9, b"vpcC"),
}
DTS_ENTRIES = {Codec.DTS: b"dtsc", Codec.DTS_HD: b"dtsh"}
IN_BAND = (b"avc3", b"hev1")
AUDIO_CODECS = {
    b"mp4a": (Codec.AAC, b"esds"),
    b".mp3": (Codec.MP3, b""),
    b"ac-3": (Codec.AC3, b"dac3"),
    b"ec-3": (Codec.EAC3, b"dec3"),
    b"Opus": (Codec.OPUS, b"dOps"),
    b"dtsc": (Codec.DTS, b"ddts"),
    b"dtsh": (Codec.DTS_HD, b"ddts"),
}


def write_sample_entry(track: Track, in_band: bool = False) -> bytes:
    """The sample entry box of `track`; `in_band`: its samples may bring parameter sets (`avc3`, `hev1`)."""
    return _visual(track, in_band or track.in_band) if track.is_video else _audio(track)


def _visual(track: Track, in_band: bool) -> bytes:
    fields = VISUAL.pack(1, track.width, track.height, DPI_72, DPI_72, 0, 1, b"", 24, -1)
    aspect = b"" if track.sample_aspect_ratio == (1, 1) else box(b"pasp", PASP.pack(*track.sample_aspect_ratio))
    if track.codec is Codec.H264:
        return box(b"avc3" if in_band else b"avc1", fields, box(b"avcC", track.config), aspect)
    if track.codec is Codec.H265:
        return box(b"hev1" if in_band else b"hvc1", fields, box(b"hvcC", track.config), aspect)
    if track.codec is Codec.AV1:
        return box(b"av01", fields, box(b"av1C", track.config), aspect)
    if track.codec is Codec.VP9:
        return box(b"vp09", fields, box(b"vpcC", VPCC_VERSION, track.config), aspect)
    return box(b"mp4v", fields, _esds(track, VISUAL_STREAM), aspect)


def _audio(track: Track) -> bytes:
    # A rate that 16.16 cannot hold is left out: the time scale says it (14496-12 §12.2.3).
    rate = track.sample_rate << 16 if track.sample_rate < 0x10000 else 0
    fields = AUDIO.pack(1, 0, 0, 0, track.channels, 16, 0, 0, rate)
    if track.codec is Codec.AC3:
        return box(b"ac-3", fields, box(b"dac3", track.config))
    if track.codec is Codec.EAC3:
        return box(b"ec-3", fields, box(b"dec3", track.config))
    if track.codec in DTS_ENTRIES:
        return box(DTS_ENTRIES[track.codec], fields, box(b"ddts", track.config))
    if track.codec is Codec.OPUS:
        return box(b"Opus", fields, box(b"dOps", track.config))
    return box(b"mp4a", fields, _esds(track, AUDIO_STREAM))


def _esds(track: Track, stream_type: int) -> bytes:
    specific = _descriptor(DECODER_SPECIFIC, track.config) if track.config else b""
    # Buffer size and bit rates are unknown while recording: 0.
    mpeg2 = track.codec is Codec.MPEG2
    object_type = mpeg2video.object_type_of(track.config) if mpeg2 else OBJECT_TYPES[track.codec]
    decoder = bytes((object_type, stream_type << 2 | 1)) + bytes(11) + specific
    content = struct.pack(">HB", 0, 0) + _descriptor(DECODER_CONFIG, decoder) + _descriptor(SL_CONFIG, b"\x02")
    return full_box(b"esds", 0, 0, _descriptor(ES, content))


def _descriptor(tag: int, payload: bytes) -> bytes:
    """A descriptor with its size in one byte, or in as many 7-bit groups as it needs."""
    groups = [len(payload) & 0x7F]
    rest = len(payload) >> 7
    while rest:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes((tag, *reversed(groups))) + payload


def parse_sample_entry(data: Buffer, entry: Box, track: Track) -> Track | None:
    """
    `track` with what the sample entry at `entry` says; its id, timescale and language stay.

    `None` for a codec that is none of ours. Raises `FormatError`.
    """
    if entry.type in VISUAL_CODECS:
        return _parse_visual(data, entry, track)
    if entry.type in AUDIO_CODECS:
        return _parse_audio(data, entry, track)
    return None


def _parse_visual(data: Buffer, entry: Box, track: Track) -> Track | None:
    _, width, height, *_ = unpack(VISUAL, data, entry, 0)
    codec, config_type = VISUAL_CODECS[entry.type]
    inside = Box(entry.type, entry.start, entry.body + VISUAL_SIZE, entry.end)
    config = b""
    if config_type == b"esds":
        object_type, specific = _parse_esds(data, _config_box(data, inside, config_type))
        if object_type in MPEG_VIDEO_TYPES:
            codec, config = Codec.MPEG2, specific
        elif CODECS.get(object_type) is not Codec.MJPEG:
            return None
    elif config_type:
        item = _config_box(data, inside, config_type)
        config = bytes(data[item.body : item.end])
        if codec is Codec.VP9:
            config = config[len(VPCC_VERSION) :]
    aspect = (1, 1)
    if (pasp := find(data, inside, b"pasp")) is not None:
        horizontal, vertical = unpack(PASP, data, pasp, 0)
        aspect = (horizontal, vertical) if horizontal and vertical else aspect
    return replace(
        track,
        codec=codec,
        config=config,
        width=width,
        height=height,
        sample_aspect_ratio=aspect,
        in_band=entry.type in IN_BAND,
    )


def _parse_audio(data: Buffer, entry: Box, track: Track) -> Track | None:
    _, version, _, _, channels, _, _, _, rate = unpack(AUDIO, data, entry, 0)
    codec, config_type = AUDIO_CODECS[entry.type]
    # QuickTime puts 16 or 36 bytes more between the fields and the boxes.
    inside = Box(entry.type, entry.start, entry.body + AUDIO_SIZE + {1: 16, 2: 36}.get(version, 0), entry.end)
    if inside.body > inside.end:
        raise FormatError(f"{entry.type!r} at {entry.start}: version {version} is truncated")
    config = b""
    if config_type == b"esds":
        object_type, config = _parse_esds(data, _config_box(data, inside, config_type))
        if object_type not in CODECS:
            return None
        codec = CODECS[object_type]
        config = config if codec is Codec.AAC else b""
    elif config_type:
        item = _config_box(data, inside, config_type)
        config = bytes(data[item.body : item.end])
    rate = rate >> 16 or track.timescale
    return replace(track, codec=codec, config=config, channels=channels, sample_rate=rate)


def _config_box(data: Buffer, inside: Box, kind: bytes) -> Box:
    """The decoder configuration, which QuickTime hides one level deeper in `wave`."""
    item = find(data, inside, kind) or find(data, inside, b"wave", kind)
    if item is None:
        raise FormatError(f"sample entry {inside.type!r} at {inside.start} has no {kind!r}")
    return item


def _parse_esds(data: Buffer, esds: Box) -> tuple[int, bytes]:
    """Object type and decoder specific info. Raises `FormatError`."""
    full_box_header(data, esds)
    content = bytes(data[esds.body + 4 : esds.end])
    es = _find_descriptor(content, ES)
    if len(es) < 3:
        raise FormatError("esds: ES_Descriptor is truncated")
    flags, at = es[2], 3
    at += 2 * (flags >> 7)
    if flags & 0x40:
        at += 1 + (es[at] if at < len(es) else 0)
    at += 2 * (flags >> 5 & 1)
    decoder = _find_descriptor(es[at:], DECODER_CONFIG)
    if len(decoder) < 13:
        raise FormatError(f"esds: DecoderConfigDescriptor is truncated: need 13, have {len(decoder)}")
    return decoder[0], next((body for tag, body in _descriptors(decoder[13:]) if tag == DECODER_SPECIFIC), b"")


def _find_descriptor(data: bytes, wanted: int) -> bytes:
    for tag, body in _descriptors(data):
        if tag == wanted:
            return body
    raise FormatError(f"esds has no descriptor {wanted}")


def _descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, size, at = data[at], 0, at + 1
        for _ in range(4):
            if at >= len(data):
                raise FormatError(f"esds: size of descriptor {tag} is truncated")
            size, more, at = size << 7 | data[at] & 0x7F, data[at] & 0x80, at + 1
            if not more:
                break
        if size > len(data) - at:
            raise FormatError(f"esds: descriptor {tag} is truncated: need {size}, have {len(data) - at}")
        yield tag, data[at : at + size]
        at += size


def parse_stsd(data: Buffer, stsd: Box, track: Track) -> Track | None:
    """`track` as the first sample entry of `stsd` describes it; `None` where none is of a codec of ours."""
    full_box_header(data, stsd)
    unpack(U32, data, stsd, 4)
    for entry in boxes(data, stsd.body + 8, stsd.end):
        if (found := parse_sample_entry(data, entry, track)) is not None:
            return found
    return None


def write_stsd(*entries: bytes) -> bytes:
    """`stsd` of sample entries."""
    return full_box(b"stsd", 0, 0, U32.pack(len(entries)), *entries)
