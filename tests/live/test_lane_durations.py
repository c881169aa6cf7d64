"""Frames that are not as long as most: each keeps its time."""

from __future__ import annotations

import pytest

from flussdvr.formats import dts
from flussdvr.formats.codecs.aac import AudioSpecificConfig, build_audio_specific_config
from flussdvr.live.lane import Lane, Verdict
from flussdvr.media import Codec, Sample, Track


def steps(lane: Lane, samples: list[Sample]) -> set[int]:
    """Between the times of frames, all of which are taken."""
    assert [lane.put(sample) for sample in samples] == [Verdict.TAKEN] * len(samples)
    return {after.dts - before.dts for before, after in zip(lane.pending, lane.pending[1:], strict=False)}


@pytest.mark.parametrize("length", [960, 1024])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_frames_of_aac(length: int, rate: int) -> None:
    config = build_audio_specific_config(AudioSpecificConfig(2, rate, 2, frame_length=length))
    lane = Lane(Track(1, Codec.AAC, rate, config, channels=2, sample_rate=rate))
    assert steps(lane, [Sample(length * number, b"x") for number in range(40)]) == {length}
    # What the source rounds to milliseconds is counted.
    lane = Lane(Track(1, Codec.AAC, rate, config, channels=2, sample_rate=rate))
    stated = [length * number * 1000 // rate * rate // 1000 for number in range(40)]
    assert steps(lane, [Sample(at, b"x") for at in stated]) == {length}


def test_a_config_that_cannot_be_read() -> None:
    lane = Lane(Track(1, Codec.AAC, 48_000, b"\xff", channels=2, sample_rate=48_000))
    assert steps(lane, [Sample(1024 * number, b"x") for number in range(10)]) == {1024}


def dts_frame(samples: int) -> bytes:
    """The header of a frame: 2 channels, 48 kHz."""
    bits = "1" + "11111" + "0" + f"{samples // 32 - 1:07b}{999:014b}{2:06b}{13:04b}"
    return dts.CORE + int(bits.ljust(128, "0"), 2).to_bytes(16, "big")


@pytest.mark.parametrize("samples", [512, 1024, 2048])
def test_frames_of_dts(samples: int) -> None:
    lane = Lane(Track(1, Codec.DTS, 48_000, channels=2, sample_rate=48_000))
    assert steps(lane, [Sample(samples * number, dts_frame(samples)) for number in range(20)]) == {samples}
