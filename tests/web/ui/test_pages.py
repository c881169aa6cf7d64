from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.web.media.usage import WebRequests
from tests.events.documents import documents
from tests.playback.recordings import Recording, T
from tests.web.ui.page_server import ASSET, PageServer

S = T // 1000
APPLICATION = b"<!doctype html>the application"
PLAYER = b"<!doctype html>the player"
SCRIPT = "/ui/assets/index-1a2b.js"


@pytest.fixture
def server() -> PageServer:
    return PageServer()


@pytest.mark.parametrize("url", ["/", "/admin", "/admin/", "/?x=1"])
def test_the_application_is_for_everybody(server: PageServer, url: str) -> None:
    answer = server.ask("GET", url)
    assert (answer.status, answer.body) == (200, APPLICATION)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["etag"] == '"a1"'
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self' blob:; font-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("url", ["/ort/embed.html", "/a/b/c/embed.html", "/ui/embed.html", "/a%2Fb/embed.html?t=1"])
def test_the_player_may_be_framed(server: PageServer, url: str) -> None:
    answer = server.ask("GET", url)
    assert (answer.status, answer.body) == (200, PLAYER)
    assert answer.headers["content-security-policy"].endswith("; frame-ancestors *")
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "cross-origin-opener-policy" not in answer.headers and "x-frame-options" not in answer.headers


def test_what_is_named_by_its_content_is_kept_for_ever(server: PageServer) -> None:
    answer = server.ask("GET", SCRIPT)
    assert (answer.status, answer.body) == (200, ASSET)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    icon = server.ask("GET", "/ui/icon.svg")
    assert (icon.status, icon.body, icon.headers["cache-control"]) == (200, b"<svg/>", "no-cache")


def test_each_form_has_its_own_tag(server: PageServer) -> None:
    plain = server.ask("GET", SCRIPT)
    small = server.ask("GET", SCRIPT, "Accept-Encoding: br, gzip")
    assert small.body == b"small" and small.headers["content-encoding"] == "gzip"
    assert small.headers["content-length"] == "5"
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != small.headers["etag"] and "content-encoding" not in plain.headers
    assert server.ask("GET", SCRIPT, "Accept-Encoding: gzip;q=0").body == ASSET
    assert "vary" not in server.ask("GET", "/ui/icon.svg", "Accept-Encoding: gzip").headers


@pytest.mark.parametrize("url", ["/", "/ort/embed.html", SCRIPT])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_head_and_not_modified(server: PageServer, url: str, encoding: str) -> None:
    accept = f"Accept-Encoding: {encoding}"
    whole = server.ask("GET", url, accept)
    head = server.ask("HEAD", url, accept)
    assert head.status == 200 and head.body == b""
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    kept = server.ask("GET", url, accept, f"If-None-Match: {whole.headers['etag']}")
    assert kept.status == 304 and kept.body == b"" and kept.headers["etag"] == whole.headers["etag"]
    assert kept.headers["cache-control"] == whole.headers["cache-control"]
    assert server.ask("GET", url, accept, 'If-None-Match: "other"').status == 200


@pytest.mark.parametrize(
    "url",
    [
        *("/ui/", "/ui", "/ui/index.html", "/ui/assets/", "/ui/assets/none.js", "/ui/SOURCES", "/ui/icon.svg/"),
        *("/ui/../index.html", "/ui/assets/../icon.svg", "/ui/assets/../../files.py", "/ui/%2e%2e/files.py"),
        *(
            "/ui/assets/%2e%2e/icon.svg",
            "/ui//icon.svg",
            "//ui/icon.svg",
            "/ui/icon.svg%00",
            "/ui/assets\\..\\icon.svg",
        ),
        *("/embed.html", "//embed.html", "/index.html", "/admin/x", "/%61dmin", "/ui/assets//etc/passwd"),
    ],
)
def test_nothing_else_is_a_page(server: PageServer, url: str) -> None:
    answer = server.ask("GET", url)
    assert answer.status in (400, 404) and answer.headers["content-type"] == "application/json"


def test_they_are_only_read(server: PageServer) -> None:
    for url in ("/", "/ort/embed.html", SCRIPT):
        for method in ("POST", "PUT", "DELETE"):
            answer = server.ask(method, url)
            assert (answer.status, answer.code, answer.headers["allow"]) == (
                405,
                "unknown_operation",
                "GET, HEAD, OPTIONS",
            )
        assert server.ask("OPTIONS", url).status == 204


def test_a_part_may_be_asked_for(server: PageServer) -> None:
    part = server.ask("GET", SCRIPT, "Range: bytes=8-10")
    assert (part.status, part.body) == (206, ASSET[8:11])
    assert server.ask("GET", SCRIPT, "Range: bytes=99999-").status == 416


@pytest.mark.parametrize("url", ["/", "/ort/embed.html"])
def test_a_checkout_without_built_files_says_so(url: str) -> None:
    answer = PageServer(files={}).ask("GET", url)
    assert answer.status == 503 and answer.headers["content-type"].startswith("text/html")
    assert b"make ui" in answer.body and answer.headers["cache-control"] == "no-store"


def test_a_listener_for_viewers_has_only_the_player() -> None:
    server = PageServer(config="http 80 { api off; } http 81; edit_auth admin secret;")
    for url in ("/", "/admin", "/ui/session"):
        assert server.ask("GET", url).status == 404
        assert server.ask("GET", url, port=81).status != 404
    assert server.ask("GET", "/ort/embed.html").body == PLAYER
    assert server.ask("GET", SCRIPT).status == 200


@pytest.mark.parametrize("name", ["ui", "admin", "streamer", "metrics", "ui/session", "flussonic"])
def test_streams_of_such_names_play(tmp_path: Path, name: str) -> None:
    recording = Recording(tmp_path, name)
    recording.blob()
    server = PageServer([recording])
    playlist = server.ask("GET", f"/{name}/mono-{S}-8.m3u8")
    assert playlist.status == 200 and playlist.body.startswith(b"#EXTM3U")
    assert server.ask("GET", f"/{name}/embed.html").body == PLAYER


def test_usage_knows_them_as_requests_without_a_session(server: PageServer) -> None:
    server.ask("GET", SCRIPT, "Cookie: flussdvr_session=s3cret", "User-Agent: test")
    events: list[object] = []
    usage = WebRequests(documents(events), lambda: server.now_ms)
    for request in server.accessed:
        usage(request, False)
    (event,) = events
    assert isinstance(event, dict)
    assert (event["event"], event["path"], event["status"]) == ("web_request", SCRIPT, 200)
    assert event["id"] is None and event["media"] is None and event["dvr_utc_ms"] is None
    assert event["bytes"] == event["bytes_from_ram"] == len(ASSET)
    assert "s3cret" not in str(event)
    assert len(server.sessions) == 0


def test_a_stream_may_be_called_as_the_assets(server: PageServer) -> None:
    answer = server.ask("GET", "/ui/assets/embed.html")
    assert answer.status == 200 and answer.headers["cache-control"] == "no-cache", "it is another after an update"
