"""The clock stamp is read back from what was written, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats import stamp


@pytest.mark.parametrize("width", [32, 100, 320, 640, 1920, 1921])
@pytest.mark.parametrize(("second", "frame"), [(1_795_000_000, 0), (1, 24), (0xFFFFFFFF, 255), (0, 0)])
def test_read_back(width: int, second: int, frame: int) -> None:
    luma = np.full((48, width), 128, np.uint8)
    stamp.write_stamp(luma, second, frame)
    assert stamp.read_stamp(luma) == (second, frame)
    assert (luma[32:] == 128).all()


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 255), st.integers(0, 2**32))
def test_survives_noise(second: int, frame: int, seed: int) -> None:
    luma = np.zeros((32, 320), np.uint8)
    stamp.write_stamp(luma, second, frame)
    noise = np.random.default_rng(seed).integers(-30, 31, luma.shape)
    assert stamp.read_stamp(np.clip(luma + noise, 0, 255).astype(np.uint8)) == (second, frame)


def test_the_layout() -> None:
    """Bit for bit as the other tools read it."""
    luma = np.zeros((32, 64), np.uint8)
    stamp.write_stamp(luma, 0x80000001, 3)
    first = luma[8, ::2] == 220
    assert [i for i in range(32) if first[i]] == [0, 31]
    word = int("".join("1" if v == 220 else "0" for v in luma[24, ::2]), 2)
    assert word == 3 << 24 | ((0x80 + 1 + 3) & 255) << 16 | 0xA55A
    assert set(np.unique(luma)) == {30, 220}


@pytest.mark.parametrize("value", [0, 30, 128, 255])
def test_a_plain_picture_has_none(value: int) -> None:
    assert stamp.read_stamp(np.full((64, 640), value, np.uint8)) is None


def test_too_small_a_picture_has_none() -> None:
    assert stamp.read_stamp(np.zeros((31, 640), np.uint8)) is None
    assert stamp.read_stamp(np.zeros((64, 31), np.uint8)) is None


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_every_tone_is_told(rate: int) -> None:
    for second in range(1_795_000_000, 1_795_000_016):
        pcm = stamp.tone(second, rate)
        assert len(pcm) == rate
        assert stamp.read_tone(pcm, rate) == second % 16
        assert stamp.read_tone(pcm[rate // 4 : rate // 2], rate) == second % 16
        assert stamp.read_tone((pcm * 32767).astype(np.int16), rate) == second % 16
        assert np.sqrt(np.square(pcm[: rate // 10]).mean()) == pytest.approx(0.45 / np.sqrt(2), rel=0.01)
        assert np.sqrt(np.square(pcm[rate // 10 :]).mean()) == pytest.approx(0.10 / np.sqrt(2), rel=0.01)


def test_silence_and_noise_are_no_tone() -> None:
    assert stamp.read_tone(np.zeros(48000), 48000) is None
    assert stamp.read_tone(np.random.default_rng(1).normal(size=48000), 48000) is None
    assert stamp.read_tone(np.zeros(10), 48000) is None


def test_tones_run_across_seconds() -> None:
    rate = 48000
    second = 1_795_000_000
    start = second * rate - 500
    pcm = stamp.tones(start, 2000, rate)
    assert len(pcm) == 2000
    assert (pcm[:500] == stamp.tone(second - 1, rate)[-500:]).all()
    assert (pcm[500:] == stamp.tone(second, rate)[:1500]).all()
    assert len(stamp.tones(start, 3 * rate, rate)) == 3 * rate
    assert len(stamp.tones(start, 0, rate)) == 0


def test_the_start_of_a_second_is_heard() -> None:
    rate = 48000
    for second in range(1_795_000_000, 1_795_000_016):
        pcm = stamp.tones(second * rate - 10_000, 20_000, rate)
        at = stamp.read_loud_start(pcm, rate)
        assert at is not None and abs(at - 10_000) < rate // 500
    assert stamp.read_loud_start(stamp.tone(0, rate)[rate // 2 :], rate) is None
    assert stamp.read_loud_start(np.zeros(100), rate) is None
