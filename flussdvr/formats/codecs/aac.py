"""
AAC: the AudioSpecificConfig that files carry and the ADTS framing that transport streams carry.

    AudioSpecificConfig  object type, frequency, channels, [SBR frequency, core type], frame length flag ...,
                         [PCE if channels are 0], [2b7 SBR [548 PS]]
    ADTS                 fff id layer no-crc | profile frequency channels | frame length | fullness blocks | [crc]

ISO/IEC 14496-3 §1.6.2.1, §4.4.1 and §1.A.2.2. The sample rate is always the core's: a frame is 1024 samples of it,
whether or not SBR doubles both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader

SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8)
SAMPLES_PER_FRAME = 1024

AAC_MAIN, AAC_LC, AAC_SSR, AAC_LTP, SBR, PS, ESCAPE = 1, 2, 3, 4, 5, 29, 31
# Object types with a GASpecificConfig that we can carry; ER ones (LD 23, ELD 39) have more behind it.
_GENERAL_AUDIO = frozenset({1, 2, 3, 4, 6, 7})
_SYNC_SBR, _SYNC_PS = 0x2B7, 0x548


class UnsupportedObjectType(FormatError):
    """Well-formed, and of a kind of MPEG-4 audio that is not recorded, such as AAC-LD (23) and AAC-ELD (39)."""

    def __init__(self, object_type: int) -> None:
        super().__init__(f"audio object type {object_type} is not supported")
        self.object_type = object_type


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """
    How to decode the frames of one track.

    `object_type`: of the core, 2 for LC. `sample_rate`: of the core in Hz. `channels`: of the core.
    `sbr_sample_rate`: what comes out when SBR is signalled, else 0. `ps`: parametric stereo is signalled.
    `program_config`: the program_config_element in bits "0" and "1" when the channels are in no table.
    """

    object_type: int
    sample_rate: int
    channels: int
    sbr_sample_rate: int = 0
    ps: bool = False
    frame_length: int = SAMPLES_PER_FRAME
    program_config: str = ""

    @property
    def samples_per_frame(self) -> int:
        """Duration of a frame in ticks of `sample_rate`."""
        return self.frame_length

    @property
    def codec_string(self) -> str:
        """`mp4a.40.` and the outermost object type (RFC 6381 §3.3)."""
        outer = PS if self.ps else SBR if self.sbr_sample_rate else self.object_type
        return f"mp4a.40.{outer}"


def parse_audio_specific_config(data: bytes) -> AudioSpecificConfig:
    """Parse the payload of a DecoderSpecificInfo. Raises `FormatError` for what is truncated or not AAC."""
    return read_audio_specific_config(BitReader(data[:256]), bounded=True)


def read_audio_specific_config(r: BitReader, bounded: bool) -> AudioSpecificConfig:
    """
    Read an AudioSpecificConfig at the reader's position; `bounded` when it reaches to the reader's end, else a
    backward compatible SBR extension cannot be told from what follows and is not looked for (§1.6.2.1).
    """
    begin = r.position
    object_type = _read_object_type(r)
    rate = _read_rate(r)
    channel_configuration = r.u(4)
    sbr_rate, ps = 0, False
    if object_type in (SBR, PS):
        ps = object_type == PS
        sbr_rate = _read_rate(r)
        object_type = _read_object_type(r)
    if object_type not in _GENERAL_AUDIO:
        raise UnsupportedObjectType(object_type)
    frame_length = 960 if r.flag() else SAMPLES_PER_FRAME
    if r.flag():
        r.skip(14)
    extension = r.flag()
    program_config = ""
    if channel_configuration:
        channels = CHANNELS[channel_configuration] if channel_configuration < len(CHANNELS) else 0
    else:
        channels, program_config = read_program_config(r, begin)
    if not channels:
        raise FormatError(f"channel configuration {channel_configuration} is not known")
    if object_type == 6:
        r.skip(3)
    if extension:
        r.flag()
    if bounded and not sbr_rate and r.remaining >= 16:
        sbr_rate, ps = _read_sync_extension(r)
    return AudioSpecificConfig(object_type, rate, channels, sbr_rate, ps, frame_length, program_config)


def _read_object_type(r: BitReader) -> int:
    object_type = r.u(5)
    return 32 + r.u(6) if object_type == ESCAPE else object_type


def _read_rate(r: BitReader) -> int:
    index = r.u(4)
    rate = r.u(24) if index == 15 else SAMPLE_RATES[index] if index < len(SAMPLE_RATES) else 0
    if not rate:
        raise FormatError(f"sampling frequency index {index} is not known")
    return rate


def _read_sync_extension(r: BitReader) -> tuple[int, bool]:
    """(SBR sample rate or 0, PS). Absent or damaged, the core still plays."""
    if r.u(11) != _SYNC_SBR:
        return 0, False
    rate, ps = 0, False
    try:
        if _read_object_type(r) == SBR and r.flag():
            rate = _read_rate(r)
            ps = r.remaining >= 12 and r.u(11) == _SYNC_PS and r.flag()
    except FormatError:
        pass
    return rate, ps


def read_program_config(r: BitReader, aligned_to: int) -> tuple[int, str]:
    """
    (channels, bits up to the comment) of a program_config_element (§4.4.1.1), the reader left behind its comment.
    Its comment begins on a byte boundary counted from bit `aligned_to`.
    """
    begin = r.position
    r.skip(10)
    fronts, sides, backs = r.u(4), r.u(4), r.u(4)
    lfes, data, couplings = r.u(2), r.u(3), r.u(4)
    for width in (4, 4, 3):
        if r.flag():
            r.skip(width)
    channels = lfes
    for _ in range(fronts + sides + backs):
        channels += 2 if r.flag() else 1
        r.skip(4)
    r.skip(4 * lfes + 4 * data + 5 * couplings)
    bits = _bit_string(r, begin)
    r.skip(-(r.position - aligned_to) & 7)
    r.skip(8 * r.u(8))
    return channels, bits


def _bit_string(r: BitReader, begin: int) -> str:
    count = r.position - begin
    r.position = begin
    return format(r.u(count), f"0{count}b")


def build_audio_specific_config(config: AudioSpecificConfig) -> bytes:
    """
    The shortest AudioSpecificConfig, with SBR and PS signalled hierarchically (object type 5 or 29 outermost).

    Raises `FormatError` when the channels have no configuration and there is no program_config.
    """
    bits = (
        _object_type_bits(PS if config.ps else SBR) if config.sbr_sample_rate else _object_type_bits(config.object_type)
    )
    bits += _rate_bits(config.sample_rate)
    bits += format(0 if config.program_config else _channel_configuration(config.channels), "04b")
    if config.sbr_sample_rate:
        bits += _rate_bits(config.sbr_sample_rate) + _object_type_bits(config.object_type)
    bits += "1" if config.frame_length == 960 else "0"
    bits += "00"
    if config.program_config:
        bits += config.program_config
        bits += "0" * (-len(bits) & 7) + "00000000"
    if config.object_type == 6:
        bits += "000"
    bits += "0" * (-len(bits) & 7)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _object_type_bits(object_type: int) -> str:
    return (
        format(object_type, "05b") if object_type < ESCAPE else format(ESCAPE, "05b") + format(object_type - 32, "06b")
    )


def _rate_bits(rate: int) -> str:
    if rate in SAMPLE_RATES:
        return format(SAMPLE_RATES.index(rate), "04b")
    return "1111" + format(rate, "024b")


def _channel_configuration(channels: int) -> int:
    if channels <= 0 or channels not in CHANNELS:
        raise FormatError(f"{channels} channels have no channel configuration")
    return CHANNELS.index(channels)


@dataclass(frozen=True, slots=True)
class AdtsHeader:
    """
    `frame_length` counts the header too; `blocks`: how many raw_data_blocks, normally 1.
    `channel_configuration` 0 means that the frame begins with a program_config_element.
    """

    object_type: int
    sample_rate: int
    channel_configuration: int
    frame_length: int
    header_length: int
    blocks: int

    @property
    def samples(self) -> int:
        """Duration of the frame in ticks of `sample_rate`."""
        return SAMPLES_PER_FRAME * self.blocks


def parse_adts_header(data: bytes, position: int = 0) -> AdtsHeader:
    """Parse the ADTS header at `position`. Raises `FormatError` when there is none, or a truncated one."""
    if len(data) - position < 7:
        raise FormatError(f"ADTS header is truncated: need 7, have {max(len(data) - position, 0)}")
    if data[position] != 0xFF or data[position + 1] & 0xF6 != 0xF0:
        raise FormatError("no ADTS syncword")
    fields = int.from_bytes(data[position + 1 : position + 7], "big")
    rate_index = fields >> 34 & 15
    frame_length = fields >> 13 & 0x1FFF
    header_length = 7 if data[position + 1] & 1 else 9
    if rate_index >= len(SAMPLE_RATES):
        raise FormatError(f"sampling frequency index {rate_index} is not known")
    if frame_length < header_length:
        raise FormatError(f"ADTS frame of {frame_length} bytes is shorter than its header")
    return AdtsHeader(
        (fields >> 38 & 3) + 1,
        SAMPLE_RATES[rate_index],
        fields >> 30 & 7,
        frame_length,
        header_length,
        (fields & 3) + 1,
    )


def adts_config(data: bytes, position: int = 0) -> AudioSpecificConfig:
    """
    The AudioSpecificConfig of the stream whose ADTS frame is at `position`.

    Raises `FormatError` when there is no ADTS header.
    """
    header = parse_adts_header(data, position)
    config = AudioSpecificConfig(header.object_type, header.sample_rate, CHANNELS[header.channel_configuration] or 2)
    if header.channel_configuration:
        return config
    r = BitReader(data[position + header.header_length : position + header.frame_length][:512])
    try:
        if r.u(3) == 5:
            channels, bits = read_program_config(r, 0)
            if channels:
                return replace(config, channels=channels, program_config=bits)
    except FormatError:
        pass
    # Two single channels (dual mono) is the other thing that is broadcast so.
    return config


def split_adts(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """
    ((start of raw frame, stop) of each whole frame, position of what is not whole yet).

    Finds the frames again behind garbage: a syncword counts when the frame before ended there, or when its frame is
    followed by another syncword or ends with `data`. At most 8191 bytes remain. Never raises.
    """
    frames: list[tuple[int, int]] = []
    position, end = 0, len(data)
    trusted = False
    while end - position >= 7:
        second = data[position + 1]
        if data[position] == 0xFF and second & 0xF6 == 0xF0 and data[position + 2] & 0x3C <= 0x30:
            header = 7 if second & 1 else 9
            length = (data[position + 3] & 3) << 11 | data[position + 4] << 3 | data[position + 5] >> 5
            stop = position + length
            if length >= header:
                if stop > end:
                    return frames, position
                if trusted or stop + 1 >= end or (data[stop] == 0xFF and data[stop + 1] & 0xF6 == 0xF0):
                    frames.append((position + header, stop))
                    position = stop
                    trusted = True
                    continue
        trusted = False
        position = data.find(b"\xff", position + 1)
        if position < 0:
            return frames, end
    return frames, position


def adts_header(config: AudioSpecificConfig, frame_length: int) -> bytes:
    """
    The 7 bytes of ADTS in front of a raw frame of `frame_length` bytes (not counting these 7).

    Raises `FormatError` when ADTS cannot say it: an odd sample rate, an object type above 4, a frame of 8 kB.
    """
    total = frame_length + 7
    if total > 0x1FFF or not 1 <= config.object_type <= 4 or config.sample_rate not in SAMPLE_RATES:
        raise FormatError(f"ADTS cannot carry {config} in {frame_length} bytes")
    channels = 0 if config.program_config else _channel_configuration(config.channels)
    if channels > 7:
        raise FormatError(f"ADTS cannot carry {config.channels} channels")
    rate = SAMPLE_RATES.index(config.sample_rate)
    fixed = 0xFFF1 << 40 | (config.object_type - 1) << 38 | rate << 34 | channels << 30
    return (fixed | total << 13 | 0x7FF << 2).to_bytes(7, "big")
