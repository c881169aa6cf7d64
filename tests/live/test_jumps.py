"""The times of samples by themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.live.jumps import HELD_MAX, SLOW_SAMPLES, Stamps
from flussdvr.media import Sample

STEP = 3600
SECOND = 90_000


def settle(times: list[int], tolerance: int | None = None, usual: int = STEP) -> list[int]:
    stamps = Stamps(SECOND, usual, tolerance)
    found = [one.dts for time in times for one in stamps.feed(Sample(time, b"x"))]
    return found + [one.dts for one in stamps.flush()]


def line(count: int, begin: int = 0) -> list[int]:
    return [begin + number * STEP for number in range(count)]


@given(st.integers(0, 19), st.integers(-(1 << 33), 1 << 33))
def test_one_time_that_is_out_of_place_is_put_back(at: int, off: int) -> None:
    times = line(20)
    times[at] += off
    for found, right in zip(settle(times), line(20), strict=True):
        assert abs(found - right) <= SLOW_SAMPLES * STEP


@given(st.integers(-(1 << 33), 1 << 33), st.integers(3, 10))
def test_a_jump_is_a_jump(off: int, count: int) -> None:
    begin = 10 * STEP + (off if abs(off) > 2 * SECOND else 3 * SECOND)
    times = line(10) + line(count, begin)
    assert settle(times) == times


def test_a_picture_that_comes_later_than_usual_stays_where_it_is() -> None:
    times = [0, 3600, 7200, 20_000, 23_600, 60_000, 63_600, 67_200, 160_000, 163_600]
    assert settle(times) == times


def test_pictures_in_order_of_presentation_are_not_touched() -> None:
    times = [
        0,
        14_400,
        3600,
        7200,
        10_800,
        28_800,
        18_000,
        21_600,
        25_200,
        43_200,
        32_400,
        36_000,
        39_600,
        57_600,
        46_800,
        50_400,
    ]
    times += [54_000, 61_200, 64_800]
    assert settle(times) == times


def test_a_slow_track_does_not_jump() -> None:
    times = [0, *(900_000 * number for number in range(1, 8))]
    assert settle(times) == times


@given(st.lists(st.integers(-(1 << 62), 1 << 62), max_size=40), st.sampled_from([None, 1350]))
def test_nothing_is_lost_whatever_comes(times: list[int], tolerance: int | None) -> None:
    stamps = Stamps(SECOND, STEP, tolerance)
    found = 0
    for number, time in enumerate(times):
        found += len(stamps.feed(Sample(time, b"x", cto=time // 3, sync=not number % 3)))
        assert number + 1 - found < HELD_MAX
    assert found + len(stamps.flush()) == len(times)


def offsets(stated: list[tuple[int, bool]]) -> list[int]:
    stamps = Stamps(SECOND, STEP)
    samples = [Sample(number * STEP, b"x", sync, cto) for number, (cto, sync) in enumerate(stated)]
    return [one.cto for sample in samples for one in stamps.feed(sample)] + [one.cto for one in stamps.flush()]


def test_offsets_that_no_decoder_could_hold_are_not_believed() -> None:
    assert offsets([(7200, True), (14_400, False), (7 * SECOND, False), (0, False)]) == [7200, 14_400, 7200, 0]
    assert offsets([(7200, True), (0, False), (30 * SECOND, True), (0, False), (7200, True)])[2] == 7200
    assert offsets([(7200, True), (0, False), (80_000, True), (0, False), (80_000, True)])[4] == 80_000
    assert offsets([(-900 * SECOND, True), (0, False), (0, False)])[0] == 0
