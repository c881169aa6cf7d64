"""
Byte ranges and preconditions of a request, RFC 9110 §13 and §14.

One range is honoured: `0-499`, `500-`, `-500`. Several at once, which no player asks for, are answered with the whole
representation, as §14.2 allows; so is anything that is not well-formed.
"""

from __future__ import annotations

import re

from flussdvr.errors import DvrError, Kind

_ONE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,19})[ \t]*-[ \t]*([0-9]{0,19})", re.IGNORECASE)


def parse_range(header: str | None, length: int) -> tuple[int, int] | None:
    """
    `[start, stop)` of a body of `length` bytes, or `None` for all of it.

    Raises `DvrError` OUT_OF_RANGE if no byte of the body is asked for.
    """
    match = _ONE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(0, length - int(match[2])), length
    else:
        start, stop = int(match[1]), length
        if match[2] != "":
            if int(match[2]) < start:
                return None
            stop = min(length, int(match[2]) + 1)
    if start >= stop:
        raise DvrError(Kind.OUT_OF_RANGE, "range_not_satisfiable", f"the body has {length} bytes")
    return start, stop


def matches(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` (weak comparison) names this entity tag."""
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


def may_resume(header: str | None, etag: str | None) -> bool:
    """Whether `If-Range` allows a partial answer: absent, or strongly the same entity tag."""
    return header is None or (etag is not None and not etag.startswith("W/") and header.strip() == etag)
