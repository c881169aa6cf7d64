from __future__ import annotations

import tracemalloc
from collections import OrderedDict
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.access.authority import Authority
from flussdvr.access.sessions import IDLE_S, REMEMBERED_MS, Held, Session, Sessions
from flussdvr.access.verdict import Verdict
from flussdvr.config.model import AuthSettings
from tests.events.documents import documents


class Request:
    """Looks like a request that is being answered."""

    def __init__(self) -> None:
        self._over: list[Deferred[None]] = []

    def notifyFinish(self) -> Deferred[None]:
        self._over.append(Deferred())
        return self._over[-1]

    def break_off(self) -> None:
        self.finish()

    def finish(self) -> None:
        for one in self._over:
            one.callback(None)


class Watched(Sessions):
    def __init__(self, limit: int = 100_000) -> None:
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        super().__init__(self.clock, lambda: int(self.clock.seconds() * 1000), documents(self.events), limit)

    def open(self, id: str, name: str = "ort", proto: str = "hls") -> Session:
        now = int(self.clock.seconds() * 1000)
        session = Session(id, name, proto, now, now, "192.0.2.1", "t")
        self.add(session)
        return session


def test_who_looks_at_pictures_does_not_watch() -> None:
    sessions = Watched()
    picture = sessions.open("1", proto="jpeg")
    watching = sessions.open("2")
    assert (len(sessions), sessions.online("ort")) == (2, 1)
    sessions.close(picture, "silence")
    assert sessions.online("ort") == 1
    sessions.close(watching, "silence")
    assert sessions.online("ort") == 0


def test_silence_closes_in_the_order_of_use() -> None:
    sessions = Watched()
    first = sessions.open("1")
    sessions.clock.advance(IDLE_S / 2)
    sessions.open("2", "other")
    assert (len(sessions), sessions.online("ort"), sessions.online("other")) == (2, 1, 1)
    sessions.seen(first)
    sessions.clock.advance(IDLE_S / 2)
    assert len(sessions) == 2
    sessions.seen(first)
    sessions.clock.advance(IDLE_S / 2)
    assert [session.id for session in sessions] == ["1"]
    sessions.clock.advance(IDLE_S)
    assert len(sessions) == 0 == sessions.online("ort")
    assert not sessions.clock.getDelayedCalls()
    assert [event["reason"] for event in sessions.events if event["event"] == "play_closed"] == ["silence", "silence"]


def test_a_session_that_is_being_answered_is_not_silent() -> None:
    sessions, request = Watched(), Request()
    session = sessions.open("1")
    sessions.answer(session, request, lambda: None)
    for _ in range(5):
        sessions.clock.advance(IDLE_S)
    assert len(sessions) == 1 and len(sessions.clock.getDelayedCalls()) == 1
    request.finish()
    assert session.answering is None
    sessions.clock.advance(IDLE_S)
    assert len(sessions) == 0


def test_what_a_slow_viewer_loses_is_counted_of_it_and_of_the_stream() -> None:
    sessions = Watched()
    session, other = sessions.open("1"), sessions.open("2")
    sessions.lost(session, 5)
    sessions.lost(other, 2)
    assert (session.document(False)["dropped_fragments"], other.dropped) == (5, 2)
    sessions.close(session, "kicked")
    assert sessions.events[-1]["dropped_fragments"] == 5
    assert sessions.dropped_fragments("ort") == 7 and sessions.dropped_fragments("x") == 0


def test_bytes_outlive_their_session() -> None:
    sessions = Watched()
    session = sessions.open("1")
    sessions.sent(session, 5)
    sessions.close(session, "kicked")
    sessions.close(session, "kicked")
    sessions.sent(session, 2)
    assert sessions.bytes_out("ort") == 7 == session.bytes
    sessions.clock.advance(3)
    assert sessions.bytes_per_s() == 7 / 3
    assert [event["event"] for event in sessions.events] == ["play_opened", "play_started", "play_closed"]


