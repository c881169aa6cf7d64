"""Passes at the gate: who shows one that is good is let in without a question, by what it grants and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from flussdvr.access.grant import Grant
from flussdvr.access.verdict import Reply
from flussdvr.config.model import AuthSettings, Config, StreamSettings
from flussdvr.errors import DvrError, Kind
from flussdvr.urls.values import MediaPath
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.media.gate import ViewersGate
from flussdvr.web.media.passes import Foreign
from tests.playback.recordings import Recording, T
from tests.web.media.test_gate import FAMILIES, PLAYLIST, SEGMENT, URL, Guarded, gone

S = T // 1000
ENDLESS = f"/ort/timeshift_abs-{S}.ts"


class Badge:
    """A pass: the query parameter `badge`, good if it is in `good`."""

    def __init__(self) -> None:
        self.good: dict[str, Grant] = {"red": Grant("red", "Ann"), "blue": Grant("blue", "Bob")}
        self.asked: list[str] = []
        self.waiting: list[Deferred[None]] | None = None

    async def grant(self, request: DvrRequest, parsed: MediaPath) -> Grant | None:
        shown = parsed.parameter("badge")
        if shown is None:
            return None
        self.asked.append(shown)
        if self.waiting is not None:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        if shown == "foreign":
            raise Foreign("badge_foreign", "that is none of ours")
        if shown not in self.good:
            raise DvrError(Kind.DENIED, "badge_not_valid", "that is no good badge")
        return self.good[shown]


class Second(Badge):
    async def grant(self, request: DvrRequest, parsed: MediaPath) -> Grant | None:
        return Grant("second", "Carl") if parsed.parameter("second") else None


class Passing(Guarded):
    """Nobody but who has a pass is let in."""

    def __init__(self, recordings: list[Recording], live: bool = False) -> None:
        super().__init__(recordings, live)
        self.badge = Badge()
        streams = self.streams
        self.gate = ViewersGate(
            *(lambda: self.config, streams, self.sessions, self.backend, self.clock, lambda: self.now_ms),  # type: ignore[arg-type]
            passes=(self.badge, Second()),
        )
        self.media.admission = self.gate
        self.backend.reply = Reply(403, {})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Passing]:
    recording = Recording(tmp_path)
    recording.blob()
    yield Passing([recording])


@pytest.mark.parametrize("url", [url for urls in FAMILIES.values() for url in urls])
def test_a_pass_opens_every_url_without_a_question(server: Passing, url: str) -> None:
    mark = "&" if "?" in url else "?"
    assert server.status(f"/ort/{url}{mark}badge=green") == 403
    assert not server.backend.asked
    assert server.open(f"/ort/{url}{mark}badge=red").value()[:12] not in (b"", b"HTTP/1.1 403")
    assert not server.backend.asked


def test_without_one_the_authority_decides_as_ever(server: Passing) -> None:
    assert server.status(f"{PLAYLIST}?token=a") == 403
    assert len(server.backend.asked) == 1 and not server.badge.asked


def test_a_bad_one_is_refused_whatever_the_authority_would_say(server: Passing) -> None:
    server.backend.reply = Reply(200, {})
    assert server.status(f"{PLAYLIST}?token=a") == 200
    for badge, code in (("green", "badge_not_valid"), ("foreign", "badge_foreign")):
        answer = server.get(f"{PLAYLIST}?token=a&badge={badge}")
        assert (answer.status, answer.json["error"]) == (403, code)


def test_the_first_that_is_shown_decides(server: Passing) -> None:
    assert server.status(f"{PLAYLIST}?second=1") == 200
    assert [session.user_id for session in server.sessions] == ["Carl"]
    assert server.status(f"{PLAYLIST}?second=1&badge=green") == 403
    server.get(f"{PLAYLIST}?second=1&badge=red")
    assert [session.user_id for session in server.sessions] == ["Carl", "Ann"]


def test_where_everybody_may_watch(server: Passing) -> None:
    server.configure(None)
    assert server.status(PLAYLIST) == 200
    assert server.status(f"{PLAYLIST}?badge=foreign") == 200, "it closes nothing"
    assert server.status(f"{PLAYLIST}?badge=green") == 403, "what is of this stream has its limits here too"
    assert [session.user_id for session in server.sessions] == [None]
    assert server.status(f"{PLAYLIST}?badge=red") == 200
    assert [session.user_id for session in server.sessions] == [None, "Ann"]


def test_what_says_nothing_does_not_end_what_it_did_not_keep_from_beginning(server: Passing) -> None:
    server.configure(None)
    transport = server.open(f"{ENDLESS}?badge=foreign&second=1")
    for _ in range(4):
        server.advance(181)
    assert transport.value().startswith(b"HTTP/1.1 200") and not gone(transport)
    server.configure(AuthSettings(URL))
    server.advance(181)
    assert gone(transport), "now somebody decides, and it is refused as at the beginning"


def test_a_stream_that_is_not_configured_any_more(server: Passing) -> None:
    server.config = Config(streams={"other": StreamSettings("other", on_play=AuthSettings(URL))})
    assert server.get(PLAYLIST).json["error"] == "not_configured"
    assert server.get(f"{PLAYLIST}?badge=foreign").json["error"] == "badge_foreign"
    assert server.status(f"{PLAYLIST}?badge=red") == 200
    assert server.status("/nobody/index.m3u8?badge=red") == 404


def test_its_session(server: Passing) -> None:
    first = server.get(f"{PLAYLIST}?badge=red", "User-Agent: VLC/3")
    assert (
        server.get(f"{PLAYLIST}?badge=red&token=a", "User-Agent: VLC/3").headers["x-session"]
        == first.headers["x-session"]
    )
    assert "token" not in first.text and "badge=red" in first.text
    for other in (f"{PLAYLIST}?badge=blue", f"{PLAYLIST}?badge=red"):
        assert server.get(other, "User-Agent: mpv/1").headers["x-session"] != first.headers["x-session"]
    session = server.sessions.get(first.headers["x-session"])
    assert session is not None
    document = session.document(False)
    assert (document["user_id"], document["dvr"], document["proto"]) == ("Ann", True, "hls")
    assert server.sessions.online("ort") == 3 and document["bytes"] > 100
    opened = [event for event in server.events if event["event"] == "play_opened"]
    assert [event["user_id"] for event in opened] == ["Ann", "Bob", "Ann"]


def test_a_token_with_the_same_words_is_another_session(server: Passing) -> None:
    server.backend.reply = Reply(200, {})
    by_token = server.get(f"{SEGMENT}?token=red").headers["x-session"]
    assert server.get(f"{SEGMENT}?badge=red").headers["x-session"] != by_token
    assert {session.user_id for session in server.sessions} == {None, "Ann"}


def test_kicked(server: Passing) -> None:
    transport = server.open(f"{ENDLESS}?badge=red")
    server.gate.send_away(next(iter(server.sessions)))
    assert gone(transport) and len(server.sessions) == 0
    assert server.get(f"{ENDLESS}?badge=red").json["error"] == "session_closed"
    assert server.open(f"{ENDLESS}?badge=blue").value().startswith(b"HTTP/1.1 200")
    server.advance(181)
    assert server.open(f"{ENDLESS}?badge=red").value().startswith(b"HTTP/1.1 200")


def test_withdrawn_at_once(server: Passing) -> None:
    red, blue = server.open(f"{ENDLESS}?badge=red"), server.open(f"{ENDLESS}?badge=blue")
    server.get(f"{PLAYLIST}?badge=red")
    del server.badge.good["red"]
    assert server.gate.withdraw("red") == 2
    assert gone(red) and not gone(blue)
    assert [session.user_id for session in server.sessions] == ["Bob"]
    assert [event["reason"] for event in server.events if event["event"] == "play_closed"] == ["denied", "denied"]
    assert server.status(f"{ENDLESS}?badge=red") == 403


@pytest.mark.parametrize("now", [None, Grant("another", "Eve")])
def test_a_long_answer_ends_with_its_pass(server: Passing, now: Grant | None) -> None:
    expires_ms = server.now_ms + 10_000
    server.badge.good["red"] = Grant("red", "Ann", expires_ms)
    transport = server.open(f"{ENDLESS}?badge=red")
    server.badge.good["red"] = Grant("red", "Ann")
    server.advance(11)
    assert server.badge.asked == ["red", "red"] and not gone(transport)
    server.advance(181)
    assert len(server.badge.asked) == 3 and not gone(transport)
    if now is None:
        del server.badge.good["red"]
    else:
        server.badge.good["red"] = now
    server.advance(181)
    assert gone(transport)
    assert {session.user_id for session in server.sessions} <= {"Ann"}


def test_it_does_not_go_on_as_somebody_without_one(server: Passing) -> None:
    """A cookie that has ended is not shown any more: what it began ends, even if a token would do as well."""
    server.backend.reply = Reply(200, {})
    transport = server.open(f"{ENDLESS}?badge=red&token=a")
    grant = server.badge.grant

    async def nothing(request: DvrRequest, parsed: MediaPath) -> Grant | None:
        return None

    server.badge.grant = nothing  # type: ignore[method-assign]
    assert server.gate.reauthorize("ort") == 1
    assert gone(transport) and not server.backend.asked
    server.badge.grant = grant  # type: ignore[method-assign]


def test_a_client_that_goes_away_meanwhile_leaves_nothing_running(server: Passing) -> None:
    from twisted.internet.error import ConnectionLost
    from twisted.python.failure import Failure

    server.badge.waiting = []
    server.open(f"{ENDLESS}?badge=red")
    server.protocols[-1].connectionLost(Failure(ConnectionLost()))
    server.badge.waiting[0].callback(None)
    assert not any(session.answering for session in server.sessions)
