from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.live.clock import MAX_PPM, MediaClock

START_US = 1_795_194_000_000_000


def run(seconds: int, drift_ppm: float, jitter_us: int, seed: int = 1, step: tuple[int, int] = (0, 0)) -> list[int]:
    """The deviation of the mapped time from true UTC, each second, for a source whose clock drifts."""
    chance = random.Random(seed)
    clock = MediaClock()
    clock.anchor(0, START_US)
    deviations = []
    for second in range(1, seconds):
        true_us = second * 1_000_000
        if step[0] and second >= step[0]:
            true_us += step[1]
        media_us = int(second * 1_000_000 * (1 + drift_ppm / 1e6))
        clock.arrived(media_us, START_US + true_us + chance.randrange(jitter_us + 1))
        clock.steer(media_us)
        deviations.append(clock.utc_us(media_us) - START_US - true_us)
    return deviations


def test_jitter_of_arrival_does_not_show() -> None:
    assert set(run(600, 0, 25_000)) == {0}


def test_slow_drift_is_steered_out() -> None:
    for drift in (200, -200, 60):
        deviations = run(7200, drift, 10_000)
        assert max(map(abs, deviations[600:])) < 110_000


def test_steering_never_exceeds_500_ppm() -> None:
    clock = MediaClock()
    clock.anchor(0, START_US)
    before = clock.utc_us(0)
    for second in range(1, 300):
        media_us = second * 1_000_000
        clock.arrived(media_us, START_US + media_us + 2_000_000)
        clock.steer(media_us)
        now = clock.utc_us(media_us)
        assert abs(now - before - 1_000_000) <= MAX_PPM
        before = now


def test_a_stepped_clock_is_a_jump_not_a_drift() -> None:
    clock = MediaClock()
    clock.anchor(0, START_US)
    for second in range(1, 30):
        clock.arrived(second * 1_000_000, START_US + second * 1_000_000)
        clock.steer(second * 1_000_000)
        assert clock.correction(second * 1_000_000) is None
    for second in range(30, 100):
        clock.arrived(second * 1_000_000, START_US + second * 1_000_000 + 5_000_000)
        clock.steer(second * 1_000_000)
    assert 4_900_000 < (clock.correction(100_000_000) or 0) <= 5_000_000


def test_media_from_the_future_is_a_jump_at_once() -> None:
    clock = MediaClock()
    clock.anchor(0, START_US)
    clock.arrived(1_000_000, START_US - 9_000_000)
    assert clock.correction(1_000_000) == -10_000_000


@given(st.lists(st.integers(-2_000_000, 2_000_000), min_size=2, max_size=40), st.sampled_from([90_000, 48_000, 44_100]))
def test_mapped_times_of_a_steered_track_go_forward(delays: list[int], timescale: int) -> None:
    clock = MediaClock()
    clock.anchor(0, START_US)
    frame = timescale // 25
    last = None
    for second, delay in enumerate(delays, start=1):
        dts = [second * timescale + frame * index for index in range(25)]
        mapped = clock.ticks(dts, timescale)
        assert all(0 < b - a < 2 * frame for a, b in zip(mapped, mapped[1:], strict=False))
        assert last is None or mapped[0] > last
        last = mapped[-1]
        media_us = (second + 1) * 1_000_000
        clock.arrived(media_us, START_US + media_us + delay)
        clock.steer(media_us)


def test_an_exact_statement_is_not_corrected_by_arrivals() -> None:
    clock = MediaClock()
    clock.anchor(0, START_US, exact=True)
    for second in range(1, 60):
        clock.arrived(second * 1_000_000, START_US + second * 1_000_000 + 900_000)
        clock.steer(second * 1_000_000)
    assert clock.utc_us(60_000_000) == START_US + 60_000_000
