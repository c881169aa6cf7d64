"""The gate in front of the whole HTTP side in memory, with a backend that answers when the test lets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from flussdvr.access.auth_request import KINDS, asked
from flussdvr.access.decisions import ASKED_ANEW, FAILURE_S, RETRY_S, SWITCH_S
from flussdvr.access.protocols import PROTOCOLS
from flussdvr.access.sessions import IDLE_S, Sessions
from flussdvr.access.verdict import BackendFailed, Reply
from flussdvr.config.model import AuthBackendSettings, AuthSettings, Config, StreamSettings
from flussdvr.errors import DvrError
from flussdvr.urls import commands, paths, values
from flussdvr.urls.values import MediaPath
from flussdvr.web.media.gate import ViewersGate
from tests.events.documents import documents
from tests.playback.recordings import Recording, T
from tests.web.media.test_routes import Server

S = T // 1000
URL = "http://backend.example/auth?site=1"

FAMILIES = {
    "LivePlaylist": ["index.m3u8", "mono.m3u8", "video.m3u8", "index.ts.m3u8", "tracks-v1a1/mono.m3u8"],
    "ArchivePlaylist": [f"index-{S}-8.m3u8", f"mono-{S}-now.m3u8", f"archive/{S}/8/index.m3u8"],
    "RewindPlaylist": ["rewind-7200.m3u8"],
    "TimeshiftAbsPlaylist": [f"timeshift_abs-{S}.m3u8", f"mono-timeshift_abs-{S}.m3u8"],
    "TimeshiftRelPlaylist": ["timeshift_rel-3590.m3u8"],
    "Mp4Export": [f"archive-{S}-8.mp4"],
    "TsExport": [f"archive-{S}-8.ts", f"archive/{S}/8/mpegts"],
    "LiveTs": ["mpegts"],
    "TimeshiftAbsTs": [f"timeshift_abs-{S}.ts", f"timeshift_abs/{S}", f"{S}.ts"],
    "TimeshiftRelTs": ["timeshift_rel-3590.ts", "timeshift_rel/3590"],
    "Segment": ["2026/11/20/17/00/00.000-02000.m4s", "2026/11/20/17/00/00.000-02000.ts"],
    "InitSegment": ["init-0123456789abcdef.mp4"],
    "Picture": [
        *("preview.jpg", "preview.mp4", f"{S}.jpg", f"{S}-preview.mp4", "2026/11/20/17/00/00.jpg"),
        *("2026/11/20/17/00/00-preview.mp4", f"images-320x240/seg-{S}-4.hls.jpg"),
    ],
    "SpritePicture": [f"sprite-{S}-60-4x4.jpg", f"sprite-{S}-60-4x4.vtt"],
    "ImagePlaylist": [f"images-320x240/tpl-{S}-60-5.m3u8"],
    "RecordingStatus": ["recording_status.json"],
    "RangeList": ["ranges.json", f"ranges.json?closed_at_gte={S}&resolution=1"],
    "MediaInfo": ["media_info.json", "info.json"],
}
"""At least one URL of each kind that there is."""


class Backend:
    """Answers with `reply` (a `Reply`, or an exception), at once or, if `waiting` is a list, later."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.urls: list[str] = []
        self.reply: Any = Reply(200, {})
        self.waiting: list[Deferred[None]] | None = None

    async def ask(self, url: str, parameters: Any) -> Reply:
        self.urls.append(url)
        self.asked.append(dict(parameters))
        if self.waiting is not None:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        reply = self.reply(self.asked[-1]) if callable(self.reply) else self.reply
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Reply)
        return reply

    def allow(self, **headers: str) -> None:
        self.reply = Reply(200, {name.replace("_", "-"): value for name, value in headers.items()})


