"""
`ranges.json`: what of a stream is recorded, in the JSON of the API's `dvr/ranges`, for viewers.

The vendor's player asks for it every few seconds for as long as it is open, and once more without a window to fill its
calendar; so an answer is bounded, and `resolution` keeps the ranges few that it draws.
"""

from __future__ import annotations

import json

from flussdvr.timeline import Range, RangeSet
from flussdvr.urls.numbers import MAX_MS
from flussdvr.urls.values import RangeList
from flussdvr.web.api.range_page import range_page

LIMIT = 10_000
"""Ranges in one answer; `next` leads to more."""


def range_list(recorded: RangeSet, parsed: RangeList) -> bytes:
    """
    The answer as JSON: `ranges` of `from` and `duration` (seconds), `opened_at` and `closed_at` (milliseconds).

    Pure; DvrError BAD_REQUEST for a cursor that is none.
    """
    begin_ms = max(0, (parsed.closed_from_ms or 0) - parsed.resolution_ms - 1)  # what ends there is wanted, too
    end_ms = parsed.opened_until_ms if parsed.opened_until_ms is not None else MAX_MS
    near = recorded.overlapping(Range(begin_ms, max(begin_ms, min(MAX_MS, end_ms + parsed.resolution_ms)) + 1))
    query = {"limit": str(LIMIT if parsed.limit is None else min(parsed.limit, LIMIT))}
    if parsed.closed_from_ms is not None:
        query["closed_at_gte"] = str(parsed.closed_from_ms)
    if parsed.opened_until_ms is not None:
        query["opened_at_lte"] = str(parsed.opened_until_ms)
    if parsed.cursor is not None:
        query["cursor"] = parsed.cursor
    found = range_page(near.joined(parsed.resolution_ms), query)
    return json.dumps(found.document("ranges")).encode() + b"\n"
