from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.playback.status import seconds
from flussdvr.timeline import Range, RangeSet


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], []),
        ([(1000, 3000)], [(1, 2)]),
        ([(1999, 3001)], [(1, 3)]),
        ([(1000, 3400), (3900, 5000)], [(1, 2), (3, 2)]),
        ([(1000, 3400), (4000, 5000)], [(1, 3), (4, 1)]),
        ([(1100, 1200), (1300, 5000)], [(1, 4)]),
    ],
)
def test_whole_seconds(ranges: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    answer = seconds(Range(begin, end) for begin, end in ranges)
    assert [(item["from"], item["duration"]) for item in answer] == expected


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 3000)), max_size=12))
def test_whole_seconds_cover_everything_and_never_overlap(pairs: list[tuple[int, int]]) -> None:
    ranges = RangeSet(Range(begin, begin + length) for begin, length in pairs)
    answer = [(item["from"], item["from"] + item["duration"]) for item in seconds(ranges)]
    assert all(a[1] <= b[0] for a, b in zip(answer, answer[1:], strict=False))
    covered = RangeSet(Range(begin * 1000, end * 1000) for begin, end in answer)
    assert all(covered.covers(item) for item in ranges)