class Guarded(Server):
    def __init__(self, recordings: list[Recording], live: bool = False) -> None:
        super().__init__(recordings, live=live)
        self.configure(AuthSettings(URL))
        self.events: list[dict[str, Any]] = []
        self.backend = Backend()
        self.sessions = Sessions(self.clock, lambda: self.now_ms, documents(self.events))
        self.streams.settings = lambda name: None  # type: ignore[attr-defined]
        streams: Any = self.streams
        self.gate = ViewersGate(
            lambda: self.config, streams, self.sessions, self.backend, self.clock, lambda: self.now_ms
        )
        self.media.admission = self.gate

    def configure(self, on_play: AuthSettings | None, **settings: Any) -> None:
        self.config = Config(streams={"ort": StreamSettings("ort", on_play=on_play)}, **settings)

    def allow_protocols(self, *protocols: str) -> None:
        self.config = Config(streams={"ort": StreamSettings("ort", protocols=protocols)})

    def status(self, url: str, *headers: str) -> int:
        return self.get(url, *headers).status

    def advance(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)
        self.clock.advance(seconds)


@pytest.mark.parametrize("protocol", ["hls", "tshttp", "mp4", "jpeg", "api"])
def test_only_the_protocols_that_are_listed(server: Guarded, protocol: str) -> None:
    kinds = {kind.__name__: one for kind, one in PROTOCOLS.items()}
    assert set(PROTOCOLS) == KINDS, "each kind of URL belongs to one"
    server.allow_protocols(protocol, "webrtc")
    for kind, urls in FAMILIES.items():
        for url in urls:
            is_refused = b"protocol_not_allowed" in server.get(f"/ort/{url}").body
            assert is_refused == (kinds[kind] != protocol), url
    server.allow_protocols()
    assert server.status(f"/ort/archive-{S}-8.mp4") == 403


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    recording = Recording(tmp_path)
    recording.blob()
    yield Guarded([recording])


PLAYLIST = f"/ort/mono-{S}-8.m3u8"
SEGMENT = "/ort/2026/11/20/17/00/00.000-02000.m4s"


def descendants(kind: type) -> set[type]:
    # dataclass(slots=True) makes every class twice; only the second is in the module
    found = {one for one in kind.__subclasses__() if getattr(values, one.__name__) is one}
    return found.union(*(descendants(one) for one in kind.__subclasses__()))


def test_every_kind_of_url_is_known_to_the_gate() -> None:
    kinds = descendants(MediaPath) - {values.Playlist}
    assert kinds == KINDS, "a new kind of URL: tell the gate what it asks for, and this test an example"
    assert {kind.__name__ for kind in kinds} == set(FAMILIES)
    patterns = [pattern for pattern, _ in commands.COMMANDS]
    unused = [
        pattern.pattern
        for pattern in patterns
        if not any(
            pattern.fullmatch(url.partition("?")[0].removeprefix("tracks-v1a1/"))
            for urls in FAMILIES.values()
            for url in urls
        )
    ]
    assert not unused, "a new row in the table of commands: give this test an example"


@pytest.mark.parametrize(("kind", "url"), [(kind, url) for kind, urls in FAMILIES.items() for url in urls])
def test_every_url_passes_the_gate(server: Guarded, kind: str, url: str) -> None:
    path, _, query = url.partition("?")
    assert type(paths.parse(f"/ort/{path}", query)).__name__ == kind
    server.backend.reply = lambda question: Reply(200 if question["token"] == "good" else 403, {})
    mark = "&" if query else "?"
    for method in ("GET", "HEAD"):
        assert server.get(f"/ort/{url}", method=method).status == 403
        assert server.get(f"/ort/{url}{mark}token=bad", method=method).status == 403
    assert server.open(f"/ort/{url}{mark}token=good").value()[:12] not in (b"", b"HTTP/1.1 403")
    server.backend.reply = Reply(403, {})
    server.advance(181)
    assert server.status(f"/ort/{url}{mark}token=good") == 403


def test_a_kind_that_is_not_known_is_refused() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Novelty(values.Picture):
        pass

    with pytest.raises(DvrError):
        asked(Novelty("ort"), T, None)
    del Novelty


def test_other_methods_and_preflights_give_nothing_away(server: Guarded) -> None:
    assert server.get(PLAYLIST, method="OPTIONS").status == 204
    for method in ("POST", "PUT", "DELETE"):
        assert server.get(PLAYLIST, method=method).status == 405
    assert not server.backend.asked


