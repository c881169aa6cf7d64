from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.timeline import Range, RangeSet
from flussdvr.web.api.listing import page
from flussdvr.web.api.moments import documents
from flussdvr.web.api.range_page import range_page

fields = st.sampled_from([f"{one}_{test}" for one in ("opened_at", "closed_at") for test in ("gt", "gte", "lt", "lte")])


@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.dictionaries(fields, st.integers(0, 6100).map(str), max_size=3),
    st.integers(0, 4),
)
def test_a_page_is_that_of_a_list(begins: list[int], query: dict[str, str], limit: int) -> None:
    ranges = RangeSet(Range(begin * 20, begin * 20 + 11) for begin in begins)
    query = {**query, "limit": str(limit)}
    mine, its = range_page(ranges, query), page(documents(ranges), query, key="opened_at")
    seen = []
    while True:
        assert mine == its
        seen.append(mine)
        if mine.next is None:
            break
        query = {**query, "cursor": mine.next}
        mine, its = range_page(ranges, query), page(documents(ranges), query, key="opened_at")
    while mine.prev is not None:
        seen.pop()
        mine = range_page(ranges, {**query, "cursor": mine.prev})
        assert mine.items == seen[-1].items


def test_what_else_is_asked_of_ranges() -> None:
    ranges = RangeSet([Range(0, 1000), Range(5000, 6000), Range(7000, 9500)])
    assert [one["from"] for one in range_page(ranges, {"sort": "-opened_at", "duration": "1,3"}).items] == [7, 5, 0]
    assert range_page(ranges, {"select": "from", "duration_gt": "1"}).items == [{"from": 7, "opened_at": 7000}]
    assert range_page(ranges, {"gaps": "true"}, other=("gaps",)).total == 3
