"""
Moments and ranges in requests: `from` and `duration`, in the body or in the query.

Seconds of UTC; a number of 12 digits or more is milliseconds; fractions of a second are possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import MILLISECOND_DIGITS, Range
from flussdvr.web.api.router import Call

MAX_MS = 1 << 52


def window(call: Call) -> Range:
    """The range of a request. DvrError BAD_REQUEST: missing in both places, or no range."""
    given: Mapping[str, Any] = call.body if isinstance(call.body, dict) and call.body else call.query
    begin_ms, duration_ms = moment(given, "from"), moment(given, "duration")
    if duration_ms <= 0:
        raise _bad("duration", "expected more than nothing")
    return Range(begin_ms, min(begin_ms + duration_ms, MAX_MS))


def moment(given: Mapping[str, Any], name: str) -> int:
    """One of these numbers in milliseconds. DvrError BAD_REQUEST."""
    value = given.get(name)
    if value is None:
        raise DvrError(Kind.BAD_REQUEST, "missing_parameter", f"{name} is missing", {"parameter": name})
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _bad(name, "expected a number") from None
    if isinstance(value, bool) or not math.isfinite(seconds) or not 0 <= seconds < MAX_MS:
        raise _bad(name, "expected a number of seconds")
    whole = 10 ** (MILLISECOND_DIGITS - 1)
    if seconds >= whole:
        return int(seconds)
    return round(seconds * 1000)


def _bad(name: str, title: str) -> DvrError:
    return DvrError(Kind.BAD_REQUEST, "invalid_parameter", f"{name}: {title}", {"parameter": name})


def document(item: Range) -> dict[str, int]:
    """A range with all four fields: whole seconds (rounded outwards) for old clients, milliseconds for new ones."""
    begin, end = item.begin_ms // 1000, -(-item.end_ms // 1000)
    return {"from": begin, "duration": end - begin, "opened_at": item.begin_ms, "closed_at": item.end_ms}


def documents(ranges: Iterable[Range]) -> list[dict[str, int]]:
    return [document(item) for item in ranges]
