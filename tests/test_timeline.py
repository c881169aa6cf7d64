from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.timeline import Range, RangeSet, to_ms, to_ticks, utc_datetime

ranges = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: Range(pair[0], pair[0] + pair[1]))
steps = st.lists(st.tuples(st.booleans(), ranges), max_size=30)


def moments(item: Range) -> set[int]:
    return set(range(item.begin_ms, item.end_ms))


@given(steps, ranges)
def test_a_range_set_is_a_set_of_moments(steps: list[tuple[bool, Range]], window: Range) -> None:
    subject, model = RangeSet(), set[int]()
    for add, item in steps:
        if add:
            subject.add(item)
            model |= moments(item)
        else:
            subject.subtract(item)
            model -= moments(item)
    assert set().union(*(moments(item) for item in subject)) == model
    assert all(subject), "no range is empty"
    assert all(a.end_ms < b.begin_ms for a, b in zip(subject, subject[1:], strict=False)), "none touches the next"
    assert subject.duration_ms == len(model)
    assert {moment for moment in range(100) if moment in subject} == model
    inside = subject.within(window)
    assert set().union(*(moments(item) for item in inside)) == model & moments(window)
    assert subject.covers(window) == (moments(window) <= model)
    if bounds := subject.bounds:
        assert set().union(*(moments(item) for item in subject.gaps())) == moments(bounds) - model


@given(st.lists(ranges, max_size=15), ranges.filter(bool))
def test_what_of_a_set_overlaps_a_window(items: list[Range], window: Range) -> None:
    subject = RangeSet(items)
    assert list(subject.overlapping(window)) == [item for item in subject if item.overlaps(window)]
    assert list(subject.around(window).gaps()) == [gap for gap in subject.gaps() if gap.overlaps(window)]
    assert subject.pairs() == [(item.begin_ms, item.end_ms) for item in subject]


@given(st.lists(ranges, max_size=15), st.integers(0, 30))
def test_gaps_that_are_too_short_to_see(items: list[Range], gap_ms: int) -> None:
    subject = RangeSet(items)
    expected = RangeSet([*subject, *(gap for gap in subject.gaps() if gap.end_ms - gap.begin_ms < gap_ms)])
    assert subject.joined(gap_ms) == expected


def test_ranges_that_touch_become_one() -> None:
    assert list(RangeSet([Range(0, 5), Range(5, 9)])) == [Range(0, 9)]


def test_a_range_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="range ends"):
        Range(2, 1)


@given(st.integers(0, 4_000_000_000_000), st.sampled_from([90_000, 48_000, 44_100, 8_000, 1000]))
def test_milliseconds_survive_ticks(utc_ms: int, timescale: int) -> None:
    assert abs(to_ms(to_ticks(utc_ms, timescale), timescale) - utc_ms) <= 1


def test_utc_datetime_keeps_the_millisecond() -> None:
    assert utc_datetime(1_795_194_000_123).isoformat() == "2026-11-20T17:00:00.123000+00:00"
