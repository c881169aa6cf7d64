"""
Opus: how long a packet lasts, its configuration in MP4, FLV and MPEG-TS, and its framing there.

    packet        TOC: config 5 stereo 1 frames 2 | [frame count]  -> duration (RFC 6716 §3.1, §3.2)
    OpusHead      "OpusHead" version 1 channels 1 pre_skip 2 rate 4 gain 2 family 1 [mapping]     little-endian
    dOps          version 0 and the same, big-endian (Encapsulation of Opus in ISO BMFF §4.3.2)
    MPEG-TS       control header: 0x3FF:11 start_trim end_trim extension 2:reserved | size in 255s | [trims] [extension]

RFC 7845 §5.1 (OpusHead); the MPEG-TS mapping is that of ETSI TS 103 491's draft, as FFmpeg and GStreamer write it.
Time is counted in samples of 48 kHz, whatever the encoder was given.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.frame_count import FrameCount
from flussdvr.formats.mpegts.stream_types import EXTENSION, EXTENSION_OPUS, Descriptor
from flussdvr.media import Codec, Sample, Track

RATE = 48_000
PRE_SKIP = 312
"""Samples: what encoders mostly say (6.5 ms), where nothing is said."""
CHANNELS_MAX = 8
PACKET_MAX = 5760
"""Samples: 120 ms, the longest packet that there may be."""

_HEAD = struct.Struct("<8sBBHIhB")
_SPECIFIC = struct.Struct(">BBHIhB")
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
# Vorbis' order of channels for 3 to 8 of them: streams, coupled streams, mapping (RFC 7845 §5.1.1.2).
_MAPPINGS = {
    3: bytes((2, 1, 0, 2, 1)),
    4: bytes((2, 2, 0, 1, 2, 3)),
    5: bytes((3, 2, 0, 4, 1, 2, 3)),
    6: bytes((4, 2, 0, 4, 1, 2, 3, 5)),
    7: bytes((4, 3, 0, 4, 1, 2, 3, 5, 6)),
    8: bytes((5, 3, 0, 6, 1, 2, 3, 4, 5, 7)),
}


def packet_duration(packet: bytes) -> int:
    """Samples of 48 kHz. Raises `FormatError` for what is no packet."""
    if not packet:
        raise FormatError("an empty Opus packet")
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = _SILK[config & 3]
    elif config < 16:
        frame = _HYBRID[config & 1]
    else:
        frame = _CELT[config & 3]
    count = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    if not 0 < count * frame <= PACKET_MAX:
        raise FormatError(f"an Opus packet of {count} frames of {frame} samples")
    return frame * count


def build_dops(channels: int, pre_skip: int = PRE_SKIP) -> bytes:
    """The payload of `dOps` for 1 to 8 channels in Vorbis' order. Raises `FormatError`."""
    if not 1 <= channels <= CHANNELS_MAX:
        raise FormatError(f"Opus with {channels} channels")
    head = _SPECIFIC.pack(0, channels, pre_skip, RATE, 0, int(channels > 2))
    return head + _MAPPINGS.get(channels, b"")


def dops_of_head(head: bytes) -> bytes:
    """The payload of `dOps` that says what an `OpusHead` says. Raises `FormatError`."""
    if len(head) < _HEAD.size or not head.startswith(b"OpusHead"):
        raise FormatError("no OpusHead")
    _, version, channels, pre_skip, rate, gain, family = _HEAD.unpack_from(head)
    mapping = head[_HEAD.size : _HEAD.size + 2 + channels] if family else b""
    if version >> 4 or not channels or (family and len(mapping) != 2 + channels) or (not family and channels > 2):
        raise FormatError(f"OpusHead version {version} with {channels} channels is not understood")
    return _SPECIFIC.pack(0, channels, pre_skip, rate, gain, family) + mapping


def dops_channels(dops: bytes) -> int:
    """Raises `FormatError`."""
    if len(dops) < _SPECIFIC.size or dops[0] or not dops[1]:
        raise FormatError("dOps is damaged")
    return dops[1]


# -- MPEG-TS ----------------------------------------------------------------------------------------------------------


def split_packets(data: bytes) -> Iterator[tuple[int, int, int]]:
    """
    (begin, end, end_trim) of each packet behind a control header in a PES payload; `end_trim` in samples.

    Ends at what is not whole. Raises `FormatError` where no control header is.
    """
    at = 0
    while at + 2 <= len(data):
        if data[at] != 0x7F or data[at + 1] & 0xE0 != 0xE0:
            raise FormatError("an Opus control header was expected")
        flags, at = data[at + 1], at + 2
        size = 0
        while at < len(data):
            size, at = size + data[at], at + 1
            if data[at - 1] != 0xFF:
                break
        trim = 0
        at += 2 if flags & 0x10 else 0
        if flags & 0x08:
            trim = int.from_bytes(data[at : at + 2], "big") & 0x1FFF
            at += 2
        if flags & 0x04:
            at += 1 + (data[at] if at < len(data) else 0)
        if at + size > len(data):
            return
        yield at, at + size, trim
        at += size


def control_header(size: int) -> bytes:
    """What stands in front of a packet of `size` bytes in MPEG-TS."""
    return b"\x7f\xe0" + b"\xff" * (size // 255) + bytes((size % 255,))


def descriptors(channels: int) -> list[Descriptor]:
    """What a PMT says of Opus with 1 to 8 channels."""
    return [(0x05, b"Opus"), (EXTENSION, bytes((EXTENSION_OPUS, channels)))]


def channels_of(items: tuple[Descriptor, ...]) -> int:
    """As the extension descriptor says: 1 to 8, 0 for two independent channels; 2 where it says nothing we know."""
    for tag, payload in items:
        if tag == EXTENSION and len(payload) > 1 and payload[0] == EXTENSION_OPUS and payload[1] <= CHANNELS_MAX:
            return payload[1] or 2
    return 2


class OpusStream:
    """PES payloads to samples: whole packets behind control headers. `channels` as the PMT says."""

    def __init__(self, pid: int, language: str, channels: int = 2) -> None:
        self.track: Track | None = None
        self.losses: dict[str, int] = {}
        self._pid = pid
        self._language = language
        self._channels = channels
        self._count = FrameCount()

    def lost(self) -> None:
        self._count.lost()

    def flush(self) -> list[Sample]:
        return self._count.flush()

    def finish(self) -> list[Sample]:
        return []

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        samples: list[Sample] = []
        for begin, end, _ in split_packets(payload):
            packet = payload[begin:end]
            duration = packet_duration(packet)
            if self.track is None:
                config = build_dops(self._channels)
                self.track = Track(
                    self._pid, Codec.OPUS, RATE, config, self._language, channels=self._channels, sample_rate=RATE
                )
            samples += self._count.stated(pts, RATE)
            pts = None
            samples += self._count.frame(packet, duration)
        return samples
