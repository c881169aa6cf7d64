"""
LATM: the multiplex that carries AAC in DVB and in RTP.

    AudioSyncStream   2b7(11 bits) length(13 bits) AudioMuxElement          LOAS
    AudioMuxElement   same? [StreamMuxConfig] (length ff* n, payload)+ other
    StreamMuxConfig   version framing subframes programs layers AudioSpecificConfig frame-length-type other crc

ISO/IEC 14496-3 §1.7. One program of one layer, which is all that is broadcast; the rest is a `FormatError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import AudioSpecificConfig, parse_audio_specific_config, read_audio_specific_config
from flussdvr.formats.codecs.bits import BitReader

_HEADER = 3


def split_loas(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """
    ((start, stop) of each whole AudioMuxElement, position of what is not whole yet).

    Finds the elements again behind garbage as `aac.split_adts` does. At most 8193 bytes remain. Never raises.
    """
    elements: list[tuple[int, int]] = []
    position, end = 0, len(data)
    trusted = False
    while end - position >= _HEADER:
        if data[position] == 0x56 and data[position + 1] & 0xE0 == 0xE0:
            start = position + _HEADER
            stop = start + ((data[position + 1] & 0x1F) << 8 | data[position + 2])
            if stop > end:
                return elements, position
            if stop > start and (trusted or stop + 1 >= end or (data[stop] == 0x56 and data[stop + 1] & 0xE0 == 0xE0)):
                elements.append((start, stop))
                position = stop
                trusted = True
                continue
        trusted = False
        position = data.find(b"\x56", position + 1)
        if position < 0:
            return elements, end
    return elements, position


@dataclass(frozen=True, slots=True)
class StreamMuxConfig:
    """`fixed_bits`: what a payload has when its length is not sent, else 0; `other_bits`: what follows the payloads."""

    audio: AudioSpecificConfig
    subframes: int
    fixed_bits: int
    other_bits: int


class LatmReader:
    """Reads AudioMuxElements of one stream; keeps the last StreamMuxConfig, which most of them only refer to."""

    def __init__(self, config: StreamMuxConfig | None = None) -> None:
        self.config = config

    def read(self, element: bytes, config_present: bool = True) -> list[bytes]:
        """
        The raw AAC frames of one AudioMuxElement, each `config.audio.samples_per_frame` long.

        `config_present` as the standard's muxConfigPresent: False when the StreamMuxConfig came by other means (SDP).
        Empty as long as no StreamMuxConfig has been seen. Raises `FormatError`.
        """
        r = BitReader(element)
        if config_present and not r.flag():
            self.config = _read_stream_mux_config(r)
        config = self.config
        if config is None:
            return []
        frames = []
        for _ in range(config.subframes):
            bits = config.fixed_bits or _read_length(r)
            begin = r.position
            r.skip(bits)
            frames.append(r.bits(begin, begin + bits))
        r.skip(min(config.other_bits, r.remaining))
        return [frame for frame in frames if frame]


def parse_stream_mux_config(data: bytes) -> StreamMuxConfig:
    """Parse a StreamMuxConfig that came alone (`config` of an SDP, RFC 6416 §7.3). Raises `FormatError`."""
    return _read_stream_mux_config(BitReader(data))


def _read_length(r: BitReader) -> int:
    """PayloadLengthInfo in bits."""
    size = 0
    while (byte := r.u(8)) == 255:
        size += 255
    return (size + byte) * 8


def _read_stream_mux_config(r: BitReader) -> StreamMuxConfig:
    version = r.u(1)
    if version and r.flag():
        raise FormatError("audioMuxVersionA 1 is reserved")
    if version:
        _read_value(r)
    if not r.flag():
        raise FormatError("LATM with streams of different framing is not supported")
    subframes = 1 + r.u(6)
    programs, layers = 1 + r.u(4), 1 + r.u(3)
    if programs > 1 or layers > 1:
        raise FormatError(f"LATM with {programs} programs of {layers} layers is not supported")
    if version:
        size = _read_value(r)
        begin = r.position
        r.skip(size)
        audio = parse_audio_specific_config(r.bits(begin, begin + size))
    else:
        audio = read_audio_specific_config(r, bounded=False)
    fixed_bits = _read_frame_length_type(r)
    other_bits = 0
    if r.flag():
        other_bits = _read_value(r) if version else _read_escaped(r)
    if r.flag():
        r.skip(8)
    return StreamMuxConfig(audio, subframes, fixed_bits, other_bits)


def _read_frame_length_type(r: BitReader) -> int:
    kind = r.u(3)
    if kind == 0:
        r.skip(8)
        return 0
    if kind == 1:
        return (r.u(9) + 20) * 8
    raise FormatError(f"LATM frame length type {kind} is not AAC's")


def _read_escaped(r: BitReader) -> int:
    value, more = 0, True
    while more:
        more = r.flag()
        value = (value << 8 | r.u(8)) & 0xFFFFFFFF
    return value


def _read_value(r: BitReader) -> int:
    """LatmGetValue()"""
    return r.u(8 * (1 + r.u(2)))
