"""Times of audio frames between what is counted and what is stated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.frame_count import FrameCount

RATE = 48_000
PES = 4
STEP = PES * 1024


def times(stated: list[int | None], lost: tuple[int, ...] = ()) -> list[int]:
    """When the frames of PES packets of four begin that state these times (in samples)."""
    count, found = FrameCount(), []
    for number, at in enumerate(stated):
        if number in lost:
            count.lost()
        found += count.stated(None if at is None else at * 90_000 // RATE, RATE)
        for _ in range(PES):
            found += count.frame(b"x", 1024)
    return [sample.dts for sample in found + count.flush()]


def frames(count: int, begin: int = 0) -> list[int]:
    return [begin + 1024 * number for number in range(count * PES)]


@given(st.integers(0, 9), st.integers(-(1 << 40), 1 << 40))
def test_one_pes_that_states_nonsense_is_dated_by_its_neighbours(at: int, off: int) -> None:
    stated: list[int | None] = [number * STEP for number in range(10)]
    stated[at] = max(0, at * STEP + off)
    found = times(stated)
    assert len(found) == 10 * PES
    assert all(abs(time - right) <= 1024 for time, right in zip(found, frames(10), strict=True)), found


@given(st.integers(2000, 1 << 40))
def test_a_jump_is_a_jump(off: int) -> None:
    stated: list[int | None] = [number * STEP + (off if number >= 3 else 0) for number in range(8)]
    found = times(stated)
    assert found[: 3 * PES] == frames(3)
    assert all(abs(a - b) <= 2 for a, b in zip(found[3 * PES :], frames(5, off + 3 * STEP), strict=True))


def test_behind_lost_packets_the_time_is_what_two_agree_on() -> None:
    found = times([0, STEP, 10 * STEP, 11 * STEP], lost=(2,))
    assert found == frames(2) + frames(2, 10 * STEP)
    found = times([0, STEP, 1 << 40, 11 * STEP, 12 * STEP], lost=(2,))
    assert found == frames(2) + frames(3, 10 * STEP)


@given(st.lists(st.none() | st.integers(0, 1 << 33), max_size=30), st.sets(st.integers(0, 30)))
def test_nothing_is_lost_behind_the_first_time(stated: list[int | None], lost: set[int]) -> None:
    first = next((number for number, at in enumerate(stated) if at is not None), len(stated))
    found = times(stated, ())
    assert len(found) == (len(stated) - first) * PES
    assert len(times(stated, tuple(lost))) <= len(found)
