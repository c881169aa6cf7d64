from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.codecs.aac import AudioSpecificConfig, build_audio_specific_config
from flussdvr.formats.codecs.silence import can_be_silent, silent_run, silent_track
from flussdvr.formats.mp4.fmp4 import write_fragment, write_init
from flussdvr.media import Codec, Track
from tests.formats.recorded import audio

T = 1_795_194_000_000


def track(channels: int, rate: int = 48000, **options: int) -> Track:
    config = build_audio_specific_config(AudioSpecificConfig(2, rate, channels, **options))
    return Track(2, Codec.AAC, rate, config, channels=channels, sample_rate=rate)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_it_is_silence_for_a_decoder(channels: int, rate: int) -> None:
    sound = track(channels, rate)
    run = silent_run(sound, T, T + 2000)
    assert run is not None
    head, payload = write_fragment(1, [run])
    with av.open(io.BytesIO(write_init([sound]) + head + payload)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
        assert file.streams.audio[0].channels == channels
    assert sum(frame.shape[-1] for frame in frames) == 1024 * len(run.samples)
    assert all(frame.shape[0] == channels and not np.any(frame) for frame in frames)


def test_the_track_that_is_always_there() -> None:
    assert can_be_silent(silent_track(2))
    assert silent_track(5).id == 5


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.sampled_from([8000, 44100, 48000]))
def test_neighbours_touch(lengths: list[int], rate: int) -> None:
    begin, times = T, []
    for length in lengths:
        run = silent_run(track(2, rate), begin, begin + length)
        if run is not None:
            assert begin * rate <= run.dts * 1000 < (begin + length) * rate
            times += [run.dts + 1024 * number for number in range(len(run.samples))]
        begin += length
    assert all(b - a == 1024 for a, b in zip(times, times[1:], strict=False))


def test_what_cannot_be_silent() -> None:
    assert not can_be_silent(audio("ac3").track)
    assert not can_be_silent(track(6))
    assert not can_be_silent(track(2, 24000, sbr_sample_rate=48000))
    assert not can_be_silent(Track(2, Codec.AAC, 48000, b"\0"))
    assert not can_be_silent(Track(2, Codec.AAC, 90000, track(2).config))
    assert silent_run(audio("ac3").track, T, T + 1000) is None
