"""The vote of those who state UTC: who counts, when they agree, what they have against a clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.clock.witnesses import (
    AGREE_MS,
    DAY_MS,
    FRESH_MS,
    LASTING_MS,
    LATEST_MS,
    WITNESSES_MAX,
    WRONG_MS,
    Objection,
    Witnesses,
    is_zone,
)

UTC = 1_795_194_000_000
HOUR = 3_600_000
EARLIEST = 1_735_689_600_000


class Hearing:
    """Witnesses that state the time each 30 s, each by its own offset from UTC; one without an offset is silent."""

    def __init__(self) -> None:
        self.witnesses, self.mono = Witnesses(EARLIEST), 5000

    def run(self, ms: int, **offsets: int) -> int | None:
        """What is agreed on afterwards, minus the right time."""
        for _ in range(ms // 30_000):
            self.mono += 30_000
            for origin, offset in offsets.items():
                self.state(origin, offset)
        return self.agreed()

    def state(self, origin: str, offset: int) -> None:
        self.witnesses.heard(origin, UTC + self.mono + offset, self.mono, self.mono)

    def agreed(self) -> int | None:
        found = self.witnesses.agreed(self.mono)
        return None if found is None else found - UTC


def test_two_that_agree_for_long_enough() -> None:
    hearing = Hearing()
    assert hearing.run(LASTING_MS, a=0, b=900) is None
    assert hearing.run(30_000, a=-900, b=900) in (-900, 900)
    assert hearing.run(30_000, a=0) is not None, "the other one may have a table each 30 s"
    assert hearing.run(FRESH_MS, a=0) is None, "it has fallen silent"


@pytest.mark.parametrize(
    ("offsets", "agreed"),
    [
        ({"a": 0, "b": AGREE_MS}, AGREE_MS),
        ({"a": 0, "b": AGREE_MS + 1}, None),
        ({"a": 0, "b": 1, "c": HOUR}, 1),
        ({"a": 0, "b": 1, "c": HOUR, "d": HOUR}, None),
        ({"a": 0, "b": 1, "c": HOUR, "d": 2 * HOUR}, None),
        ({"a": 0, "b": 1, "c": 2, "d": HOUR, "e": HOUR}, 1),
        ({"a": 0}, None),
        ({}, None),
    ],
)
def test_they_agree_when_most_do(offsets: dict[str, int], agreed: int | None) -> None:
    assert Hearing().run(10 * 60_000, **offsets) == agreed


def test_all_of_one_origin_are_one_witness() -> None:
    hearing = Hearing()
    for _ in range(100):
        hearing.mono += 15_000
        hearing.state("encoder", HOUR)
        hearing.state("encoder", HOUR + 500)
    assert hearing.agreed() is None


def test_a_recording_in_a_loop_does_not_count_for_long() -> None:
    """Two streams send the same ten minutes of a year ago again and again."""
    hearing, agreed = Hearing(), []
    for _ in range(12):
        begin = hearing.mono
        for _ in range(20):
            at = -365 * DAY_MS - begin
            agreed.append(hearing.run(30_000, a=at, b=at) is not None)
    assert any(agreed[:20]) and not any(agreed[80:])
    assert hearing.run(HOUR, a=0, b=0) is None
    assert hearing.run(DAY_MS, a=0, b=0) == 0, "and when it is over they are witnesses again"
    hearing.state("a", HOUR)
    assert hearing.run(2 * LASTING_MS - 30_000, a=HOUR, b=HOUR) is None, "both have jumped"
    assert hearing.run(2 * LASTING_MS, a=HOUR, b=HOUR) == HOUR


def test_whose_media_stand_still_or_jump_has_to_be_steady_anew() -> None:
    hearing = Hearing()
    hearing.run(LASTING_MS + 30_000, a=0, b=0)
    hearing.mono += 30_000
    hearing.witnesses.heard("a", UTC + hearing.mono, hearing.mono - 90_000, hearing.mono)
    hearing.state("b", 0)
    assert hearing.agreed() is None
    assert hearing.run(LASTING_MS + 60_000, a=0, b=0) == 0


@pytest.mark.parametrize("utc_ms", [-1, 0, 946_684_800_000, EARLIEST - DAY_MS, LATEST_MS + 1, 1 << 80])
def test_no_time_of_this_software(utc_ms: int) -> None:
    """Two encoders that have booted together without a battery agree, too."""
    witnesses = Witnesses(EARLIEST)
    for second in range(0, 600, 30):
        for origin in "ab":
            witnesses.heard(origin, utc_ms + second * 1000, second * 1000, second * 1000)
    assert len(witnesses) == 0 and witnesses.agreed(600_000) is None


def test_they_are_few() -> None:
    witnesses = Witnesses()
    for number in range(3 * WITNESSES_MAX):
        witnesses.heard(str(number), UTC, number, number)
    assert len(witnesses) == WITNESSES_MAX


STATEMENT = st.tuples(
    st.integers(0, 90_000),
    st.one_of(st.just(0), st.sampled_from([1, -1, HOUR, -HOUR, DAY_MS, 9 * DAY_MS, 1 << 60]), st.integers()),
    st.integers(),
)


@given(st.lists(STATEMENT, max_size=80), st.lists(st.integers(-1000, 1000), min_size=2, max_size=3))
def test_one_liar_never_decides(lies: list[tuple[int, int, int]], honest: list[int]) -> None:
    """Alone it has no say; beside others it changes nothing, whatever it states."""
    alone, beside = Hearing(), Hearing()
    for wait, offset, media in lies:
        for hearing in (alone, beside):
            hearing.mono += wait
            hearing.witnesses.heard("liar", UTC + hearing.mono + offset, media, hearing.mono)
        for number, error in enumerate(honest):
            beside.state(f"honest {number}", error)
        assert alone.agreed() is None
        found = beside.agreed()
        assert found is None or abs(found) <= AGREE_MS + 1000
    for _ in range(60):
        beside.mono += 30_000
        for number, error in enumerate(honest):
            beside.state(f"honest {number}", error)
    found = beside.agreed()
    assert found is not None and abs(found) <= 1000


@given(st.lists(st.tuples(st.sampled_from("abcd"), STATEMENT), max_size=100))
def test_what_is_agreed_on_at_least_two_have_stated(statements: list[tuple[str, tuple[int, int, int]]]) -> None:
    hearing = Hearing()
    last: dict[str, int] = {}
    for origin, (wait, offset, _) in statements:
        hearing.mono += wait
        hearing.state(origin, offset)
        if EARLIEST <= UTC + hearing.mono + offset <= LATEST_MS:
            last[origin] = offset
        found = hearing.agreed()
        if found is not None:
            assert sum(abs(one - found) <= AGREE_MS for one in last.values()) >= 2


# What they have against a clock


def test_an_objection_and_its_end() -> None:
    objection = Objection()
    objection.weigh(WRONG_MS, False, 0)
    assert objection.difference_ms is None
    objection.weigh(-DAY_MS - 100_000, False, 1)
    assert objection.difference_ms == -DAY_MS - 100_000
    objection.weigh(-DAY_MS - 101_000, False, 2)
    assert objection.difference_ms == -DAY_MS - 100_000, "seconds are no news"
    objection.weigh(None, False, DAY_MS)
    assert objection.difference_ms is not None
    objection.weigh(WRONG_MS, False, DAY_MS)
    assert objection.difference_ms is None


def test_an_objection_ends_a_day_after_the_last_word_with_proof_and_with_the_right_step() -> None:
    objection = Objection()
    objection.weigh(3 * DAY_MS, False, 0)
    objection.weigh(None, False, DAY_MS)
    assert objection.difference_ms is not None
    objection.weigh(None, False, DAY_MS + 1)
    assert objection.difference_ms is None
    objection.weigh(3 * DAY_MS, False, 0)
    objection.weigh(3 * DAY_MS, True, 1)
    assert objection.difference_ms is None
    objection.weigh(3 * DAY_MS, False, 2)
    objection.stepped(DAY_MS)
    assert objection.difference_ms == 2 * DAY_MS
    objection.stepped(2 * DAY_MS - WRONG_MS)
    assert objection.difference_ms is None


def test_an_operator_knows_better_until_they_say_something_else() -> None:
    objection = Objection()
    objection.weigh(3 * DAY_MS, False, 0)
    objection.overrule(3 * DAY_MS)
    for difference in (3 * DAY_MS, 3 * DAY_MS - WRONG_MS, None, 3 * DAY_MS + WRONG_MS):
        objection.weigh(difference, False, 1)
        assert objection.difference_ms is None
    again = Objection()
    state = objection.state()
    again.start(state["contradicted_ms"], state["overruled_ms"], 7)
    again.weigh(3 * DAY_MS, False, 8)
    assert again.difference_ms is None, "also after a restart"
    again.weigh(4 * DAY_MS, False, 9)
    assert again.difference_ms == 4 * DAY_MS


@pytest.mark.parametrize("hours", [-14, -5.5, -1, 0.25, 1, 2, 5.75, 9, 14])
def test_a_time_zone_proves_nothing(hours: float) -> None:
    objection = Objection()
    for error in (-AGREE_MS, 0, 1000, AGREE_MS):
        assert is_zone(int(hours * HOUR) + error)
        objection.weigh(int(hours * HOUR) + error, False, 0)
        assert objection.difference_ms is None
    objection.weigh(int(hours * HOUR) + 7 * 60_000, False, 0)
    assert objection.difference_ms is not None
    objection.weigh(int(hours * HOUR), False, 1)
    assert objection.difference_ms is not None, "nor does it end what was found"


@given(st.lists(st.integers(-(1 << 60), 1 << 60), min_size=2))
def test_any_differences(differences: list[int]) -> None:
    objection = Objection()
    for mono, (one, other) in enumerate(pairwise(differences)):
        objection.weigh(one, False, mono)
        objection.stepped(other)
        left = objection.difference_ms
        assert left is None or abs(left) > WRONG_MS
        objection.weigh(0, False, mono)
        assert objection.difference_ms is None
