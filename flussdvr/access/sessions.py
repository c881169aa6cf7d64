# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Sessions: one viewer's playback of one stream.

    open --> seen, seen, seen ... --> silence --> closed

They stand in the order of their last use, and one timer waits for the first of them: nothing ever walks over all. One
with a request that is still being answered (a download, endless MPEG-TS) does not fall silent.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr.access.verdict import Verdict
from flussdvr.caching.lru import Lru
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.viewers import PlayClosed, PlayOpened, PlayStarted, PlayUpdated
from flussdvr.logs.redaction import LONGEST, redact_request, redact_url
from flussdvr.playback.hls.windows import Following
from flussdvr.process.rate import Rate

IDLE_S = 60.0
"""A session that asks for nothing this long has ended; the next request begins another."""
UPDATE_S = 60.0
"""So often it is told how much a viewer has been sent."""
REMEMBERED_MS = 600_000
"""How long after its last request a viewer finds a timeshift where it was."""
SESSIONS = 100_000
ROOM_STEPS = 1000
TIMESHIFTS = 32
PLAYBACK = frozenset({"hls", "tshttp", "download"})
"""Protocols whose sessions are somebody's playback: they count as viewers, and may be limited. Pictures are not."""

Document = dict[str, Any]


class Answer(Protocol):
    """An answer that is on its way, over whatever protocol."""

    def notifyFinish(self) -> Deferred[Any]:
        """Fires when it is over, however."""
        ...

    def break_off(self) -> object:
        """End it in the middle."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A verdict in force: by whom (`authority`), and until when (`expires_s`, of the reactor's clock)."""

    verdict: Verdict
    authority: object
    expires_s: float


@dataclass(slots=True, eq=False)
class Session:
    """
    `opened_ms`, `seen_ms`: wall clock of the first and the last request. `live`, `archive`: what was decided about
    each; `questions`: how often a backend was asked; `pass_key`: of the pass that let it in instead. `answering`:
    requests on their way, and what to do to have each of them decided anew.
    """

    id: str
    name: str
    proto: str
    opened_ms: int
    seen_ms: int
    ip: str = ""
    token: str = ""
    user_agent: str = ""
    referer: str = ""
    query: str = ""
    country: str | None = None
    used_s: float = 0.0
    bytes: int = 0
    dropped: int = 0
    """Fragments of live MPEG-TS that it did not get."""
    questions: int = 0
    user: str | None = None
    user_id: str | None = None
    max_sessions: int | None = None
    live: Held | None = None
    archive: Held | None = None
    dvr: bool = False
    answering: dict[Answer, Callable[[], None]] | None = None
    timeshifts: dict[tuple[int, str], int] | None = None
    followings: dict[int, Following] | None = None
    pass_key: str | None = None
    started_ms: int | None = None
    told_s: float = 0.0

    def timeshift_opened(self, from_ms: int, now_ms: int, opening: str = "") -> int:
        """When this viewer first asked for `timeshift_abs-F`; `opening` tells several such from each other."""
        key = from_ms, opening
        if self.timeshifts is None:
            self.timeshifts = {}
        if len(self.timeshifts) >= TIMESHIFTS and key not in self.timeshifts:
            self.timeshifts.pop(next(iter(self.timeshifts)))
        return self.timeshifts.setdefault(key, now_ms)

    def followed(self, delay_ms: int) -> Following:
        """Where this viewer is in `timeshift_rel-N` of this N."""
        if self.followings is None:
            self.followings = {}
        if len(self.followings) >= TIMESHIFTS and delay_ms not in self.followings:
            self.followings.pop(next(iter(self.followings)))
        return self.followings.setdefault(delay_ms, Following())

    def document(self, secrets: bool) -> Document:
        """As the API and events show it; the token only with `secrets`."""
        document: Document = {
            "id": self.id,
            "type": "dvr" if self.dvr else "play",
            "name": self.name,
            "proto": self.proto,
            "ip": self.ip,
            "country": self.country or None,
            "user_id": self.user_id,
            "max_sessions": self.max_sessions,
            "user_agent": self.user_agent,
            "referer": self.referer,
            "bytes": self.bytes,
            "dropped_fragments": self.dropped,
            "opened_at": self.opened_ms,
            "started_at": self.opened_ms if self.started_ms is None else self.started_ms,
            "updated_at": self.seen_ms,
            "dvr": self.dvr,
        }
        if secrets:
            document |= {"token": self.token, "query_string": self.query}
        return document


