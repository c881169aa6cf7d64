"""Times of pictures by themselves, without a stream around them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flussdvr.formats.pictures.syntax import Picture
from flussdvr.formats.pictures.times import PictureTimes

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


class LongWay(PictureTimes):
    """For which no picture is an ordinary one."""

    def _is_ordinary(self, pts: int, dts: int, picture: Picture) -> bool:
        return False


@st.composite
def damaged_streams(draw: st.DrawFn) -> tuple[PictureTimes, PictureTimes, list[tuple[int | None, int | None, Picture]]]:
    """Groups of pictures with reordering, rounded times, and a few that are damaged; and two to tell their times."""
    group = draw(st.sampled_from([GROUP, GROUP[:7], [(2 * n, 0) for n in range(12)], [(2 * n, 2) for n in range(25)]]))
    group = draw(st.one_of(st.just(group), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1)))
    rounding = draw(st.sampled_from([1, 90, 900]))
    off = st.sampled_from([0, 1, -1, 1000, -1000, STEP, -STEP, -3 * STEP, 7 * STEP, 400_000, -400_000, None])
    damage = draw(st.dictionaries(st.tuples(st.integers(0, 80), st.sampled_from(["pts", "dts", "order", "lost"])), off))
    declared = draw(st.sampled_from([None, Fraction(25), Fraction(50)])), draw(st.sampled_from([None, 0, 1, 2, 16]))
    both = PictureTimes(90_000, 2), LongWay(90_000, 2)
    for times in both:
        times.declare(*declared)
    pictures: list[tuple[int | None, int | None, Picture]] = []
    for number in range(draw(st.integers(1, 80))):
        order, offset = group[number % len(group)]
        stated = {"dts": number * STEP, "pts": (number + offset) * STEP, "order": order}
        values: dict[str, int | None] = {}
        for name, value in stated.items():
            moved = damage.get((number, name), 0)
            step = 1 if name == "order" else rounding
            values[name] = None if moved is None else (value + moved) // step * step
        begins = not number % len(group) and (number, "lost") not in damage
        pictures.append((values["pts"], values["dts"], Picture(values["order"], begins, offset != 1, begins)))
    return *both, pictures


@settings(max_examples=300)
@given(damaged_streams())
def test_the_short_way_of_ordinary_pictures_says_what_the_long_one_says(
    stream: tuple[PictureTimes, PictureTimes, list[tuple[int | None, int | None, Picture]]],
) -> None:
    short, long, pictures = stream
    for picture in pictures:
        assert short.times(*picture) == long.times(*picture)
        assert vars(short) == vars(long)


def test_ordinary_pictures_take_the_short_way() -> None:
    times = PictureTimes(90_000, 2)
    times.declare(Fraction(25), 1)
    short = []
    for number in range(30):
        order, offset = GROUP[number % 10]
        picture = Picture(order, not number % 10, offset != 1, not number % 10)
        short.append(times._is_ordinary((number + offset) * STEP, number * STEP, picture))
        if not short[-1]:
            times.times((number + offset) * STEP, number * STEP, picture)
    assert sum(short[5:]) >= 20


@given(st.integers(1, 6), st.integers(0, 1700), st.sampled_from([1, 2]))
def test_what_is_joined_a_little_too_early_is_close_together_and_then_as_it_is_stated(
    overlap: int, uneven: int, groups: int
) -> None:
    """Another stream begins while the last pictures of the one before are still shown."""
    times = PictureTimes(90_000, 2)
    times.declare(Fraction(25), 1)
    shown, decoded, stated = [], [], []
    for number in range(10 * groups + 30):
        order, offset = GROUP[number % 10]
        early = (overlap * STEP - uneven) if number >= 10 * groups else 0
        dts = number * STEP - early
        found = times.times(dts + offset * STEP, dts, Picture(order, not number % 10, offset != 1, not number % 10))
        assert found is not None
        decoded.append(found[0])
        shown.append((number // 10, order, found[1]))
        stated.append((dts + offset * STEP, dts))
    assert decoded == sorted(set(decoded))
    assert all(dts <= one[2] for dts, one in zip(decoded, shown, strict=True))
    in_order = [at for _, _, at in sorted(shown)]
    assert in_order == sorted(set(in_order)), "as the order counts say"
    later = 10 * groups + 2 * overlap + 2
    assert [(one[2], dts) for one, dts in zip(shown, decoded, strict=True)][later:] == stated[later:]
    assert times.repaired <= 4 * overlap


def test_a_first_picture_of_which_one_time_alone_is_early_is_where_it_was_expected() -> None:
    for wrong in ("pts", "dts"):
        times = PictureTimes(90_000, 2)
        times.declare(Fraction(25), 1)
        for number in range(40):
            order, offset = GROUP[number % 10]
            dts, pts = number * STEP, (number + offset) * STEP
            given_dts, given_pts = dts, pts
            if number == 20:
                given_pts -= 2 * STEP if wrong == "pts" else 0
                given_dts -= 2 * STEP if wrong == "dts" else 0
            found = times.times(given_pts, given_dts, Picture(order, not number % 10, offset != 1, not number % 10))
            assert found == (dts, pts), (wrong, number)
