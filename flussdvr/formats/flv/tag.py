"""
The bodies of FLV audio and video tags, which are also RTMP's audio and video messages.

    video     frame type 4, codec 4 | AVC packet type 1, composition time 3 | data
    audio     format 4, rate 2, size 1, type 1 | AAC packet type 1, only for AAC | data
    enhanced  1, frame type 3, packet type 4   (audio: 9, packet type 4)
              (size 1, option, type 4, packet type 4)*      while the packet type is ModEx
              [multitrack type 4, packet type 4]            if it is Multitrack
              FourCC 4 [track id 1, size 3]                 several times if multitrack
              [composition time 3] | data

Adobe Flash Video File Format 10.1 Annex E.4, Enhanced RTMP v2 (Veovera). Codec id 12 is how Chinese encoders have sent
H.265 long before the enhanced form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from flussdvr.errors import FormatError
from flussdvr.media import Codec

__all__ = ["AudioPacket", "PacketType", "UnsupportedCodec", "VideoPacket", "parse_audio", "parse_video"]


class UnsupportedCodec(FormatError):
    """Well-formed, and not something that is recorded: `what` it is, what to send instead, and the track's number."""

    def __init__(self, what: str, advice: str, track: int = 0) -> None:
        super().__init__(f"{what} is not supported: {advice}")
        self.what = what
        self.advice = advice
        self.track = track


class PacketType(IntEnum):
    """Packet types of the enhanced header; the legacy AVC and AAC types 0, 1 and 2 mean the same."""

    SEQUENCE_START = 0
    CODED_FRAMES = 1
    SEQUENCE_END = 2
    CODED_FRAMES_X = 3
    METADATA = 4
    MULTITRACK_AUDIO = 5
    MULTITRACK_VIDEO = 6
    MOD_EX = 7


@dataclass(frozen=True, slots=True)
class VideoPacket:
    """
    `composition` in milliseconds; `data` is a configuration record or a picture with NAL unit lengths. `track`: the
    number of the track, 0 for a tag that has only one.
    """

    codec: Codec
    type: int
    key: bool
    composition: int
    data: bytes
    track: int = 0


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """`data` is an AudioSpecificConfig or one or more frames; `track` as in `VideoPacket`."""

    codec: Codec
    type: int
    data: bytes
    track: int = 0


KEY_FRAME, GENERATED_KEY_FRAME, COMMAND_FRAME = 1, 4, 5
EX_AUDIO = 9
ONE_TRACK, MANY_TRACKS, MANY_CODECS = 0, 1, 2

VIDEO_CODECS = {7: Codec.H264, 12: Codec.H265}
VIDEO_FOURCCS = {b"avc1": Codec.H264, b"hvc1": Codec.H265, b"av01": Codec.AV1, b"vp09": Codec.VP9}
COMPOSED = (Codec.H264, Codec.H265)
"""Whose coded frames have a composition time in front."""
AUDIO_CODECS = {2: Codec.MP3, 10: Codec.AAC, 14: Codec.MP3}
AUDIO_FOURCCS = {b"mp4a": Codec.AAC, b".mp3": Codec.MP3, b"ac-3": Codec.AC3, b"ec-3": Codec.EAC3, b"Opus": Codec.OPUS}
VIDEO_CHOICE = "H.264 (avc1), H.265 (hvc1), AV1 (av01) or VP9 (vp09)"
AUDIO_CHOICE = "AAC, MP3, AC-3, E-AC-3 or Opus"
VIDEO_NAMES = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen video 2", 13: "AV1"}
AUDIO_NAMES = {0: "PCM", 1: "ADPCM", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser"} | {
    7: "G.711 A-law",
    8: "G.711 mu-law",
    11: "Speex",
    13: "Opus",
}


def parse_video(body: bytes) -> Iterator[VideoPacket | UnsupportedCodec]:
    """
    The pictures and configurations in a tag, one for each of its tracks. Raises `FormatError` where it is damaged.

    A track that is not recorded gives the reason, so that it does not stop those behind it.
    """
    frame_type = body[0] >> 4 & 7
    key = frame_type in (KEY_FRAME, GENERATED_KEY_FRAME)
    if body[0] & 0x80:
        yield from _parse_ex_video(body, frame_type, key)
    elif frame_type != COMMAND_FRAME:
        codec = VIDEO_CODECS.get(body[0] & 15)
        if codec is None:
            name = VIDEO_NAMES.get(body[0] & 15, f"codec {body[0] & 15}")
            yield UnsupportedCodec(f"{name} video", f"send {VIDEO_CHOICE}")
            return
        _need(body, 5)
        yield VideoPacket(codec, body[1], key, _signed24(body, 2), body[5:])