class Sessions:
    """
    Every session there is. `now_ms`: the wall clock; `on_event` is told of `play_opened`, `play_started` (the first
    bytes), `play_updated` (each `UPDATE_S`, if `wants` says so) and `play_closed`.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        on_event: OnEvent = lambda event: None,
        limit: int = SESSIONS,
        wants: Callable[[str], bool] = lambda event: True,
    ) -> None:
        self._wants = wants
        self._clock = clock
        self._now_ms = now_ms
        self._on_event = on_event
        self._limit = limit
        self._by_use: OrderedDict[str, Session] = OrderedDict()
        self.counts: Counter[tuple[str, str]] = Counter()
        """Sessions by stream and protocol."""
        self._rate = Rate(clock.seconds)
        self._bytes: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._users: dict[str, dict[Session, None]] = {}
        self._timeshifts: Lru[str, tuple[int, dict[tuple[int, str], int]]] = Lru(10_000)
        self._timer: Any = None

    def __len__(self) -> int:
        return len(self._by_use)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._by_use.values())

    def get(self, id: str) -> Session | None:
        return self._by_use.get(id)

    def online(self, name: str) -> int:
        """Who watches a stream: its sessions but for those that only look at pictures."""
        return sum(self.counts[name, proto] for proto in PLAYBACK)

    def bytes_out(self, name: str) -> int:
        """Bytes of content that viewers of a stream have been sent since the server began."""
        return self._bytes.get(name, 0)

    def dropped_fragments(self, name: str) -> int:
        """Fragments of live MPEG-TS that viewers of a stream did not get since the server began."""
        return self._dropped.get(name, 0)

    def bytes_per_s(self) -> float:
        """The same of all streams together, as it is now."""
        return self._rate.per_s()

    def of_user(self, user: str) -> list[Session]:
        return list(self._users.get(user, ()))

    def add(self, session: Session) -> None:
        """Open a session."""
        if len(self._by_use) >= self._limit:
            self._make_room()
        self._by_use[session.id] = session
        self.counts[session.name, session.proto] += 1
        if (remembered := self._timeshifts.get(session.id)) is not None:
            self._timeshifts.pop(session.id)
            if self._now_ms() - remembered[0] < REMEMBERED_MS:
                session.timeshifts = remembered[1]
        session.told_s = self._clock.seconds()
        self.seen(session)
        self.tell(PlayOpened, session)

    def _make_room(self) -> None:
        """The one that has been silent for longest goes; those that are being answered are not silent."""
        for _ in range(ROOM_STEPS):
            oldest = next(iter(self._by_use.values()))
            if not oldest.answering:
                break
            self.seen(oldest)
        self.close(next(iter(self._by_use.values())), "limit")

    def seen(self, session: Session) -> None:
        """It has asked for something."""
        session.seen_ms, session.used_s = self._now_ms(), self._clock.seconds()
        self._by_use.move_to_end(session.id)
        if session.used_s - session.told_s >= UPDATE_S:
            session.told_s = session.used_s
            if self._wants("play_updated"):
                self.tell(PlayUpdated, session)
        if self._timer is None:
            self._timer = self._clock.callLater(IDLE_S, self._sweep)

    def belongs(self, session: Session, user: str) -> None:
        """Count it as one of this user's."""
        self._forget_user(session)
        session.user = user
        self._users.setdefault(user, {})[session] = None

    def sent(self, session: Session, count: int) -> None:
        first = not session.bytes and count > 0
        session.bytes += count
        self._bytes[session.name] = self._bytes.get(session.name, 0) + count
        self._rate.add(count)
        if first and self._by_use.get(session.id) is session:
            session.started_ms = self._now_ms()
            self.tell(PlayStarted, session)

    def lost(self, session: Session, count: int) -> None:
        """It was too slow for so many fragments."""
        session.dropped += count
        self._dropped[session.name] = self._dropped.get(session.name, 0) + count

    def answer(self, session: Session, request: Answer, again: Callable[[], None]) -> None:
        """`request` is being answered from now on; `again()` has it decided anew."""
        if session.answering is None:
            session.answering = {}
        session.answering[request] = again
        request.notifyFinish().addBoth(lambda _: self._answered(session, request))

    def _answered(self, session: Session, request: Answer) -> None:
        if session.answering is not None:
            session.answering.pop(request, None)
            if not session.answering:
                session.answering = None
        if self._by_use.get(session.id) is session:
            self.seen(session)

    def close(self, session: Session, reason: str) -> None:
        """It has ended; what is still being answered is broken off."""
        if self._by_use.get(session.id) is not session:
            return
        del self._by_use[session.id]
        self._forget_user(session)
        self.counts[session.name, session.proto] -= 1
        if not self.counts[session.name, session.proto]:
            del self.counts[session.name, session.proto]
        if session.timeshifts:
            self._timeshifts.put(session.id, (session.seen_ms, session.timeshifts), 1)
        for request in list(session.answering or ()):
            request.break_off()
        closed_ms = self._now_ms()
        duration_ms = closed_ms - session.opened_ms
        self._on_event(PlayClosed(**_facts(session), closed_at=closed_ms, duration=duration_ms, reason=reason))

    def close_all(self, reason: str) -> None:
        """The server ends."""
        for session in list(self):
            self.close(session, reason)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def tell(self, kind: type[PlayOpened | PlayStarted | PlayUpdated], session: Session) -> None:
        self._on_event(kind(**_facts(session)))

    def _forget_user(self, session: Session) -> None:
        if session.user is not None and (sessions := self._users.get(session.user)) is not None:
            sessions.pop(session, None)
            if not sessions:
                del self._users[session.user]
        session.user = None

    def _sweep(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._by_use:
            session = next(iter(self._by_use.values()))
            left = session.used_s + IDLE_S - now
            if left > 0.001:
                self._again(left)
                return
            if session.answering:
                self.seen(session)
            else:
                with self.log.failuresHandled("closing the session {id}", id=session.id):  # it has left the list
                    self.close(session, "silence")

    def _again(self, delay_s: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(delay_s, self._sweep)


def _facts(session: Session) -> Document:
    """The fields of a `PlayEvent`; values of queries, which may be tokens, are hidden."""
    document = session.document(False)
    document["media"] = document.pop("name")
    document["referer"] = redact_url(session.referer[:LONGEST])
    query = redact_request(b"?" + session.query.encode("utf-8", "replace"))[1:]
    return document | {"query_string": query or None}
