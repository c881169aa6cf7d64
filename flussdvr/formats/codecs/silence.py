"""
Silence in AAC, for the place of sound that is missing: what browsers need where a list goes on without its sound.

    mono     SCE  0 | global_gain | ics_info, max_sfb 0 | no pulse, TNS, gain control           | END
    stereo   CPE  0 | common window: ics_info | no mask | (global_gain | no pulse ...) twice    | END

Frames lie on a grid of UTC, so that silence of neighbouring segments touches and does not overlap. ISO/IEC 14496-3
§4.4.2 (raw_data_block, individual_channel_stream).
"""

from __future__ import annotations

from functools import cache

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import AudioSpecificConfig, build_audio_specific_config, parse_audio_specific_config
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.media import Codec, Sample, Track

__all__ = ["can_be_silent", "silent_run", "silent_track"]

FRAME = 1024
RATE = 48_000
LOW_COMPLEXITY = 2
_SCE, _CPE, _END = "000", "001", "111"
_TAG, _GAIN = "0000", "00000000"
_ICS_INFO = "0" + "00" + "0" + "000000" + "0"
"""Reserved bit, long window, sine, no scale factor bands, no prediction."""
_NO_TOOLS = "000"


def silent_track(track_id: int) -> Track:
    """Stereo sound with nothing in it."""
    config = build_audio_specific_config(AudioSpecificConfig(LOW_COMPLEXITY, RATE, 2))
    return Track(track_id, Codec.AAC, RATE, config, channels=2, sample_rate=RATE)


def can_be_silent(track: Track) -> bool:
    """Whether there is a silent frame for `track`: AAC-LC of one or two channels."""
    return _channels(track) is not None


def silent_run(track: Track, begin_ms: int, end_ms: int) -> Run | None:
    """
    Silence of `[begin_ms, end_ms)`, UTC, for a track that can be silent; `None` where no frame begins in it.

    It begins on a multiple of a frame, in the track's ticks since 1970.
    """
    channels = _channels(track)
    if channels is None:
        return None
    first = -(-begin_ms * track.timescale // (1000 * FRAME))
    stop = -(-end_ms * track.timescale // (1000 * FRAME))
    if first >= stop:
        return None
    frame = _frame(channels)
    samples = [Sample(number * FRAME, frame) for number in range(first, stop)]
    return Run(track, first * FRAME, [FRAME] * len(samples), samples)


def _channels(track: Track) -> int | None:
    if track.codec is not Codec.AAC:
        return None
    try:
        config = parse_audio_specific_config(track.config)
    except FormatError:
        return None
    plain = config.object_type == LOW_COMPLEXITY and not config.sbr_sample_rate and config.frame_length == FRAME
    same = track.timescale == config.sample_rate
    return config.channels if plain and same and config.channels in (1, 2) else None


@cache
def _frame(channels: int) -> bytes:
    if channels == 1:
        bits = _SCE + _TAG + _GAIN + _ICS_INFO + _NO_TOOLS
    else:
        bits = _CPE + _TAG + "1" + _ICS_INFO + "00" + 2 * (_GAIN + _NO_TOOLS)
    bits += _END
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