def test_a_session_is_asked_about_once(server: Guarded) -> None:
    server.backend.waiting = []
    first = [server.open(f"{SEGMENT}?token=a") for _ in range(50)]
    assert len(server.backend.asked) == 1
    assert not any(transport.value() for transport in first)
    server.backend.waiting[0].callback(None)
    assert all(transport.value().startswith(b"HTTP/1.1 200") for transport in first)
    for _ in range(1000):
        assert server.status(f"{SEGMENT}?token=a", "Range: bytes=0-9") == 206
    assert len(server.backend.asked) == 1
    assert len(server.sessions) == 1 == server.sessions.online("ort")
    server.advance(100)
    server.advance(81)
    server.backend.waiting = None
    assert server.status(f"{SEGMENT}?token=a") == 200
    assert len(server.backend.asked) == 2


def test_a_client_that_goes_away_while_it_is_decided(server: Guarded) -> None:
    server.backend.waiting = []
    from twisted.internet.error import ConnectionLost
    from twisted.python.failure import Failure

    server.open(f"{SEGMENT}?token=a")
    other = server.open(f"{SEGMENT}?token=a")
    server.protocols[0].connectionLost(Failure(ConnectionLost()))
    server.backend.waiting[0].callback(None)
    assert other.value().startswith(b"HTTP/1.1 200")
    assert len(server.backend.asked) == 1


def test_what_a_backend_is_told(server: Guarded) -> None:
    assert server.status(f"{PLAYLIST}?token=a%26b&x=1", "User-Agent: VLC/3", "Referer: http://tv/") == 200
    assert server.backend.urls == [URL]
    told = server.backend.asked[0]
    session = next(iter(server.sessions))
    expected = {
        "name": "ort",
        "ip": "192.168.1.1",
        "proto": "hls",
        "token": "a&b",
        "request_type": "new_session",
        "request_number": "0",
        "session_id": session.id,
        "dvr": "true",
        "media_request": f"dvr_session-hls_playlist-{S}-8",
        "qs": "token=a%26b&x=1",
        "user_agent": "VLC/3",
        "referer": "http://tv/",
        "stream_clients": "0",
        "total_clients": "0",
    }
    assert {name: told.get(name) for name in expected} == expected
    for _ in range(4):
        server.advance(50)
        server.get(f"{PLAYLIST}?token=a%26b&x=1")
    told = server.backend.asked[1]
    assert (told["request_type"], told["request_number"], told["duration"]) == ("update_session", "1", "200")
    assert int(told["bytes"]) > 500


def test_the_country_of_a_viewer(server: Guarded) -> None:
    server.gate.decisions.country = {"192.168.1.1": "AT"}.get
    assert server.status(f"{PLAYLIST}?token=a") == 200
    assert server.backend.asked[0]["country"] == "AT"
    assert next(iter(server.sessions)).document(False)["country"] == "AT" == server.events[0]["country"]
    server.configure(AuthSettings(URL, disallowed_countries=("AT",)))
    assert server.get(f"{PLAYLIST}?token=a").json["error"] == "country_not_allowed"
    assert len(server.backend.asked) == 1
    server.gate.decisions.country = lambda ip: ""
    server.configure(None)
    server.get(f"{PLAYLIST}?token=b")
    assert server.events[-1]["country"] is None


def test_how_long_a_verdict_holds(server: Guarded) -> None:
    server.backend.allow(x_authduration="10")
    for second in range(31):
        assert server.status(f"{SEGMENT}?token=a") == 200, second
        server.advance(1)
    assert len(server.backend.asked) == 4


def test_a_denial_holds_as_long(server: Guarded) -> None:
    server.backend.reply = Reply(403, {"x-authduration": "10"})
    for _ in range(10):
        assert server.status(f"{SEGMENT}?token=a") == 403
        server.advance(1)
    assert len(server.backend.asked) == 1 and len(server.sessions) == 0
    server.backend.allow()
    assert server.status(f"{SEGMENT}?token=a") == 200


def test_while_a_backend_fails_viewers_stay_and_nobody_comes(server: Guarded) -> None:
    server.backend.allow(x_authduration="10")
    assert server.status(f"{SEGMENT}?token=in") == 200
    for failure in (BackendFailed("refused"), Reply(500, {}), Reply(200, {}, b"{"), RuntimeError("a bug of ours")):
        server.backend.reply = failure
        server.advance(RETRY_S + 1)
        if not isinstance(failure, RuntimeError):
            assert server.status(f"{SEGMENT}?token=in") == 200
        answer = server.get(f"{SEGMENT}?token=out")
        assert answer.status == 403 and answer.json["error"] == "authorization_unavailable"
    server.backend.allow()
    server.advance(FAILURE_S)
    assert server.status(f"{SEGMENT}?token=out") == 200


