# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The gate: every media request passes here, and gets its session or a refusal.

    request --> pass shown? --> session (passes)
            --> viewer (name, ip, proto, token, session_keys) --> verdict in force? --> session
                                                              no: asked once, however many requests wait

Live and the archive are permitted separately, as backends may allow one and not the other. What is not expressly
allowed is refused: a backend that fails, a verdict of another authority, an unknown kind of URL.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Protocol
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr.config.model import Config, StreamSettings
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.lru import Lru
from flussdvr.playback.sources import Streams as PlayedStreams
from flussdvr.threads import Worker
from flussdvr.web.address import client_address
from flussdvr.web.admission import protocol_of, session_id
from flussdvr.web.paths import LiveTs, MediaPath, Mp4Export, TimeshiftAbsTs, TimeshiftRelTs, TsExport
from flussdvr.web.sender import abort
from flussdvr.web.shown import shown
from flussdvr.web.site import DvrRequest
from flussdvr.web.viewers.asked import Asked, asked
from flussdvr.web.viewers.authority import MAX_TOKEN, Authority, Backend, Question, decide
from flussdvr.web.viewers.passes import Grant, Pass, granted
from flussdvr.web.viewers.sessions import PLAYBACK, Held, Session, Sessions
from flussdvr.web.viewers.verdict import DURATION_S, BackendFailed, Verdict, denied

RETRY_S = 30.0
"""How long a viewer who is in stays in while his backend fails, before it is asked again."""
FAILURE_S = 5.0
"""How long nobody new is let in after a backend has failed, before it is asked again."""
SWITCH_S = 30.0
"""With `soft_limitation`: how long the session that a viewer has left may still count."""
DENIALS = 50_000
KEPT = 300
"""Characters of a header or a query that a session remembers."""
LONG = (LiveTs, TimeshiftAbsTs, TimeshiftRelTs, TsExport, Mp4Export)
"""Answers that may last longer than a permission does."""


class Streams(PlayedStreams, Protocol):
    def settings(self, name: str) -> StreamSettings | None: ...


class Elsewhere(DvrError):
    """302: the backend sends the viewer to another server."""

    def __init__(self) -> None:
        super().__init__(Kind.DENIED, "redirected", "watch this elsewhere")

    @property
    def status(self) -> int:
        return 302


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever sent a request, as a session remembers him."""

    id: str
    name: str
    proto: str
    ip: str
    token: str
    user_agent: str
    referer: str
    query: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A verdict against a viewer of `name`; `authority` is `None` if an administrator has sent him away."""

    name: str
    verdict: Verdict
    authority: Authority | None
    expires_s: float


