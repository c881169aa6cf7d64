"""Frames that are not as long as most: each keeps its time."""

from __future__ import annotations

import pytest

from flussdvr.formats.aac import AudioSpecificConfig, build_audio_specific_config
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