def test_without_a_token_one_is_made_and_goes_along(server: Guarded) -> None:
    url = f"/ort/index-{S}-8.m3u8"
    answer = server.get(url)
    token = server.backend.asked[0]["token"]
    assert len(token) == 40
    child = [line for line in answer.text.splitlines() if not line.startswith("#")][0]
    assert child.endswith(f"?token={token}")
    playlist = server.get(urljoin(url, child))
    assert playlist.status == 200
    assert all(
        f"token={token}" in line for line in playlist.text.splitlines() if line.endswith("m4s") or "m4s?" in line
    )
    assert server.status(urljoin(urljoin(url, child), playlist.urls[0])) == 200
    assert server.status(SEGMENT) == 200
    assert len(server.backend.asked) == 1 == len(server.sessions)
    server.configure(AuthSettings(URL), no_auto_token=True, auth_token="key")
    assert server.get(url).json["error"] == "token_required"
    assert server.status(f"{url}?token=a") == 403
    assert server.status(f"{url}?key=a") == 200


def test_another_address_and_another_header_are_another_session(server: Guarded) -> None:
    server.configure(AuthSettings(URL, session_keys=("name", "ip", "proto", "header.X-Playback-Session-Id")))
    one = server.get(f"{SEGMENT}?token=a", "X-Playback-Session-Id: 1").headers["x-session"]
    assert server.get(f"{SEGMENT}?token=a", "X-Playback-Session-Id: 1").headers["x-session"] == one
    assert server.get(f"{SEGMENT}?token=a", "X-Playback-Session-Id: 2").headers["x-session"] != one
    assert len(server.backend.asked) == 2


def test_redirection(server: Guarded) -> None:
    server.backend.reply = Reply(302, {"location": "http://other.example/ort/index.m3u8?t=1"})
    for _ in range(2):
        answer = server.get(f"{PLAYLIST}?token=a")
        assert (answer.status, answer.headers["location"]) == (302, "http://other.example/ort/index.m3u8?t=1")
    assert len(server.backend.asked) == 1


def ranges(*spans: tuple[int, int]) -> Reply:
    entries = ",".join(f'{{"opened_at": {begin}, "closed_at": {end}}}' for begin, end in spans)
    return Reply(200, {}, f'{{"allowed_dvr_ranges": [{entries}]}}'.encode())


def test_parts_of_the_archive(server: Guarded) -> None:
    server.backend.reply = ranges((S, S + 4), (S + 4, S + 6))
    for url, status in {
        f"mono-{S}-6.m3u8": 200,
        f"mono-{S + 2}-4.m3u8": 200,
        f"mono-{S}-7.m3u8": 403,
        f"mono-{S}-now.m3u8": 403,
        f"archive-{S}-6.mp4": 200,
        f"archive-{S + 5}-6.mp4": 403,
        "rewind-7200.m3u8": 403,
        "2026/11/20/17/00/04.000-02000.m4s": 200,
        "2026/11/20/17/00/06.000-02000.m4s": 403,
        f"timeshift_abs-{S}.m3u8": 403,
        f"sprite-{S}-60-4x4.jpg": 403,
        f"{S + 6}.jpg": 403,
    }.items():
        assert server.status(f"/ort/{url}?token=a") == status, url


@pytest.mark.parametrize(
    "body",
    [
        b'{"allowed_dvr_ranges": []}',
        b'{"allowed_dvr_ranges": null}',
        b'{"allowed_dvr_ranges": [{"opened_at": "x"}, 7]}',
    ],
)
def test_no_archive_at_all(server: Guarded, body: bytes) -> None:
    server.backend.reply = Reply(200, {}, body)
    assert server.get(f"{PLAYLIST}?token=a").json["error"] == "archive_not_allowed"
    assert server.status("/ort/media_info.json?token=a") == 200


