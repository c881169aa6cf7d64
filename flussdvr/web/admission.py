# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The gate: every viewer's request passes here once, and gets its session.

    request --(name, address, protocol, token)--> session id, 40 hex digits --> X-Session

This gate lets everybody in. One that asks a backend has the same method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Protocol

from flussdvr.playback.lru import Lru
from flussdvr.web.paths import LiveTs, MediaPath, Mp4Export, Picture, TimeshiftAbsTs, TimeshiftRelTs, TsExport
from flussdvr.web.site import DvrRequest

SESSIONS = 100_000
IDLE_MS = 600_000
"""A session that asks for nothing this long has ended; the next request begins another."""
REMEMBERED = 32


@dataclass(slots=True)
class Session:
    """One viewer's playback of one stream. `opened_ms`, `seen_ms`: wall clock of the first and the last request."""

    id: str
    name: str
    proto: str
    opened_ms: int
    seen_ms: int
    _timeshifts: dict[int, int] = field(default_factory=dict)

    def timeshift_opened(self, from_ms: int, now_ms: int) -> int:
        """When this viewer first asked for `timeshift_abs-F` of this F."""
        if len(self._timeshifts) >= REMEMBERED and from_ms not in self._timeshifts:
            self._timeshifts.pop(next(iter(self._timeshifts)))
        return self._timeshifts.setdefault(from_ms, now_ms)


class Admission(Protocol):
    async def admit(self, request: DvrRequest, parsed: MediaPath) -> Session:
        """The session of this request; raises `DvrError` DENIED."""
        ...


class Everybody:
    """Lets everybody in. `now_ms`: the wall clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._sessions: Lru[str, Session] = Lru(SESSIONS)

    async def admit(self, request: DvrRequest, parsed: MediaPath) -> Session:
        now = self._now_ms()
        key = session_id(parsed.name, peer_of(request), protocol_of(parsed), parsed.parameter("token") or "")
        session = self._sessions.get(key)
        if session is None or now - session.seen_ms > IDLE_MS:
            session = Session(key, parsed.name, protocol_of(parsed), now, now)
            self._sessions.put(key, session, 1)
        session.seen_ms = now
        return session


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
