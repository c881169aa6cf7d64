"""`ranges.json`: the answer itself; that it passes the gate is tested where the gate is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.timeline import Range, RangeSet
from flussdvr.urls.paths import parse
from flussdvr.urls.values import RangeList
from flussdvr.web.media.range_list import LIMIT, range_list

T = 1_795_194_000_000
RECORDED = RangeSet([Range(T, T + 10_000), Range(T + 12_000, T + 20_000), Range(T + 60_000, T + 70_500)])


def asked(query: str, recorded: RangeSet = RECORDED) -> Any:
    parsed = parse("/ort/ranges.json", query)
    assert isinstance(parsed, RangeList)
    return json.loads(range_list(recorded, parsed))


def opened(query: str, recorded: RangeSet = RECORDED) -> list[int]:
    return [item["opened_at"] - T for item in asked(query, recorded)["ranges"]]


def test_everything() -> None:
    answer = asked("")
    assert answer["estimated_count"] == 3
    assert answer["next"] is None and answer["prev"] is None
    last = answer["ranges"][2]
    assert last == {"from": (T + 60_000) // 1000, "duration": 11, "opened_at": T + 60_000, "closed_at": T + 70_500}


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_window_in_seconds_and_in_milliseconds(unit: int) -> None:
    begin, end = (T + 20_000) // unit, (T + 60_000) // unit
    assert opened(f"closed_at_gte={begin}&opened_at_lte={end}") == [12_000, 60_000], "both ends are included"
    assert opened(f"closed_at_gte={begin + 1000 // unit}&opened_at_lte={end - 1000 // unit}") == []


def test_gaps_below_the_resolution_are_not_shown() -> None:
    assert opened("resolution=2") == [0, 12_000, 60_000], "a gap as long as the resolution is"
    assert opened("resolution=3") == [0, 60_000]
    assert opened("resolution=86400") == [0]
    assert opened("resolution=999999999999999") == [0]


@given(st.integers(1, 7), st.integers(0, 3))
def test_pages_make_up_the_whole(limit: int, resolution: int) -> None:
    recorded = RangeSet(Range(T + at * 3000, T + at * 3000 + 1500) for at in range(17))
    whole, found, cursor = opened(f"resolution={resolution}", recorded), [], ""
    for _ in range(20):
        answer = asked(f"resolution={resolution}&limit={limit}&cursor={quote(cursor)}", recorded)
        found += [item["opened_at"] - T for item in answer["ranges"]]
        if (cursor := answer["next"]) is None:
            break
    assert found == whole


def test_an_answer_is_bounded_whatever_is_asked() -> None:
    recorded = RangeSet(Range(at * 1000, at * 1000 + 500) for at in range(LIMIT + 5))
    for query in ("", f"limit={LIMIT + 3}"):
        answer = asked(query, recorded)
        assert len(answer["ranges"]) == LIMIT and answer["estimated_count"] == LIMIT + 5 and answer["next"]


def test_a_cursor_that_is_none() -> None:
    with pytest.raises(DvrError) as refusal:
        asked("cursor=abc")
    assert refusal.value.status == 400
