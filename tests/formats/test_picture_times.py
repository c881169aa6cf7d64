"""Times of pictures by themselves, without a stream around them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from flussdvr.formats.picture_times import PictureTimes
from flussdvr.formats.video_syntax import Picture

STEP = 3600
GROUP = [(0, 2), (6, 4), (2, 1), (4, 1), (12, 4), (8, 1), (10, 1), (18, 4), (14, 1), (16, 1)]
"""Order count, and offset in pictures, in decoding order."""


@example(3, 128 * 90)
@given(st.integers(1, 29), st.integers(STEP, 6 * STEP))
def test_a_picture_that_says_it_is_late_moves_the_decoding_of_no_other(at: int, off: int) -> None:
    times = PictureTimes(90_000, 2)
    times.declare(Fraction(25), 1)
    for number in range(30):
        order, offset = GROUP[number % 10]
        moved = off if number == at else 0
        dts = number * STEP + moved
        found = times.times(dts + offset * STEP, dts, Picture(order, not number % 10, offset != 1, not number % 10))
        assert found is not None
        assert number == at or found[0] <= (number + 1) * STEP + STEP // 2
