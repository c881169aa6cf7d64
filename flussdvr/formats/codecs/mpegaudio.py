"""
MPEG audio: layers I, II and III of MPEG-1, MPEG-2 and "2.5".

    frame    ffe version layer no-crc | bitrate frequency padding | mode ...

ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3 §2.4.2.3. A frame's length follows from its header; free format does not say
it and is a `FormatError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.errors import FormatError

# kbit/s by bitrate_index: MPEG-1 layers I, II, III; MPEG-2 layer I; MPEG-2 layers II and III.
_RATES_1 = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_RATES_2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = (44100, 48000, 32000)
_MONO = 3
# version, layer and frequency: constant in a stream.
_SAME = 0xFFFE0C00


@dataclass(frozen=True, slots=True)
class MpegAudioHeader:
    """
    `version` 1.0, 2.0 or 2.5 as a tenfold (10, 20, 25); `layer` 1 to 3; `bitrate` in bit/s; `frame_size` in bytes with
    the header; `samples_per_frame` in ticks of `sample_rate`.
    """

    version: int
    layer: int
    bitrate: int
    sample_rate: int
    channels: int
    frame_size: int
    samples_per_frame: int


def parse_header(data: bytes, position: int = 0) -> MpegAudioHeader:
    """Parse the 4-byte header at `position`. Raises `FormatError` when there is none, or of free format."""
    if len(data) - position < 4:
        raise FormatError(f"MPEG audio header is truncated: need 4, have {max(len(data) - position, 0)}")
    word = int.from_bytes(data[position : position + 4], "big")
    version = (25, 0, 20, 10)[word >> 19 & 3]
    layer = 4 - (word >> 17 & 3)
    index, frequency = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or not version or layer == 4:
        raise FormatError("no MPEG audio syncword")
    if index in (0, 15) or frequency == 3:
        raise FormatError(f"MPEG audio bitrate_index {index}, sampling_frequency {frequency}")
    bitrate = (_RATES_1 if version == 10 else _RATES_2)[layer][index] * 1000
    sample_rate = _SAMPLE_RATES[frequency] // {10: 1, 20: 2, 25: 4}[version]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 10 else 1152
    padding = word >> 9 & 1
    if layer == 1:
        size = (12 * bitrate // sample_rate + padding) * 4
    else:
        size = samples // 8 * bitrate // sample_rate + padding
    channels = 1 if word >> 6 & 3 == _MONO else 2
    return MpegAudioHeader(version, layer, bitrate, sample_rate, channels, size, samples)


def split_frames(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """
    ((start, stop) of each whole frame, position of what is not whole yet).

    A frame counts when the one before ended there, or when it is followed by another of the same kind or ends with
    `data`. Less than 3 kB remain. Never raises.
    """
    frames: list[tuple[int, int]] = []
    position, end = 0, len(data)
    kind = -1
    while end - position >= 4:
        stop = _stop(data, position)
        if stop > end:
            return frames, position
        if stop:
            word = _kind(data, position)
            if word == kind or stop + 4 > end or word == _kind(data, stop):
                frames.append((position, stop))
                position, kind = stop, word
                continue
        kind = -1
        position = data.find(b"\xff", position + 1)
        if position < 0:
            return frames, end
    return frames, position


def _kind(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big") & _SAME


def _stop(data: bytes, position: int) -> int:
    """Where the frame at `position` ends, 0 if there is none."""
    if data[position] != 0xFF:
        return 0
    try:
        return position + parse_header(data, position).frame_size
    except FormatError:
        return 0
