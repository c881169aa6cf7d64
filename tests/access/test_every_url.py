"""
Every URL of the table of routes, with every kind of authority: nobody gets in without a token, with a wrong one, with
one that has expired, with one for another stream; neither by GET nor by HEAD. OPTIONS gives nothing away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flussdvr.access.authority import secure_hash
from flussdvr.access.verdict import Reply
from flussdvr.config.model import AuthBackendSettings, AuthSettings, Config, StreamSettings
from flussdvr.web.media.routes import MediaSite
from tests.playback.recordings import Recording, T
from tests.web.media.test_gate import FAMILIES, URL, Guarded

EVERY = [url for urls in FAMILIES.values() for url in urls]
"""test_gate sees to it that no kind of URL and no row of the table is missing."""
S = T // 1000
IP = "192.168.1.1"
HOUR = 3_600_000


def signed(name: str, begin_ms: int, end_ms: int) -> str:
    start, end = f"{begin_ms // 1000}", f"{end_ms // 1000}"
    return f"{secure_hash(name, IP, start, end, 'KEY', 'salt')}-salt-{end}-{start}"


def plain(name: str, begin_ms: int, end_ms: int) -> str:
    return f"{name}.{end_ms}"


def backend(server: Guarded) -> None:
    """Knows tokens as `plain` makes them."""

    def reply(question: dict[str, str]) -> Reply:
        name, _, end_ms = question["token"].partition(".")
        good = name == question["name"] and end_ms.isdigit() and server.now_ms < int(end_ms)
        return Reply(200 if good else 403, {"x-authduration": "10"})

    server.backend.reply = reply


@dataclass(frozen=True)
class Case:
    on_play: AuthSettings
    token: Callable[[str, int, int], str]
    lists: tuple[AuthBackendSettings, ...] = ()


CASES = {
    "http": Case(AuthSettings(URL), plain),
    "securetoken": Case(AuthSettings("securetoken://KEY"), signed),
    "auth_backend": Case(
        AuthSettings("auth://people"),
        plain,
        (AuthBackendSettings("people", deny_tokens=("wrong",), allow_uas=("admin/",), backends=(URL,)),),
    ),
}


def guarded(folder: Path, case: Case) -> Guarded:
    recording = Recording(folder)
    recording.blob()
    server = Guarded([recording])
    backend(server)
    streams = {name: StreamSettings(name, on_play=case.on_play) for name in ("ort", "other")}
    server.config = Config(streams=streams, auth_backends={one.name: one for one in case.lists})
    return server


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def with_token(url: str, token: str | None) -> str:
    return f"/ort/{url}" + ("" if token is None else f"{'&' if '?' in url else '?'}token={token}")


def test_nobody_without_a_good_token(tmp_path: Path, case: Case) -> None:
    server = guarded(tmp_path, case)
    now = server.now_ms
    shown = {
        "none": None,
        "empty": "",
        "wrong": "wrong",
        "expired": case.token("ort", now - 2 * HOUR, now - HOUR),
        "of another stream": case.token("other", now - HOUR, now + HOUR),
    }
    for url in EVERY:
        for what, token in shown.items():
            for method in ("GET", "HEAD"):
                answer = server.get(with_token(url, token), method=method)
                assert answer.status == 403, (method, url, what)
                assert "x-session" not in answer.headers and "content-range" not in answer.headers, (url, what)
    assert len(server.sessions) == 0


def test_a_good_token_is_enough_until_it_expires(tmp_path: Path, case: Case) -> None:
    for number, url in enumerate(EVERY):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = guarded(folder, case)
        good = with_token(url, case.token("ort", server.now_ms - HOUR, server.now_ms + 5_000))
        head = server.open(good).value()[:12]
        assert head and head != b"HTTP/1.1 403", url
        server.advance(11)
        assert server.get(good).status == 403, f"{url} after its token has expired"


def test_options_ask_nobody_and_tell_nothing(tmp_path: Path, case: Case) -> None:
    server = guarded(tmp_path, case)
    for url in [*EVERY, "no/such.thing"]:
        for name in ("ort", "nobody"):
            answer = server.get(f"/{name}/{url}", method="OPTIONS")
            assert (answer.status, answer.text) == (204, ""), url
            assert "x-session" not in answer.headers
    assert not server.backend.asked and len(server.sessions) == 0


def test_there_is_no_way_around_the_gate() -> None:
    rules = [rule.rule for rule in MediaSite._app.url_map.iter_rules()]
    assert rules == ["/<path:path>"], "a second route of the media site needs a gate of its own, and tests"