def _parse_ex_video(body: bytes, frame_type: int, key: bool) -> Iterator[VideoPacket | UnsupportedCodec]:
    for track, packet_type, fourcc, data in _tracks(body, body[0] & 15, PacketType.MULTITRACK_VIDEO):
        if packet_type == PacketType.METADATA or frame_type == COMMAND_FRAME:
            continue
        codec = VIDEO_FOURCCS.get(fourcc)
        if codec is None:
            yield UnsupportedCodec(f"{_shown(fourcc)} video", f"send {VIDEO_CHOICE}", track)
        elif packet_type == PacketType.CODED_FRAMES and codec in COMPOSED:
            _need(data, 3)
            yield VideoPacket(codec, PacketType.CODED_FRAMES, key, _signed24(data, 0), data[3:], track)
        elif packet_type == PacketType.CODED_FRAMES_X:
            yield VideoPacket(codec, PacketType.CODED_FRAMES, key, 0, data, track)
        else:
            yield VideoPacket(codec, packet_type, key, 0, data, track)


def parse_audio(body: bytes) -> Iterator[AudioPacket | UnsupportedCodec]:
    """The frames and configurations in a tag, as `parse_video`. Raises `FormatError`."""
    sound_format = body[0] >> 4
    if sound_format == EX_AUDIO:
        for track, packet_type, fourcc, data in _tracks(body, body[0] & 15, PacketType.MULTITRACK_AUDIO):
            if fourcc in AUDIO_FOURCCS:
                yield AudioPacket(AUDIO_FOURCCS[fourcc], packet_type, data, track)
            else:
                yield UnsupportedCodec(f"{_shown(fourcc)} audio", f"send {AUDIO_CHOICE}", track)
        return
    codec = AUDIO_CODECS.get(sound_format)
    if codec is None:
        name = AUDIO_NAMES.get(sound_format, f"format {sound_format}")
        yield UnsupportedCodec(f"{name} audio", f"send {AUDIO_CHOICE}")
    elif codec is Codec.AAC:
        _need(body, 2)
        yield AudioPacket(codec, body[1], body[2:])
    else:
        yield AudioPacket(codec, PacketType.CODED_FRAMES, body[1:])


def _tracks(body: bytes, packet_type: int, multitrack: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(track id, packet type, FourCC, data) of what is in an enhanced tag."""
    position = 1
    while packet_type == PacketType.MOD_EX:  # nanoseconds and other niceties
        _need(body, position + 1)
        size = body[position] + 1
        position += 1
        if size == 256:
            _need(body, position + 2)
            size = int.from_bytes(body[position : position + 2], "big") + 1
            position += 2
        position += size + 1
        _need(body, position)
        packet_type = body[position - 1] & 15
    if packet_type != multitrack:
        _need(body, position + 4)
        yield 0, packet_type, body[position : position + 4], body[position + 4 :]
        return

    _need(body, position + 1)
    kind, packet_type = body[position] >> 4, body[position] & 15
    if kind > MANY_CODECS:
        raise FormatError(f"multitrack type {kind} is not known")
    position += 1
    fourcc = b""
    if kind != MANY_CODECS:
        _need(body, position + 4)
        fourcc = body[position : position + 4]
        position += 4
    while position < len(body):
        if kind == MANY_CODECS:
            fourcc = body[position : position + 4]
            position += 4
        _need(body, position + 1)
        track_id, end = body[position], len(body)
        position += 1
        if kind != ONE_TRACK:
            _need(body, position + 3)
            end = position + 3 + int.from_bytes(body[position : position + 3], "big")
            position += 3
        _need(body, end)
        yield track_id, packet_type, fourcc, body[position:end]
        position = end


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise FormatError(f"FLV tag is truncated: need {size}, have {len(body)}")


def _signed24(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "big", signed=True)


def _shown(fourcc: bytes) -> str:
    return fourcc.decode("ascii", "replace") if fourcc.isascii() and fourcc.decode().isprintable() else fourcc.hex()
