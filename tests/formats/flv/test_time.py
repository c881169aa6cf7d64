"""Milliseconds back to the grid they were rounded from."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.flv.time import AudioClock, VideoClock, frame_rate_of

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(60000, 1001)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("start", [0, 1_000, 4_294_967_295])
@pytest.mark.parametrize("truncate", [False, True])
def test_rounded_times_return_to_the_grid(rate: Fraction, start: int, truncate: bool) -> None:
    clock = VideoClock(rate)
    offsets = [2, 5, 1, 0] * 250  # composition, in frames

    def milliseconds(frame: int) -> int:
        exact = start + frame / rate * 1000
        return int(exact) if truncate else round(exact)

    times = [clock.times(milliseconds(n), milliseconds(n + o) - milliseconds(n)) for n, o in enumerate(offsets)]
    step = 90_000 / rate
    assert {b[0] - a[0] for a, b in zip(times, times[1:], strict=False)} <= {int(step), int(step) + 1}
    assert all(abs(cto - o * step) <= 1 for (_, cto), o in zip(times, offsets, strict=True))
    assert all(abs(dts - milliseconds(n) * 90) <= 90 for n, (dts, _) in enumerate(times))


@given(st.sampled_from([None, *RATES]), st.lists(st.tuples(st.integers(-100, 2**33), st.integers(-500, 500))))
def test_never_further_than_a_millisecond(rate: Fraction | None, stated: list[tuple[int, int]]) -> None:
    clock = VideoClock(rate)
    for timestamp, composition in stated:
        dts, cto = clock.times(timestamp, composition)
        assert abs(dts - timestamp * 90) <= 90
        assert abs(dts + cto - (timestamp + composition) * 90) <= 90


def test_dropped_frames_stay_on_the_grid() -> None:
    clock = VideoClock(Fraction(30000, 1001))
    assert [clock.times(ms, 0)[0] for ms in (0, 33, 133, 167)] == [0, 3003, 12012, 15015]


def test_without_a_rate_milliseconds_are_kept() -> None:
    assert VideoClock().times(33, 67) == (2970, 6030)


@pytest.mark.parametrize(("rate", "length"), [(48_000, 1024), (44_100, 1024), (22_050, 1024), (44_100, 1152)])
def test_audio_is_exact_to_the_sample(rate: int, length: int) -> None:
    clock = AudioClock(rate)
    stated = [round(n * length * 1000 / rate) for n in range(10_000)]
    assert [clock.time(ms, length) for ms in stated] == [n * length for n in range(10_000)]


def test_audio_follows_a_jump_and_a_drift() -> None:
    clock = AudioClock(48_000)
    assert [clock.time(ms, 1024) for ms in (0, 21, 1_000, 1_021, 500)] == [0, 1024, 48_000, 49_024, 24_000]
    clock = AudioClock(44_100)
    for n in range(1_000):  # an encoder that adds 23 ms a frame
        assert abs(clock.time(23 * n, 1024) - 23 * n * 44.1) <= 5 * 44.1 + 1


@pytest.mark.parametrize(
    ("number", "rate"),
    [
        (25.0, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        (29.97002997, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.0, None),
        (float("nan"), None),
        (float("inf"), None),
        (90_000.0, None),
    ],
)
def test_frame_rate_of(number: float, rate: Fraction | None) -> None:
    assert frame_rate_of(number) == rate
