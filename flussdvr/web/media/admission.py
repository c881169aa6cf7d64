# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The gate: every viewer's request passes here once, and gets its session.

    request --(name, address, protocol, token)--> session id, 40 hex digits --> X-Session

`viewers.gate` is the one that asks who may watch; the one here lets everybody in.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Protocol

from flussdvr.access.sessions import Session
from flussdvr.caching.lru import Lru
from flussdvr.urls.values import LiveTs, MediaPath, Mp4Export, Picture, TimeshiftAbsTs, TimeshiftRelTs, TsExport
from flussdvr.web.http.site import DvrRequest

SESSIONS = 100_000
IDLE_MS = 600_000
"""A session that asks for nothing this long has ended; the next request begins another."""


class Admission(Protocol):
    async def admit(self, request: DvrRequest, parsed: MediaPath) -> tuple[Session, MediaPath]:
        """The session of this request, and its URL with the viewer's token; raises `DvrError`."""
        ...


class Everybody:
    """Lets everybody in. `now_ms`: the wall clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._sessions: Lru[str, Session] = Lru(SESSIONS)

    async def admit(self, request: DvrRequest, parsed: MediaPath) -> tuple[Session, MediaPath]:
        now = self._now_ms()
        key = session_id(parsed.name, peer_of(request), protocol_of(parsed), parsed.parameter("token") or "")
        session = self._sessions.get(key)
        if session is None or now - session.seen_ms > IDLE_MS:
            session = Session(key, parsed.name, protocol_of(parsed), now, now)
            self._sessions.put(key, session, 1)
        session.seen_ms = now
        return session, parsed


def session_id(*keys: str) -> str:
    return sha1("\0".join(keys).encode("utf-8", "surrogatepass")).hexdigest()


def peer_of(request: DvrRequest) -> str:
    return str(getattr(request.getClientAddress(), "host", ""))


def protocol_of(parsed: MediaPath) -> str:
    """The protocol in the words of the event and session schemas."""
    match parsed:
        case Mp4Export() | TsExport():
            return "download"
        case LiveTs() | TimeshiftAbsTs() | TimeshiftRelTs():
            return "tshttp"
        case Picture(kind=kind):
            return "jpeg" if kind == "jpg" else "mp4"
        case _:
            return "hls"
