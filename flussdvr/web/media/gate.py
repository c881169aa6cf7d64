# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The gate: every media request passes here, and gets its session or a refusal.

    request --> pass shown? --> session (passes)
            --> viewer --> in force, or asked --> session (decisions)

An answer is watched while it lasts: its bytes are counted, and a long one is broken off when it is not permitted any
more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from flussdvr.access.auth_request import Asked, asked
from flussdvr.access.authorities import Authorities, Streams
from flussdvr.access.authority import Authority, Backend
from flussdvr.access.decisions import Decisions, Elsewhere
from flussdvr.access.grant import Grant
from flussdvr.access.protocols import check_protocol
from flussdvr.access.sessions import Held, Session, Sessions
from flussdvr.access.verdict import DURATION_S, Verdict
from flussdvr.access.viewer import Viewer
from flussdvr.config.model import Config
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Worker
from flussdvr.urls.values import LiveTs, MediaPath, Mp4Export, TimeshiftAbsTs, TimeshiftRelTs, TsExport
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.media.passes import Pass, granted
from flussdvr.web.media.viewer import Viewers

LONG = (LiveTs, TimeshiftAbsTs, TimeshiftRelTs, TsExport, Mp4Export)
"""Answers that may last longer than a permission does."""


class ViewersGate:
    """
    `config()`: the configuration of this moment. `streams`: those that exist. `worker` is for long lists of them.
    `passes` are looked at in their order, before anybody is asked. `country(ip)`: "" for none, `None` for not known.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        streams: Streams,
        sessions: Sessions,
        backend: Backend,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        worker: Worker | None = None,
        passes: Sequence[Pass] = (),
        country: Callable[[str], str | None] = lambda ip: None,
    ) -> None:
        self.sessions = sessions
        self.worker = worker
        self.decisions = Decisions(sessions, backend, clock, now_ms, country)
        self._config = config
        self._streams = streams
        self._clock = clock
        self._now_ms = now_ms
        self._passes = passes
        self._authorities = Authorities(config, streams)
        self._viewers = Viewers()

    async def admit(self, request: DvrRequest, parsed: MediaPath) -> tuple[Session, MediaPath]:
        """
        The session of this request, and the URL with the token that was made for a viewer without one.

        DvrError: DENIED; 302 with `Location` set; NOT_FOUND for a name that nobody knows.
        """
        config = self._config()
        authority, grant = await self._asked_of(request, parsed)
        check_protocol(parsed, self._authorities.protocols(parsed.name))
        viewer = self._viewers.of(request, parsed, config, authority, grant)
        held: Held | None = None
        if grant is not None:
            session = self._granted(viewer, grant, parsed)
        elif authority is None:
            session = self.decisions.unasked(viewer)
            session.dvr = session.dvr or self._what(parsed).dvr
        else:
            if not parsed.parameter(config.auth_token):
                if config.no_auto_token:
                    raise DvrError(Kind.DENIED, "token_required", "a token is needed to watch this")
                parsed = replace(parsed, query=(*parsed.query, (config.auth_token, viewer.token)))
            try:
                session, held = await self._permitted(viewer, authority, request, parsed)
            except Elsewhere as elsewhere:
                location = quote(elsewhere.location, safe="%/:?#[]@!$&'()*+,;=-._~")
                request.setHeader(b"location", location.encode("ascii"))
                raise
        self.sessions.seen(session)
        if not request.finished and not request._disconnected:
            self._watch(session, held, grant, viewer, request, parsed)
        return session, parsed

    async def _asked_of(self, request: DvrRequest, parsed: MediaPath) -> tuple[Authority | None, Grant | None]:
        """Who decides about a request, and what a pass has decided instead; neither: everybody may watch."""
        refusal: DvrError | None = None
        authority: Authority | None = None
        try:
            authority = self._authorities.of(parsed.name)
        except DvrError as error:
            if error.kind is not Kind.DENIED:
                raise
            refusal = error
        everybody = authority is None and refusal is None
        grant = await granted(self._passes, request, parsed, everybody)
        if refusal is not None and grant is None:
            raise refusal
        return authority, grant

    def _granted(self, viewer: Viewer, grant: Grant, parsed: MediaPath) -> Session:
        """The session of a viewer with a pass."""
        what = self._what(parsed)
        session = self.decisions.unasked(viewer, grant)
        session.archive = Held(Verdict(True, spans=grant.spans), grant, inf)
        session.dvr = session.dvr or what.dvr
        return session

    async def _permitted(
        self, viewer: Viewer, authority: Authority, request: DvrRequest, parsed: MediaPath
    ) -> tuple[Session, Held]:
        return await self.decisions.permitted(viewer, authority, self._what(parsed, request.path))

    def _what(self, parsed: MediaPath, path: bytes = b"") -> Asked:
        live = self._streams.live(parsed.name)
        since_ms = live.window.segments[0].begin_ms if live is not None and live.window.segments else None
        return asked(parsed, self._now_ms(), since_ms, path)

    # -- requests that last -------------------------------------------------------------------------------------------

    def _watch(
        self,
        session: Session,
        held: Held | None,
        grant: Grant | None,
        viewer: Viewer,
        request: DvrRequest,
        parsed: MediaPath,
    ) -> None:
        """While it is being answered: count its bytes; break it off when it is not permitted any more."""
        timer: Any = None

        def again() -> None:
            Deferred.fromCoroutine(check()).addErrback(lambda _: request.break_off())

        async def check() -> None:
            check_protocol(parsed, self._authorities.protocols(parsed.name))
            if grant is not None:
                wait(None, await self._granted_still(grant, request, parsed))
                return
            authority = self._authorities.of(viewer.name)
            if authority is None:
                self.decisions.unasked(viewer)
                wait(None)
            else:
                wait((await self._permitted(viewer, authority, request, parsed))[1])

        def wait(held: Held | None, grant: Grant | None = None) -> None:
            nonlocal timer
            over(None)
            if session.answering and request in session.answering:
                left_s: float = DURATION_S
                if held is not None:
                    left_s = held.expires_s - self._clock.seconds()
                elif grant is not None and grant.expires_ms is not None:
                    left_s = min(left_s, (grant.expires_ms - self._now_ms()) / 1000)
                timer = self._clock.callLater(max(0.1, left_s), again)

        def over(_: Any) -> None:
            if timer is not None and timer.active():
                timer.cancel()

        request.facts.on_sent = lambda count: self.sessions.sent(session, count)
        request.facts.on_lost = lambda count: self.sessions.lost(session, count)
        self.sessions.answer(session, request, again)
        if isinstance(parsed, LONG):
            request.notifyFinish().addBoth(over)
            wait(held, grant)

    async def _granted_still(self, before: Grant, request: DvrRequest, parsed: MediaPath) -> Grant:
        """
        What the pass that an answer began with grants now; DvrError DENIED if it is nothing.

        What else the request shows must not end it if it did not keep it from beginning: a link of another stream
        says nothing about one that is open to all.
        """
        _, grant = await self._asked_of(request, parsed)
        if grant is None or grant.key != before.key:
            raise DvrError(Kind.DENIED, "pass_ended", "what let you in does not hold any more")
        return grant

    # -- the administrator --------------------------------------------------------------------------------------------

    def send_away(self, session: Session) -> None:
        """End a session: what is being answered is broken off, and its next request is refused."""
        self.decisions.send_away(session)

    def withdraw(self, key: str) -> int:
        """A pass holds no more: end the sessions of its `Grant.key`; how many there were. The pass refuses the next."""
        found = [session for session in self.sessions if session.pass_key == key]
        for session in found:
            self.sessions.close(session, "denied")
        return len(found)

    def reauthorize(self, name: str | None) -> int:
        """
        Have the viewers of a stream (`None`: all) decided anew at their next request, and those who were refused;
        how many they are. Who was sent away stays away.
        """
        return self.decisions.reauthorize(name)
