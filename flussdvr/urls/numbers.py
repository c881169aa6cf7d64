"""
Numbers in URLs: moments and durations in seconds, as digits with up to nine behind the point; dates; counts.

Each is bounded before it is a number: what no calendar has is a `DvrError` that says so.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import MILLISECOND_DIGITS

MAX_MS = 253_402_300_799_000  # the end of the year 9999, where calendars stop


def bad(title: str) -> DvrError:
    return DvrError(Kind.BAD_REQUEST, "bad_request", title)


NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,9})?"
NUMBER_PATTERN = re.compile(NUMBER)
COUNT_PATTERN = re.compile(r"[0-9]{1,9}")


def milliseconds(text: str) -> int:
    if not NUMBER_PATTERN.fullmatch(text):
        raise bad(f"{text[:40]!r} is not a number of seconds")
    whole, _, fraction = text.partition(".")
    if len(whole) >= MILLISECOND_DIGITS:
        return int(whole)
    return int(whole) * 1000 + int((fraction + "000")[:3])


def moment(text: str) -> int:
    """A UTC moment in milliseconds."""
    ms = milliseconds(text)
    if ms > MAX_MS:
        raise bad(f"{text[:40]} is no moment of this calendar")
    return ms


def duration_of(text: str) -> int:
    ms = milliseconds(text)
    if not 0 < ms <= MAX_MS:
        raise bad(f"{text[:40]} is no duration")
    return ms


def window(groups: dict[str, Any]) -> dict[str, Any]:
    duration = None if groups["duration"] == "now" else duration_of(groups["duration"])
    from_ms = moment(groups["from"])
    if duration is not None:
        duration = min(duration, max(1, MAX_MS - from_ms))
    return {"from_ms": from_ms, "duration_ms": duration}


def calendar(groups: dict[str, Any]) -> int:
    try:
        fields = [int(groups[key]) for key in ("Y", "M", "D", "h", "m", "s")]
        moment = datetime(*fields, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        raise DvrError(Kind.NOT_FOUND, "not_found", "no such moment") from None
    fraction = groups.get("fraction") or ""
    return int(moment.timestamp()) * 1000 + int((fraction + "000")[:3])


def count_of(text: str) -> int:
    if not COUNT_PATTERN.fullmatch(text):
        raise bad(f"{text[:40]!r} is not a number")
    return int(text)
