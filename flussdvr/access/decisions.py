"""
What has been decided about viewers: verdicts in force, refusals, and questions on their way.

    viewer --> in force? --> session
               refused?  --> DvrError
               neither   --> asked once, however many requests wait --> one of the two

Live and the archive are decided separately, as backends may allow one and not the other. What is not expressly allowed
is refused: a backend that fails, a verdict of another authority.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.access.auth_request import Asked
from flussdvr.access.authority import Authority, Backend, Question, decide
from flussdvr.access.grant import Grant
from flussdvr.access.sessions import PLAYBACK, Held, Session, Sessions
from flussdvr.access.verdict import DURATION_S, BackendFailed, Verdict, denied
from flussdvr.access.viewer import Viewer
from flussdvr.caching.lru import Lru
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.viewers import PlayUpdated
from flussdvr.logs.redaction import LONGEST, redact_url

RETRY_S = 30.0
"""How long a viewer who is in stays in while their backend fails, before it is asked again."""
FAILURE_S = 5.0
"""How long nobody new is let in after a backend has failed, before it is asked again."""
SWITCH_S = 30.0
"""With `soft_limitation`: how long the session that a viewer has left may still count."""
DENIALS = 50_000
ASKED_ANEW = 3
"""How often a question is put again because viewers were to be decided anew meanwhile."""
KEPT = 300
"""Characters of a header or a query that a session remembers."""


class Elsewhere(DvrError):
    """302: the backend sends the viewer to `location`, on another server."""

    def __init__(self, location: str) -> None:
        super().__init__(Kind.DENIED, "redirected", "watch this elsewhere")
        self.location = location

    @property
    def status(self) -> int:
        return 302


@dataclass(frozen=True, slots=True)
class Refusal:
    """A verdict against a viewer of `name`; `authority` is `None` if an administrator has sent them away."""

    name: str
    verdict: Verdict
    authority: Authority | None
    expires_s: float


class Decisions:
    """`country(ip)`: "" for none, `None` for not known."""

    log = Logger()

    def __init__(
        self,
        sessions: Sessions,
        backend: Backend,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        country: Callable[[str], str | None],
    ) -> None:
        self.country = country
        self._sessions = sessions
        self._backend = backend
        self._clock = clock
        self._now_ms = now_ms
        self._refusals: Lru[tuple[str, bool], Refusal] = Lru(DENIALS)
        self._flights: dict[tuple[str, bool], list[Deferred[None]]] = {}
        self._anew = 0

    # -- what holds ---------------------------------------------------------------------------------------------------

    def unasked(self, viewer: Viewer, grant: Grant | None = None) -> Session:
        """The session of a viewer about whom nobody is asked; DvrError DENIED if they have been sent away."""
        refusal = self._refusal(viewer.id, False, None)
        if refusal is not None:
            raise _refused(refusal.verdict)
        session = self._sessions.get(viewer.id)
        if session is None:  # a token that nobody looks at may be anything, as often as somebody likes
            session = self._open(replace(viewer, token=viewer.token[:KEPT]), grant)
        return session

    async def permitted(self, viewer: Viewer, authority: Authority, what: Asked) -> tuple[Session, Held]:
        """The session of a viewer who may have this, and by which verdict. DvrError DENIED; `Elsewhere`."""
        dvr = what.dvr or (what.either and self._is_of_the_archive(viewer.id, authority))
        held = self._held(viewer.id, dvr, authority)
        if held is None:
            refusal = self._refusal(viewer.id, dvr, authority)
            if refusal is None:
                await self._asked_once(viewer, authority, what, dvr)
                held = self._held(viewer.id, dvr, authority)
                refusal = None if held is not None else self._refusal(viewer.id, dvr, authority)
            if held is None:
                raise _refused(refusal.verdict if refusal is not None else denied("access_denied", "not decided"))
        session = self._sessions.get(viewer.id)
        assert session is not None
        if what.span is not None:
            if not held.verdict.covers(what.span, what.partly):
                raise DvrError(Kind.DENIED, "archive_not_allowed", "you may not watch this part of the archive")
            session.dvr = True
        return session, held

    def _is_of_the_archive(self, id: str, authority: Authority) -> bool:
        """Whether a viewer has been allowed the archive, now or, if never live, before."""
        session = self._sessions.get(id)
        before = session is not None and session.archive is not None and session.live is None
        return before or self._held(id, True, authority) is not None

    def _held(self, id: str, dvr: bool, authority: Authority) -> Held | None:
        session = self._sessions.get(id)
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
            if isinstance(result, Failure):
                self.log.failure("asking about {name}", result, name=viewer.name)
            for waiter in self._flights.pop(key):
                if not waiter.called:  # a client that has gone does not wait any more
                    waiter.callback(None)

        Deferred.fromCoroutine(self._ask(viewer, authority, what, dvr)).addBoth(landed)
        return mine

    async def _ask(self, viewer: Viewer, authority: Authority, what: Asked, dvr: bool) -> None:
        verdict = denied("authorization_unavailable", "nobody can be asked now", FAILURE_S)
        for _ in range(1 + ASKED_ANEW):
            anew = self._anew
            session = self._sessions.get(viewer.id)
            before = None if session is None else session.archive if dvr else session.live
            if before is not None and before.authority != authority:
                before = None
            question = self._question(viewer, session, what, dvr, before is not None)
            if session is not None:
                session.questions += 1
            verdict = await self._answer(authority, question, before)
            if anew == self._anew:
                break  # else this was answered before whatever is to be looked at anew
        self._decided(viewer, authority, verdict, dvr)

    async def _answer(self, authority: Authority, question: Question, before: Held | None) -> Verdict:
        """`before`: what holds or has held until now, and goes on while nobody answers."""
        try:
            return await decide(authority, question, self._backend, self._now_ms)
        except BackendFailed:
            if before is not None:
                return replace(before.verdict, duration_s=RETRY_S)
            if authority.allow_default:
                return Verdict(True, RETRY_S, max_sessions=authority.on_play.max_sessions)
        except Exception:
            self.log.failure("deciding about a viewer of {name}", name=question.name)
        return denied("authorization_unavailable", "nobody can be asked now", FAILURE_S)

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
        session = self._sessions.get(viewer.id)
        is_new = session is None
        if session is None:
            session = self._open(viewer)
            session.questions = 1
        session.user_id, session.max_sessions = verdict.user_id, verdict.max_sessions
        if verdict.user_id is not None or verdict.max_sessions is not None:
            self._sessions.belongs(session, user)
        held = Held(verdict, authority, expires_s)
        if dvr:
            session.archive = held
        else:
            session.live = held
        if not is_new:
            self._sessions.tell(PlayUpdated, session)

    def _withdraw(self, id: str, dvr: bool) -> None:
        """What was allowed is not any more."""
        session = self._sessions.get(id)
        if session is None:
            return
        if dvr:
            session.archive = None
        else:
            session.live = None
        if session.live is None and session.archive is None:
            self._sessions.close(session, "denied")

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
            ("stream_clients", str(self._sessions.online(viewer.name))),
            ("total_clients", str(len(self._sessions))),
            ("duration", str(age_s)),
            ("bytes", str(0 if session is None else session.bytes)),
            ("dvr", "true" if dvr else "false"),
            ("media_request", what.media_request),
            ("type", viewer.proto),
            ("qs", viewer.query),
        ]
        country = self.country(viewer.ip)
        optional = (("user_agent", viewer.user_agent), ("referer", viewer.referer), ("country", country or ""))
        parameters += [pair for pair in optional if pair[1]]
        return Question(viewer.name, viewer.ip, viewer.token, viewer.user_agent, tuple(parameters), country)

    def _open(self, viewer: Viewer, grant: Grant | None = None) -> Session:
        now = self._now_ms()
        session = Session(viewer.id, viewer.name, viewer.proto, now, now, viewer.ip, viewer.token)
        session.user_agent = viewer.user_agent[:KEPT]
        session.referer = redact_url(viewer.referer[:LONGEST])[:KEPT]
        session.query, session.country = viewer.query[:KEPT], self.country(viewer.ip)
        if grant is not None:
            session.pass_key, session.user_id = grant.key, grant.user_id
        self._sessions.add(session)
        return session

    # -- how much at the same time ------------------------------------------------------------------------------------

    def _too_many(self, viewer: Viewer, user: str, verdict: Verdict, authority: Authority) -> bool:
        """Whether a new session is one too many. With `soft_limitation` an older one will have to go instead."""
        limit = verdict.max_sessions
        if limit is None or viewer.proto not in PLAYBACK:
            return False
        others = [one for one in self._sessions.of_user(user) if one.proto in PLAYBACK and one.id != viewer.id]
        session = self._sessions.get(viewer.id)
        if (session is not None and session.user == user) or len(others) < limit:
            return False
        if authority.on_play.soft_limitation and limit > 0:
            self._clock.callLater(SWITCH_S, self._enforce, user, limit)
            return False
        return True

    def _enforce(self, user: str, limit: int) -> None:
        now = self._clock.seconds()
        playing = [one for one in self._sessions.of_user(user) if one.proto in PLAYBACK]
        playing = [one for one in playing if one.answering or now - one.used_s < SWITCH_S]
        for session in sorted(playing, key=lambda one: one.opened_ms)[: max(0, len(playing) - limit)]:
            self.send_away(session, "too_many_sessions")

    # -- the administrator --------------------------------------------------------------------------------------------

    def send_away(self, session: Session, reason: str = "kicked") -> None:
        """End a session: what is being answered is broken off, and its next request is refused."""
        verdict = denied("session_closed", "this session has been ended")
        for dvr in (False, True):
            refusal = Refusal(session.name, verdict, None, self._clock.seconds() + self._ban_s(session))
            self._refusals.put((session.id, dvr), refusal, 1)
        self._sessions.close(session, reason)

    @staticmethod
    def _ban_s(session: Session) -> float:
        held = session.live or session.archive
        return held.verdict.duration_s if held is not None else DURATION_S

    def reauthorize(self, name: str | None) -> int:
        """
        Have the viewers of a stream (`None`: all) decided anew at their next request, and those who were refused;
        how many they are. Who was sent away stays away.
        """
        self._anew += 1
        refused = [
            key
            for key, refusal in self._refusals.items()
            if name in (None, refusal.name) and refusal.authority is not None
        ]
        for key in refused:
            self._refusals.pop(key)
        count = len({id for id, _ in refused if self._sessions.get(id) is None})
        for session in list(self._sessions):
            if name is not None and session.name != name:
                continue
            count += 1
            for held in ("live", "archive"):
                if (one := getattr(session, held)) is not None:
                    setattr(session, held, replace(one, expires_s=0.0))
            for again in list((session.answering or {}).values()):
                again()
        return count


def _refused(verdict: Verdict) -> DvrError:
    if verdict.location is not None:
        return Elsewhere(verdict.location)
    return DvrError(Kind.DENIED, verdict.code, verdict.title)
