# -*- test-case-name: tests.test_json_text -*-
"""
JSON that was written by somebody else, or long ago: read within bounds.

Python's parser recurses, converts numbers of any length and knows NaN; a reader of stored rows and files wants none of
that to end what it does.
"""

from __future__ import annotations

import json
import re

MAX_DEPTH = 64
_BRACKET = re.compile(r"[\[\]{}]")


def parse_json(text: str | bytes, limit: int) -> object:
    """
    The value of a JSON text. ValueError where it is none, is longer than `limit`, or nests deeper than `MAX_DEPTH`.

    NaN and infinities, which are not JSON, are ValueError too (RFC 8259 section 6).
    """
    if len(text) > limit:
        raise ValueError(f"{len(text)} characters of JSON, at most {limit} are read")
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"JSON nests deeper than {MAX_DEPTH}")
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _depth(text: str) -> int:
    """How deep the brackets nest; those inside strings do not count."""
    depth = deepest = 0
    for number, part in enumerate(text.replace("\\\\", "").replace('\\"', "").split('"')):
        if number % 2:
            continue
        for bracket in _BRACKET.findall(part):
            depth += 1 if bracket in "[{" else -1
            deepest = max(deepest, depth)
    return deepest
