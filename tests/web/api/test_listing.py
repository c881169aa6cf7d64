from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.web.api.listing import page

ITEMS: list[dict[str, Any]] = [
    {"name": "b", "position": 2, "stats": {"alive": True, "bitrate": 100}, "inputs": [{"url": "udp://1"}]},
    {"name": "a", "position": 1, "stats": {"alive": False}, "title": "One"},
    {"name": "d", "position": None, "stats": {"alive": True, "bitrate": 50}, "title": "null"},
    {"name": "c", "position": 2, "stats": {"alive": True, "bitrate": 1000}, "title": "Two"},
]


def names(**query: str) -> str:
    return "".join(item["name"] for item in page(ITEMS, query, searched=("name", "title", "inputs")).items)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "abcd"),
        ({"sort": "-name"}, "dcba"),
        ({"sort": "position"}, "dabc"),
        ({"sort": "-position"}, "bcad"),
        ({"sort": "-position,-name"}, "cbad"),
        ({"sort": "stats.bitrate"}, "adbc"),
        ({"limit": "2"}, "ab"),
        ({"limit": "0"}, ""),
        ({"name": "a,c"}, "ac"),
        ({"name_ne": "a,c"}, "bd"),
        ({"stats.alive": "true"}, "bcd"),
        ({"position": "2"}, "bc"),
        ({"position_gt": "1"}, "bc"),
        ({"position_gte": "1"}, "abc"),
        ({"stats.bitrate_lt": "100"}, "d"),
        ({"stats.bitrate_lte": "100"}, "bd"),
        ({"name_gt": "b"}, "cd"),
        ({"position_gt": "x"}, ""),
        ({"title_like": "wo"}, "c"),
        ({"title_like": "WO"}, ""),
        ({"title_is": "null"}, "bd"),
        ({"title_is_not": "null"}, "ac"),
        ({"none": "null"}, "abcd"),
        ({"q": "one"}, "a"),
        ({"q": "UDP"}, "b"),
        ({"q": ""}, "abcd"),
    ],
)
def test_what_is_wanted(query: dict[str, str], expected: str) -> None:
    assert names(**query) == expected


@pytest.mark.parametrize(
    "query",
    [{"limit": "x"}, {"limit": "-1"}, {"limit": "1" * 20}, {"cursor": "x"}, {"cursor": "W10"}, {"a_is": "1"}, {"": "1"}]
    + [{"cursor": "W2ZhbHNlLFtbIisiLDAsMF1dXQ", "sort": "position"}, {"cursor": "W2ZhbHNlLFsxXV0"}, {"cursor": "é"}],
)
def test_what_is_wrong_is_400(query: dict[str, str]) -> None:
    try:
        page(ITEMS, query)
    except DvrError as error:
        assert error.status == 400 and set(error.source) == {"parameter"}


def test_select_keeps_the_name() -> None:
    assert page(ITEMS, {"select": "stats.alive,stats.bitrate,none.x", "name": "b"}).items == [
        {"name": "b", "stats": {"alive": True, "bitrate": 100}}
    ]
    assert page(ITEMS, {"select": "stats,stats.alive", "name": "b"}).items[0]["stats"]["bitrate"] == 100
    assert "bitrate" in ITEMS[0]["stats"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12), st.integers(1, 4), st.booleans())
def test_pages_give_everything_once_there_and_back(rows: list[tuple[int, int]], limit: int, down: bool) -> None:
    items = [{"name": f"{index:02}", "x": x or None, "y": str(y)} for index, (x, y) in enumerate(rows)]
    query = {"sort": "-x,y" if down else "x,-y", "limit": str(limit)}
    everything = page(items, {**query, "limit": "100"}).items
    there, seen = page(items, query), []
    seen += there.items
    pages = [there.items]
    while there.next:
        there = page(items, {**query, "cursor": there.next})
        seen += there.items
        pages.append(there.items)
    assert seen == everything and there.total == len(items)
    while there.prev:
        pages.pop()
        there = page(items, {**query, "cursor": there.prev})
        assert there.items == pages[-1]
    assert len(pages) <= 1
