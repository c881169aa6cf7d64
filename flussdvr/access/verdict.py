"""
What was decided about a viewer, and how long it holds.

    200   yes; X-AuthDuration X-UserId X-Max-Sessions X-Unique
          body, if it is JSON: {"allowed_dvr_ranges": [{"opened_at", "closed_at"}]}
    302   go to Location instead
    4xx   no
    else  the backend has failed, nothing is decided
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flussdvr.timeline import Range

DURATION_S = 180
"""How long a verdict holds if its backend does not say."""
LONGEST_S = 7 * 86_400
FOREVER_MS = 1 << 52

Spans = tuple[tuple[int, int], ...]


class BackendFailed(Exception):
    """A backend that can't be reached, is late, or whose answer is none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a backend; names of `headers` in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    `duration_s`: holds this long. `max_sessions`: of this user at the same time. `spans`: of the archive, in
    milliseconds, the end excluded; `None` is all of it. `location`: where to go instead. `code`, `title`: why not.
    """

    allowed: bool
    duration_s: float = DURATION_S
    user_id: str | None = None
    max_sessions: int | None = None
    spans: Spans | None = None
    location: str | None = None
    code: str = "access_denied"
    title: str = "you may not watch this"

    def covers(self, span: Range, partly: bool) -> bool:
        """Whether this part of the archive is allowed: all of it, or `partly` some."""
        if self.spans is None:
            return True
        if partly:
            return any(begin < span.end_ms and span.begin_ms < end for begin, end in self.spans)
        return any(begin <= span.begin_ms and span.end_ms <= end for begin, end in self.spans)


def denied(code: str, title: str, duration_s: float = DURATION_S) -> Verdict:
    return Verdict(False, duration_s, code=code, title=title)


def read_verdict(reply: Reply, max_sessions: int | None = None) -> Verdict:
    """What a backend has said; `max_sessions` if it says nothing of that. Raises `BackendFailed`."""
    duration_s = _duration(reply.headers.get("x-authduration"))
    if reply.status == 200:
        if reply.headers.get("x-unique", "").strip().lower() in ("1", "true"):
            max_sessions = 1
        told = _number(reply.headers.get("x-max-sessions"))
        user = reply.headers.get("x-userid", "").strip()[:200] or None
        return Verdict(True, duration_s, user, told if told is not None else max_sessions, _spans(reply))
    location = reply.headers.get("location", "")
    if reply.status == 302 and location:
        return Verdict(False, duration_s, location=location[:4000], code="redirected", title="watch this elsewhere")
    if 400 <= reply.status < 500:
        return Verdict(False, duration_s)
    raise BackendFailed(f"status {reply.status}")


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _duration(text: str | None) -> int:
    found = _number(text)
    return DURATION_S if found is None else min(max(1, found), LONGEST_S)


def _spans(reply: Reply) -> Spans | None:
    """Of the body, if it is JSON and says anything of them. What can't be understood allows nothing."""
    if not reply.body.lstrip().startswith(b"{"):
        return None
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise BackendFailed("its JSON is broken") from None
    ranges = document.get("allowed_dvr_ranges")
    if ranges is None and "allowed_dvr_ranges" not in document:
        return None
    if not isinstance(ranges, list):
        return ()
    return _joined(span for span in map(_span, ranges[:10_000]) if span is not None)


def _span(entry: Any) -> tuple[int, int] | None:
    if not isinstance(entry, dict):
        return None
    begin, end = _ms(entry.get("opened_at")), _ms(entry.get("closed_at", FOREVER_MS // 1000))
    return (begin, end) if begin is not None and end is not None and begin < end else None


def _ms(seconds: Any) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return None
    return int(min(max(0, seconds), FOREVER_MS // 1000) * 1000)


def _joined(spans: Any) -> Spans:
    """In order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return tuple(joined)