class ViewersGate:
    """
    `config()`: the configuration of this moment. `streams`: those that exist. `worker` is for long lists of them.
    `passes` are looked at in their order, before anybody is asked. `country(ip)`: "" for none, `None` for not known.
    """

    log = Logger()

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
        self._config = config
        self._streams = streams
        self._backend = backend
        self._clock = clock
        self._now_ms = now_ms
        self._passes = passes
        self._country = country
        self._key = secrets.token_bytes(32)
        self._refusals: Lru[tuple[str, bool], Refusal] = Lru(DENIALS)
        self._flights: dict[tuple[str, bool], list[Deferred[None]]] = {}
        self._restricted: tuple[Config, bool] | None = None

    # -- the gate -----------------------------------------------------------------------------------------------------

    async def admit(self, request: DvrRequest, parsed: MediaPath) -> tuple[Session, MediaPath]:
        """
        The session of this request, and the URL with the token that was made for a viewer without one.

        DvrError: DENIED; 302 with `Location` set; NOT_FOUND for a name that nobody knows.
        """
        config = self._config()
        authority, grant = await self._asked_of(config, request, parsed)
        viewer = self._viewer(config, authority, grant, request, parsed)
        held: Held | None = None
        if grant is not None:
            session = self._granted(viewer, grant, parsed)
        elif authority is None:
            session = self._unasked(viewer)
        else:
            if not parsed.parameter(config.auth_token):
                if config.no_auto_token:
                    raise DvrError(Kind.DENIED, "token_required", "a token is needed to watch this")
                parsed = replace(parsed, query=(*parsed.query, (config.auth_token, viewer.token)))
            session, held = await self._permitted(viewer, authority, request, parsed)
        self.sessions.seen(session)
        if not request.finished and not request._disconnected:
            self._watch(session, held, grant, viewer, request, parsed)
        return session, parsed

    async def _asked_of(
        self, config: Config, request: DvrRequest, parsed: MediaPath
    ) -> tuple[Authority | None, Grant | None]:
        """Who decides about a request, and what a pass has decided instead; neither: everybody may watch."""
        refusal: DvrError | None = None
        authority: Authority | None = None
        try:
            authority = self._authority(config, parsed.name)
        except DvrError as error:
            if error.kind is not Kind.DENIED:
                raise
            refusal = error
        everybody = authority is None and refusal is None
        grant = await granted(self._passes, request, parsed, everybody)
        if refusal is not None and grant is None:
            raise refusal
        return authority, grant

    def _authority(self, config: Config, name: str) -> Authority | None:
        """Who decides about viewers of a stream; `None` if everybody may watch."""
        settings = config.stream_for(name) or self._streams.settings(name)
        exists = self._streams.live(name) is not None or self._streams.archive(name) is not None
        if settings is None and exists and self._is_restricted(config):
            # Its own on_play has gone with its configuration, and it must not become public by that.
            raise DvrError(Kind.DENIED, "not_configured", "the stream is not configured any more")
        if settings is None or settings.on_play is None:
            if not exists:
                raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is no such stream", {"parameter": "name"})
            return None
        _, _, backend = settings.on_play.url.partition("://")
        is_lists = settings.on_play.url.lower().startswith("auth://")
        return Authority(settings.on_play, config.auth_backends.get(backend) if is_lists else None)

    def _is_restricted(self, config: Config) -> bool:
        """Whether any stream asks who watches it."""
        if self._restricted is None or self._restricted[0] is not config:
            streams = any(stream.on_play is not None for stream in config.streams.values())
            templates = any(template.values.get("on_play") is not None for template in config.templates.values())
            self._restricted = config, streams or templates
        return self._restricted[1]

    def _viewer(
        self, config: Config, authority: Authority | None, grant: Grant | None, request: DvrRequest, parsed: MediaPath
    ) -> Viewer:
        ip = client_address(request, config.trusted_proxies)
        proto, agent = protocol_of(parsed), _header(request, b"user-agent")
        token = parsed.parameter(config.auth_token) or ""
        if len(token) > MAX_TOKEN:
            raise DvrError(Kind.DENIED, "access_denied", "this is no token")
        settings = config.stream_for(parsed.name)
        names = {*config.session_keys, *((settings.session_keys or ()) if settings else ())}
        if authority is not None:
            names.update(authority.on_play.session_keys or ())
            token = token or self._made_token(parsed.name, ip, agent)
        headers = [name[7:].encode("latin-1", "replace") for name in sorted(names) if name.startswith("header.")]
        more = [_header(request, name) for name in headers]
        if grant is None:
            id = session_id(self._key.hex(), parsed.name, ip, proto, token, *more)
        else:
            token = ""
            id = session_id("pass" + self._key.hex(), parsed.name, ip, proto, grant.key, agent, *more)
        query = request.uri.partition(b"?")[2].decode("latin-1")
        return Viewer(id, parsed.name, proto, ip, token, agent, _header(request, b"referer"), query)

    def _made_token(self, name: str, ip: str, user_agent: str) -> str:
        """The same for every request of a viewer without one, so that all of them are one session."""
        return hmac.digest(self._key, "\0".join((name, ip, user_agent)).encode("utf-8", "replace"), "sha256").hex()[:40]

    def _unasked(self, viewer: Viewer, grant: Grant | None = None) -> Session:
        """The session of a viewer about whom nobody is asked."""
        refusal = self._refusal(viewer.id, False, None)
        if refusal is not None:
            raise _refused(refusal.verdict)
        session = self.sessions.get(viewer.id)
        return session if session is not None else self._open(viewer, grant)

    def _granted(self, viewer: Viewer, grant: Grant, parsed: MediaPath) -> Session:
        """The session of a viewer with a pass."""
        what = asked(parsed, self._now_ms(), self._live_since(parsed.name))
        session = self._unasked(viewer, grant)
        session.archive = Held(Verdict(True, spans=grant.spans), grant, inf)
        session.dvr = session.dvr or what.dvr
        return session

    async def _permitted(
        self, viewer: Viewer, authority: Authority, request: DvrRequest, parsed: MediaPath
    ) -> tuple[Session, Held]:
        """The session of a viewer who may have this, and by which verdict; DvrError DENIED or 302."""
        what = asked(parsed, self._now_ms(), self._live_since(parsed.name), request.path)
        dvr = what.dvr or (what.either and self._is_of_the_archive(viewer.id, authority))
        held = self._held(viewer.id, dvr, authority)
        if held is None:
            refusal = self._refusal(viewer.id, dvr, authority)
            if refusal is None:
                await self._asked_once(viewer, authority, what, dvr)
                held = self._held(viewer.id, dvr, authority)
                refusal = None if held is not None else self._refusal(viewer.id, dvr, authority)
            if held is None:
                self._redirect(request, refusal)
                raise _refused(refusal.verdict if refusal is not None else denied("access_denied", "not decided"))
        session = self.sessions.get(viewer.id)
        assert session is not None
        if what.span is not None:
            if not held.verdict.covers(what.span, what.partly):
                raise DvrError(Kind.DENIED, "archive_not_allowed", "you may not watch this part of the archive")
            session.dvr = True
        return session, held

    def _is_of_the_archive(self, id: str, authority: Authority) -> bool:
        """Whether a viewer has been allowed the archive, now or, if never live, before."""
        session = self.sessions.get(id)
        before = session is not None and session.archive is not None and session.live is None
        return before or self._held(id, True, authority) is not None

    def _redirect(self, request: DvrRequest, refusal: Refusal | None) -> None:
        if refusal is not None and refusal.verdict.location is not None:
            location = quote(refusal.verdict.location, safe="%/:?#[]@!$&'()*+,;=-._~")
            request.setHeader(b"location", location.encode("ascii"))
            raise Elsewhere()

    def _live_since(self, name: str) -> int | None:
        live = self._streams.live(name)
        if live is None or not live.window.segments:
            return None
        return live.window.segments[0].begin_ms

    def _held(self, id: str, dvr: bool, authority: Authority) -> Held | None:
        session = self.sessions.get(id)
        held = None if session is None else session.archive if dvr else session.live
        if held is None or held.authority != authority or self._clock.seconds() >= held.expires_s:
            return None
        return held

    def _refusal(self, id: str, dvr: bool, authority: Authority | None) -> Refusal | None:
        refusal = self._refusals.get((id, dvr))
        if refusal is None:
            return None
        if self._clock.seconds() < refusal.expires_s and refusal.authority in (None, authority):
            return refusal
        self._refusals.pop((id, dvr))
        return None

    # -- asking -------------------------------------------------------------------------------------------------------

    def _asked_once(self, viewer: Viewer, authority: Authority, what: Asked, dvr: bool) -> Deferred[None]:
        """Fires when it is decided. All who ask for the same meanwhile wait for the one answer."""
        key, mine = (viewer.id, dvr), Deferred[None]()
        waiting = self._flights.get(key)
        if waiting is not None:
            waiting.append(mine)
            return mine
        self._flights[key] = [mine]

        def landed(result: Any) -> None:
            for waiter in self._flights.pop(key):
                if not waiter.called:  # a client that has gone does not wait any more
                    waiter.callback(None)

        Deferred.fromCoroutine(self._ask(viewer, authority, what, dvr)).addBoth(landed)
        return mine

    async def _ask(self, viewer: Viewer, authority: Authority, what: Asked, dvr: bool) -> None:
        session = self.sessions.get(viewer.id)
        before = None if session is None else session.archive if dvr else session.live
        if before is not None and before.authority != authority:
            before = None
        question = self._question(viewer, session, what, dvr, before is not None)
        if session is not None:
            session.questions += 1
        try:
            verdict = await decide(authority, question, self._backend, self._now_ms)
        except BackendFailed:
            if before is not None:
                verdict = replace(before.verdict, duration_s=RETRY_S)
            elif authority.allow_default:
                verdict = Verdict(True, RETRY_S, max_sessions=authority.on_play.max_sessions)
            else:
                verdict = denied("authorization_unavailable", "nobody can be asked now", FAILURE_S)
        except Exception:
            self.log.failure("deciding about a viewer of {name}", name=viewer.name)
            verdict = denied("authorization_unavailable", "nobody can be asked now", FAILURE_S)
        self._decided(viewer, authority, verdict, dvr)

    def _decided(self, viewer: Viewer, authority: Authority, verdict: Verdict, dvr: bool) -> None:
        kicked = self._refusals.get((viewer.id, dvr))
        if kicked is not None and kicked.authority is None and self._clock.seconds() < kicked.expires_s:
            return  # sent away while it was decided
        user = verdict.user_id or viewer.token
        if verdict.allowed and self._too_many(viewer, user, verdict, authority):
            verdict = denied("too_many_sessions", "you are watching too much at the same time", verdict.duration_s)
        expires_s = self._clock.seconds() + verdict.duration_s
        if not verdict.allowed:
            self._refusals.put((viewer.id, dvr), Refusal(viewer.name, verdict, authority, expires_s), 1)
            self._withdraw(viewer.id, dvr)
            return
        self._refusals.pop((viewer.id, dvr))
        session = self.sessions.get(viewer.id)
        is_new = session is None
        if session is None:
            session = self._open(viewer)
            session.questions = 1
        session.user_id, session.max_sessions = verdict.user_id, verdict.max_sessions
        if verdict.user_id is not None or verdict.max_sessions is not None:
            self.sessions.belongs(session, user)
        held = Held(verdict, authority, expires_s)
        if dvr:
            session.archive = held
        else:
            session.live = held
        if not is_new:
            self.sessions.tell("play_updated", session)

    def _withdraw(self, id: str, dvr: bool) -> None:
        """What was allowed is not any more."""
        session = self.sessions.get(id)
        if session is None:
            return
        if dvr:
            session.archive = None
        else:
            session.live = None
        if session.live is None and session.archive is None:
            self.sessions.close(session, "denied")

    def _question(self, viewer: Viewer, session: Session | None, what: Asked, dvr: bool, again: bool) -> Question:
        age_s = 0 if session is None else (self._now_ms() - session.opened_ms) // 1000
        parameters = [
            ("name", viewer.name),
            ("proto", viewer.proto),
            ("ip", viewer.ip),
            ("token", viewer.token),
            ("session_id", viewer.id),
            ("request_type", "update_session" if again else "new_session"),
            ("request_number", str(0 if session is None else session.questions)),
            ("stream_clients", str(self.sessions.online(viewer.name))),
            ("total_clients", str(len(self.sessions))),
            ("duration", str(age_s)),
            ("bytes", str(0 if session is None else session.bytes)),
            ("dvr", "true" if dvr else "false"),
            ("media_request", what.media_request),
            ("type", viewer.proto),
            ("qs", viewer.query),
        ]
        country = self._country(viewer.ip)
        optional = (("user_agent", viewer.user_agent), ("referer", viewer.referer), ("country", country or ""))
        parameters += [pair for pair in optional if pair[1]]
        return Question(viewer.name, viewer.ip, viewer.token, viewer.user_agent, tuple(parameters), country)

    def _open(self, viewer: Viewer, grant: Grant | None = None) -> Session:
        now = self._now_ms()
        session = Session(viewer.id, viewer.name, viewer.proto, now, now, viewer.ip, viewer.token)
        session.user_agent = viewer.user_agent[:KEPT]
        session.referer = shown(viewer.referer.encode("utf-8", "replace"))[:KEPT]
        session.query, session.country = viewer.query[:KEPT], self._country(viewer.ip)
        if grant is not None:
            session.pass_key, session.user_id = grant.key, grant.user_id
        self.sessions.add(session)
        return session

    # -- how much at the same time ------------------------------------------------------------------------------------

    def _too_many(self, viewer: Viewer, user: str, verdict: Verdict, authority: Authority) -> bool:
        """Whether a new session is one too many. With `soft_limitation` an older one will have to go instead."""
        limit = verdict.max_sessions
        if limit is None or viewer.proto not in PLAYBACK:
            return False
        others = [one for one in self.sessions.of_user(user) if one.proto in PLAYBACK and one.id != viewer.id]
        session = self.sessions.get(viewer.id)
        if (session is not None and session.user == user) or len(others) < limit:
            return False
        if authority.on_play.soft_limitation and limit > 0:
            self._clock.callLater(SWITCH_S, self._enforce, user, limit)
            return False
        return True

    def _enforce(self, user: str, limit: int) -> None:
        now = self._clock.seconds()
        playing = [one for one in self.sessions.of_user(user) if one.proto in PLAYBACK]
        playing = [one for one in playing if one.answering or now - one.used_s < SWITCH_S]
        for session in sorted(playing, key=lambda one: one.opened_ms)[: max(0, len(playing) - limit)]:
            self.send_away(session, "too_many_sessions")

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
            Deferred.fromCoroutine(check()).addErrback(lambda _: abort(request))

        async def check() -> None:
            if grant is not None:
                wait(None, await self._granted_still(grant, request, parsed))
                return
            authority = self._authority(self._config(), viewer.name)
            if authority is None:
                self._unasked(viewer)
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

        request.on_sent = lambda count: self.sessions.sent(session, count)
        self.sessions.answer(session, request, again)
        if isinstance(parsed, LONG):
            request.notifyFinish().addBoth(over)
            wait(held, grant)

    async def _granted_still(self, before: Grant, request: DvrRequest, parsed: MediaPath) -> Grant:
        """What the pass that an answer began with grants now; DvrError DENIED if it is nothing."""
        grant = await granted(self._passes, request, parsed)
        if grant is None or grant.key != before.key:
            raise DvrError(Kind.DENIED, "pass_ended", "what let you in does not hold any more")
        return grant

    # -- the administrator --------------------------------------------------------------------------------------------

    def send_away(self, session: Session, reason: str = "kicked") -> None:
        """End a session: what is being answered is broken off, and its next request is refused."""
        verdict = denied("session_closed", "this session has been ended")
        for dvr in (False, True):
            refusal = Refusal(session.name, verdict, None, self._clock.seconds() + self._ban_s(session))
            self._refusals.put((session.id, dvr), refusal, 1)
        self.sessions.close(session, reason)

    @staticmethod
    def _ban_s(session: Session) -> float:
        held = session.live or session.archive
        return held.verdict.duration_s if held is not None else DURATION_S

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
        refused = [
            key
            for key, refusal in self._refusals.items()
            if name in (None, refusal.name) and refusal.authority is not None
        ]
        for key in refused:
            self._refusals.pop(key)
        count = len({id for id, _ in refused if self.sessions.get(id) is None})
        for session in list(self.sessions):
            if name is not None and session.name != name:
                continue
            count += 1
            for held in ("live", "archive"):
                if (one := getattr(session, held)) is not None:
                    setattr(session, held, replace(one, expires_s=0.0))
            for again in list((session.answering or {}).values()):
                again()
        return count


def _header(request: DvrRequest, name: bytes) -> str:
    return (request.getHeader(name) or b"").decode("utf-8", "replace")


def _refused(verdict: Verdict) -> DvrError:
    return DvrError(Kind.DENIED, verdict.code, verdict.title)
