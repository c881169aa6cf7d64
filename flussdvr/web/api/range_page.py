"""
Pages of ranges, without a look at those that are not on the page.

Ranges lie in order and do not overlap, so filters on `opened_at` and `closed_at`, cursors and limits are positions
found by bisection. Anything else (`sort`, `select`, other filters) is done by `listing.page` over all of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from flussdvr.timeline import Range, RangeSet
from flussdvr.web.api.listing import Page, decode_cursor, encode_cursor, page, read_limit
from flussdvr.web.api.moments import document, documents

_FILTERS = {f"{field}_{test}" for field in ("opened_at", "closed_at") for test in ("gt", "gte", "lt", "lte")}


def range_page(ranges: RangeSet, query: Mapping[str, str], other: Iterable[str] = ()) -> Page:
    """As `listing.page` of their documents, by `opened_at`. DvrError BAD_REQUEST."""
    fast = all(
        name in _FILTERS and _is_number(text) for name, text in query.items() if name not in ("limit", "cursor", *other)
    )
    if not fast:
        return page(documents(ranges), query, key="opened_at", other=other)
    first, stop = _wanted(ranges, query)
    total, limit = stop - first, read_limit(query.get("limit"))
    begin, end = first, min(first + limit, stop)
    if cursor := query.get("cursor"):
        key, backward = decode_cursor(cursor)
        at = key[0][1] if len(key) == 1 and isinstance(key[0][1], int) else 0
        if backward:
            end = max(first, min(stop, bisect_left(ranges, at, key=_begin)))
            begin = max(first, end - limit)
        else:
            begin = max(first, min(stop, bisect_right(ranges, at, key=_begin)))
            end = min(begin + limit, stop)
    following = encode_cursor([(1, ranges[end - 1].begin_ms)], False) if begin < end < stop else None
    previous = encode_cursor([(1, ranges[begin].begin_ms)], True) if first < begin < end else None
    return Page([document(item) for item in ranges[begin:end]], total, following, previous)


def _wanted(ranges: RangeSet, query: Mapping[str, str]) -> tuple[int, int]:
    first, stop = 0, len(ranges)
    for name in _FILTERS.intersection(query):
        field, _, test = name.rpartition("_")
        value, key = float(query[name]), _begin if field == "opened_at" else _end
        at = (bisect_right if test in ("gt", "lte") else bisect_left)(ranges, value, key=key)
        first, stop = (max(first, at), stop) if test in ("gt", "gte") else (first, min(stop, at))
    return first, max(first, stop)


def _begin(item: Range) -> int:
    return item.begin_ms


def _end(item: Range) -> int:
    return item.end_ms


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