def test_live_and_the_archive_are_asked_about_apart(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = Guarded([recording])
    server.backend.reply = lambda question: Reply(403 if question["dvr"] == "true" else 200, {})
    assert server.status("/ort/media_info.json?token=a") == 200
    assert server.status(f"{PLAYLIST}?token=a") == 403
    assert server.status("/ort/media_info.json?token=a") == 200
    assert [question["dvr"] for question in server.backend.asked] == ["false", "true"]


def test_too_many_sessions_of_a_user(server: Guarded) -> None:
    server.backend.allow(x_userid="ann", x_max_sessions="2", x_authduration="600")
    assert [server.status(f"{SEGMENT}?token={token}") for token in "aabcb"] == [200, 200, 200, 403, 200]
    assert server.get(f"{SEGMENT}?token=c").json["error"] == "too_many_sessions"
    server.backend.allow(x_userid="bob", x_unique="true")
    assert [server.status(f"{SEGMENT}?token={token}") for token in "de"] == [200, 403]


def test_a_channel_switch_with_soft_limitation(server: Guarded) -> None:
    server.configure(AuthSettings(URL, max_sessions=1, soft_limitation=True))
    server.backend.allow(x_userid="ann", x_authduration="600")
    assert [server.status(f"{SEGMENT}?token={token}") for token in "ab"] == [200, 200]
    server.advance(SWITCH_S / 2)
    assert [server.status(f"{SEGMENT}?token={token}") for token in "ab"] == [200, 200]
    server.advance(SWITCH_S / 2)
    assert [server.status(f"{SEGMENT}?token={token}") for token in "ab"] == [403, 200]


def test_an_endless_answer_is_broken_off_when_permission_ends(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = Guarded([recording])
    server.backend.allow(x_authduration="10")
    transport = server.open(f"/ort/timeshift_abs-{S}.ts?token=a")
    assert transport.value().startswith(b"HTTP/1.1 200")
    server.advance(11)
    assert len(server.backend.asked) == 2 and not transport.disconnected
    server.backend.reply = BackendFailed("refused")
    server.advance(11)
    assert len(server.backend.asked) == 3 and not transport.disconnected
    server.backend.reply = Reply(403, {})
    server.advance(RETRY_S + 1)
    assert gone(transport) and len(server.sessions) == 0


def gone(transport: StringTransport) -> bool:
    return transport.disconnected or transport.disconnecting or getattr(transport, "aborting", False)


def test_kicked(server: Guarded) -> None:
    transport = server.open(f"/ort/timeshift_abs-{S}.ts?token=a")
    session = next(iter(server.sessions))
    server.gate.send_away(session)
    assert gone(transport) and len(server.sessions) == 0
    assert server.get(f"/ort/timeshift_abs-{S}.ts?token=a").json["error"] == "session_closed"
    server.advance(181)
    assert server.open(f"/ort/timeshift_abs-{S}.ts?token=a").value().startswith(b"HTTP/1.1 200")
    server.configure(None)
    assert server.status(PLAYLIST) == 200
    server.gate.send_away(server.sessions.get(server.get(PLAYLIST).headers["x-session"]))  # type: ignore[arg-type]
    assert server.status(PLAYLIST) == 403


def test_a_token_that_nobody_looks_at_is_not_kept_whole(server: Guarded) -> None:
    token = "a" * 4000
    assert server.status(f"{PLAYLIST}?token={token}") == 200
    server.configure(None)
    for end in "bb", "c":
        assert server.status(f"{PLAYLIST}?token={token}{end}") == 200
    assert [len(session.token) for session in server.sessions] == [4000, 300, 300], "each is a session all the same"


def test_decided_anew(server: Guarded) -> None:
    assert server.status(f"{SEGMENT}?token=a") == 200
    assert server.gate.reauthorize("other") == 0
    assert server.gate.reauthorize("ort") == 1
    server.backend.reply = Reply(403, {})
    assert server.status(f"{SEGMENT}?token=a") == 403


def test_who_was_refused_is_decided_anew_as_well(server: Guarded) -> None:
    server.backend.reply = Reply(403, {"x-authduration": "600"})
    assert server.status(f"{SEGMENT}?token=paid") == server.status("/ort/media_info.json?token=paid") == 403
    server.backend.allow()
    assert server.status(f"{SEGMENT}?token=paid") == 403, "still the first answer"
    asked = len(server.backend.asked)
    assert server.gate.reauthorize("other") == 0
    assert server.status(f"{SEGMENT}?token=paid") == 403
    assert server.gate.reauthorize("ort") == 1, "one viewer"
    assert server.status(f"{SEGMENT}?token=paid") == server.status("/ort/media_info.json?token=paid") == 200
    assert len(server.backend.asked) == asked + 1, "the archive is enough for both"
    server.gate.send_away(next(iter(server.sessions)))
    assert server.gate.reauthorize(None) == 0
    assert server.get(f"{SEGMENT}?token=paid").json["error"] == "session_closed", "that was no backend's decision"


def test_an_answer_under_way_is_not_of_after_the_payment(server: Guarded) -> None:
    server.backend.waiting = waiting = []
    server.backend.reply = lambda asked: Reply(403, {"x-authduration": "600"})
    first = server.open(f"{SEGMENT}?token=paid")
    assert len(waiting) == 1
    server.gate.reauthorize("ort")
    waiting[0].callback(None)
    assert len(waiting) == 2 and first.value() == b"", "asked again"
    server.backend.allow()
    waiting[1].callback(None)
    assert first.value().startswith(b"HTTP/1.1 200") and len(waiting) == 2


def test_who_asks_to_ask_anew_all_the_time_gets_an_answer(server: Guarded) -> None:
    def refuse(asked: dict[str, str]) -> Reply:
        server.gate.reauthorize(None)
        return Reply(403, {})

    server.backend.reply = refuse
    assert server.status(f"{SEGMENT}?token=a") == 403
    assert len(server.backend.asked) == 1 + ASKED_ANEW


def test_who_had_too_many_sessions_is_decided_anew(server: Guarded) -> None:
    server.backend.allow(x_userid="ann", x_max_sessions="1", x_authduration="600")
    assert [server.status(f"{SEGMENT}?token={token}") for token in "ab"] == [200, 403]
    server.backend.allow(x_userid="ann", x_max_sessions="2", x_authduration="600")
    assert server.gate.reauthorize("ort") == 2
    assert server.status(f"{SEGMENT}?token=b") == 200


def test_another_on_play_is_asked_at_once(server: Guarded) -> None:
    assert server.status(f"{SEGMENT}?token=a") == 200
    server.configure(AuthSettings("http://other.example/"))
    server.backend.reply = BackendFailed("refused")
    assert server.status(f"{SEGMENT}?token=a") == 403
    assert server.backend.urls[-1] == "http://other.example/"


def test_a_stream_that_is_not_configured_any_more_does_not_become_public(server: Guarded) -> None:
    server.config = Config(streams={"other": StreamSettings("other", on_play=AuthSettings(URL))})
    assert server.get(PLAYLIST).json["error"] == "not_configured"
    server.config = Config()
    assert server.status(PLAYLIST) == 200


def test_names_that_nobody_knows(server: Guarded) -> None:
    assert server.status("/nobody/index.m3u8") == 404
    assert len(server.sessions) == 0
    server.config = Config(streams={"planned": StreamSettings("planned", on_play=AuthSettings(URL))})
    server.backend.reply = Reply(403, {})
    assert server.status("/planned/index.m3u8") == 403, "not before it is allowed does anybody learn what exists"


def test_an_auth_backend_that_does_not_exist_lets_nobody_in(server: Guarded) -> None:
    server.configure(AuthSettings("auth://gone"))
    assert server.status(f"{PLAYLIST}?token=a") == 403
    lists = AuthBackendSettings("people", allow_tokens=("secret",), backends=(URL,), allow_default=True)
    server.configure(AuthSettings("auth://people"), auth_backends={"people": lists})
    server.backend.reply = BackendFailed("refused")
    assert server.status(f"{PLAYLIST}?token=secret") == 200
    assert server.status(f"{PLAYLIST}?token=other") == 200, "allow default"


def test_events_of_a_session(server: Guarded) -> None:
    server.get(f"{SEGMENT}?token=a")
    server.advance(IDLE_S)
    server.advance(1)
    assert [event["event"] for event in server.events] == ["play_opened", "play_started", "play_closed"]
    closed = server.events[-1]
    assert closed["media"] == "ort" and closed["bytes"] > 1000 and "token" not in closed
    assert closed["query_string"] == "token=***" and closed["duration"] == closed["closed_at"] - closed["opened_at"]
    assert server.sessions.bytes_out("ort") == closed["bytes"]
