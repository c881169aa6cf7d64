"""The times of samples by themselves."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.live.jumps import HELD_MAX, SLOW_SAMPLES, Stamps
from flussdvr.live.lane import Lane
from flussdvr.media import Codec, Sample, Track

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


def feed_pictures(stamps: Stamps, step: int, count: int) -> None:
    """A sync sample, and a P picture with two B pictures behind it, again and again."""
    for number in range(count):
        offset = 2 if not number else (4, 1, 1)[(number - 1) % 3]
        stamps.feed(Sample(number * step, b"x", not number, offset * step))
    stamps.flush()


@given(st.sampled_from([1500, 3003, 3600, 18000]), st.integers(0, 17), st.floats(0.07, 0.93))
def test_at_a_constant_rate_an_offset_that_is_no_whole_number_of_pictures_stands_out(
    step: int, pictures: int, part: float
) -> None:
    stamps = Stamps(SECOND, step)
    feed_pictures(stamps, step, 25)
    assert not stamps.stands_out(pictures * step)
    assert stamps.stands_out(pictures * step + int(part * step))


@given(st.lists(st.integers(0, 4 * STEP), min_size=8, max_size=8), st.integers(0, 20 * STEP))
def test_where_offsets_are_irregular_none_stands_out(irregular: list[int], offset: int) -> None:
    stamps = Stamps(SECOND, STEP)
    feed_pictures(stamps, STEP, 10)
    for number, one in enumerate([*irregular, STEP // 2, STEP, STEP + STEP // 3]):
        stamps.feed(Sample((10 + number) * STEP, b"x", False, one))
    assert not stamps.stands_out(offset)


def test_nothing_stands_out_of_a_few() -> None:
    assert not Stamps(SECOND, STEP).stands_out(STEP // 2)
    stamps = Stamps(SECOND, STEP)
    feed_pictures(stamps, STEP, 3)
    assert not stamps.stands_out(STEP // 2)


@given(st.integers(0, 16))
def test_a_sync_sample_has_the_offset_of_the_one_before_if_one_bit_says_otherwise(bit: int) -> None:
    """Also where the damaged one lies among those of the other pictures; two that agree are believed."""
    stamps = Stamps(SECOND, STEP)
    feed_pictures(stamps, STEP, 25)
    damaged = (2 * STEP) ^ 1 << bit
    found = [one.cto for one in stamps.feed(Sample(25 * STEP, b"x", True, damaged))]
    assert abs(found[0] - 2 * STEP) <= STEP // 5
    stamps.feed(Sample(26 * STEP, b"x", False, 4 * STEP))
    assert [one.cto for one in stamps.feed(Sample(27 * STEP, b"x", True, damaged))] == [damaged]


def lane(ctos: list[int], step: int = STEP) -> Lane:
    found = Lane(Track(1, Codec.H264, SECOND, frame_rate=Fraction(SECOND, step)))
    for number, cto in enumerate(ctos):
        for sample in found.stamps.feed(Sample(number * step, b"x", not number, cto)):
            found.put(sample)
    return found


@given(st.sampled_from([1500, 1800, 3000, 3003, 3600, 3750]), st.integers(3, 15), st.integers(0, 18))
def test_the_newest_picture_is_not_one_whose_offset_is_damaged(step: int, at: int, bit: int) -> None:
    """In time with two B pictures, at the usual rates; `at` may be the very last one."""
    ctos = [2 * step, *[4 * step, step, step] * 5]
    right = lane(ctos, step).newest_pts
    ctos[at] ^= 1 << bit
    assert abs(lane(ctos, step).newest_pts - right) <= 2 * step


def test_the_newest_picture_may_be_far_behind_the_others() -> None:
    """The source ended in front of the B pictures, or it has no constant rate."""
    assert lane([2 * STEP, *[4 * STEP, STEP, STEP] * 4, 4 * STEP]).newest_pts == 17 * STEP
    assert lane([2 * STEP, *[4 * STEP, STEP, STEP + 500] * 4, 4 * STEP + 1000]).newest_pts == 17 * STEP + 1000