def test_more_than_the_limit_and_the_longest_silent_goes() -> None:
    sessions = Watched(limit=2)
    one = sessions.open("1")
    sessions.open("2")
    sessions.seen(one)
    sessions.open("3")
    assert [session.id for session in sessions] == ["1", "3"]


def test_a_flood_of_sessions_does_not_break_off_who_is_being_answered() -> None:
    sessions, request = Watched(limit=3), Request()
    watching = sessions.open("watching")
    sessions.answer(watching, request, lambda: None)
    for number in range(10):
        sessions.open(str(number))
    assert sessions.get("watching") is watching and len(sessions) == 3


def test_a_timeshift_is_found_again_for_a_while() -> None:
    sessions = Watched()
    sessions.open("1").timeshift_opened(7, 100)
    sessions.clock.advance(IDLE_S + 1)
    assert sessions.open("1").timeshift_opened(7, 200) == 100
    sessions.clock.advance(REMEMBERED_MS / 1000 + 1)
    assert sessions.open("1").timeshift_opened(7, 200) == 200


def test_sessions_of_a_user() -> None:
    sessions = Watched()
    one, two = sessions.open("1"), sessions.open("2")
    sessions.belongs(one, "ann")
    sessions.belongs(two, "ann")
    sessions.belongs(two, "bob")
    assert sessions.of_user("ann") == [one]
    sessions.close(one, "kicked")
    assert sessions.of_user("ann") == []


def test_fifty_thousand_sessions_are_small() -> None:
    sessions = Watched()
    authority = Authority(AuthSettings("http://x/"))
    tracemalloc.start()
    try:
        for number in range(50_000):
            session = sessions.open(f"{number:040x}", f"stream{number % 100}")
            session.token, session.query = f"{number:040x}" + "t", f"token={number:040x}"
            session.user_agent = f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 {number}"
            session.live = Held(Verdict(True, 180, f"user{number}", 3), authority, 180.0 + number)
            sessions.belongs(session, f"user{number}")
            sessions.events.clear()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"50 000 sessions: {used / 1e6:.0f} MB")
    assert used < 100e6, used
    assert len(sessions.clock.getDelayedCalls()) == 1


def test_how_much_a_viewer_is_sent_is_told_each_minute(event_schema: Any) -> None:
    sessions = Watched()
    session = sessions.open("1")
    session.referer = "http://page.example/?token=secret&from=5"
    sessions.clock.advance(5)
    for _ in range(24):
        sessions.sent(session, 10)
        sessions.clock.advance(5)
        sessions.seen(session)
    told = [(event["event"], event["updated_at"], event["bytes"]) for event in sessions.events]
    assert told == [
        ("play_opened", 0, 0),
        ("play_started", 0, 10),
        ("play_updated", 60_000, 110),
        ("play_updated", 120_000, 230),
    ]
    event_schema.check_own(sessions.events)
    last = sessions.events[-1]
    assert last["started_at"] == 5000 and last["opened_at"] == 0
    assert last["referer"] == "http://page.example/?token=***&from=5"


def test_the_server_ends() -> None:
    sessions = Watched()
    for id in "abc":
        sessions.open(id)
    assert sessions.counts == {("ort", "hls"): 3}
    sessions.close_all("stopped")
    assert not sessions.counts
    assert len(sessions) == 0 and not sessions.clock.getDelayedCalls()
    assert [event["reason"] for event in sessions.events if event["event"] == "play_closed"] == ["stopped"] * 3


class Looked(OrderedDict[str, Session]):
    """Counts the sessions that somebody looks at."""

    looks = 0

    def values(self) -> Any:
        for session in super().values():
            self.looks += 1
            yield session


def test_nothing_ever_walks_over_all_sessions() -> None:
    sessions = Watched()
    looked = sessions._by_use = Looked()
    opened = [sessions.open(str(number)) for number in range(1000)]
    for _ in range(10):
        sessions.clock.advance(IDLE_S / 2)
        for session in opened:
            sessions.seen(session)
    assert 0 < looked.looks <= 10, "the timer has looked at the first, each time"
    assert len(sessions) == 1000
