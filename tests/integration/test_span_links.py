"""Links to a span: made in the API, opened by real players, counted, revoked; on a stream that nobody may watch."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab.curl import Api, curl
from tests.integration.lab.server import Server
from tests.integration.lab.transport import heavy
from tests.integration.lab.wait import TIMEOUT_S, until

pytestmark = pytest.mark.alone

NOBODY = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nobody answers where `on_play` asks."""
    streams = (
        f"stream site/gate {{ input publish://; dvr @main; segment_duration 2; on_play {NOBODY};"
        " thumbnails enabled=ondemand; }"
    )
    server = Server(tmp_path_factory.mktemp("links"), streams).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def begin(server: Server) -> int:
    """The first of eight whole seconds that are recorded, about a megabyte each."""
    publisher = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
    publisher.request("PUT", "/site/gate/mpegts", heavy(12, 40_000))
    assert publisher.getresponse().status == 204
    publisher.close()
    api = Api(server.http)

    def recorded() -> list[list[int]]:
        ranges: list[list[int]] = api.get("/streams/site%2Fgate/dvr/timeline")["ranges"]
        return ranges if ranges and ranges[0][1] - ranges[0][0] >= 11_500 else []

    return -(-until("12 s are recorded", recorded)[0][0] // 1000)


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server.http)


def made(api: Api, begin: int, **options: Any) -> dict[str, Any]:
    answer = api("POST", "/streams/site/gate/dvr/links", {"from": begin + 2, "duration": 6, **options})
    assert answer.status == 200, answer
    link: dict[str, Any] = answer.json
    return link


def of(api: Api, id: str) -> dict[str, Any]:
    links = api.get("/streams/site/gate/dvr/links")["links"]
    return next(link for link in links if link["id"] == id)


def error(server: Server, path: str, agent: str = "curl/8") -> str | None:
    answer = curl("-A", agent, server.url(path), user=None)
    return None if answer.status in (200, 206) else f"{answer.status} {answer.json['error']}"


def played(url: str, agent: str = "mpv/0.40") -> tuple[float, int]:
    """Seconds of video and frames, by ffprobe, which reads all of it."""
    command = ["ffprobe", "-v", "error", "-user_agent", agent, "-count_packets", "-select_streams", "v:0"]
    command += ["-show_entries", "format=duration:stream=nb_read_packets", "-of", "json", url]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S).stdout)
    return float(found["format"]["duration"]), int(found["streams"][0]["nb_read_packets"])


def test_players_and_the_limit_of_viewers(server: Server, api: Api, begin: int) -> None:
    link = made(api, begin, max_uses=1, title="for the police")
    urls = link["urls"]
    assert set(urls) == {"mp4", "hls", "ts", "jpg"} and all(url.startswith("/site/gate/") for url in urls.values())
    plain = urls["mp4"].partition("?")[0]
    assert error(server, plain) == "403 authorization_unavailable"
    for one in ("mp4", "hls", "ts"):
        duration, frames = played(server.url(urls[one]))
        assert abs(duration - 6) <= 1 and abs(frames - 150) <= 26, (one, duration, frames)
    assert error(server, urls["jpg"], "mpv/0.40") is None
    listed = of(api, link["id"])
    assert (listed["uses"], listed["title"], listed["created_by"]) == (1, "for the police", "admin")
    assert listed["urls"] == urls
    assert error(server, urls["mp4"], "another/1") == "403 link_used_up"
    outside = urls["mp4"].replace(f"archive-{begin + 2}-6.", f"archive-{begin + 1}-6.")
    live = urls["hls"].replace(f"index-{begin + 2}-6.", "index.")
    for url in (outside, live):
        assert error(server, url, "mpv/0.40") == "403 link_not_for_this"
    session = next(one for one in api.get("/sessions")["sessions"] if one["proto"] == "download")
    assert session["user_id"] == f"link {link['id']}" and session["bytes"] > 100_000


def test_a_restart_gives_no_use_back(server: Server, api: Api, begin: int) -> None:
    link = made(api, begin, max_uses=1, formats=["mp4"])
    path = link["urls"]["mp4"]
    assert error(server, path, "one/1") is None
    server.kill()
    server.start()
    assert error(server, path, "another/1") == "403 link_used_up"
    assert error(server, path, "one/1") is None, "whoever was counted comes back"
    assert of(api, link["id"])["uses"] == 1


def test_revoking_ends_what_is_running(server: Server, api: Api, begin: int) -> None:
    link = made(api, begin)
    path = link["urls"]["mp4"]
    head = server.get(path, method="HEAD")
    length = int(head.headers["content-length"])
    assert length > 5_000_000
    with socket.socket() as viewer:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.settimeout(10)
        viewer.connect(("127.0.0.1", server.http))
        viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = len(viewer.recv(1000))
        assert api("DELETE", f"/streams/site/gate/dvr/links/{link['id']}").status == 204
        try:
            while data := viewer.recv(1 << 16):
                received += len(data)
        except ConnectionResetError:
            pass
    assert received < length
    assert error(server, path) == "403 link_revoked"
    assert api("DELETE", f"/streams/site/gate/dvr/links/{link['id']}").status == 404
    assert all(one["id"] != link["id"] for one in api.get("/streams/site/gate/dvr/links")["links"])


def test_the_api(server: Server, api: Api, begin: int) -> None:
    link = made(api, begin, formats=["ts", "mp4"], expires_in=3600)
    assert link["formats"] == ["mp4", "ts"] == list(link["urls"]) and link["max_uses"] is None
    assert abs(link["expires_at"] - link["created_at"] - 3600) < 0.01
    viewer = Api(server.http, user="viewer:look")
    shown = next(one for one in viewer.get("/streams/site/gate/dvr/links")["links"] if one["id"] == link["id"])
    assert shown["urls"]["mp4"] == link["urls"]["mp4"].partition("?")[0]
    assert viewer("POST", "/streams/site/gate/dvr/links", {"from": begin, "duration": 1}).status == 403
    assert viewer("DELETE", f"/streams/site/gate/dvr/links/{link['id']}").status == 403
    assert api("GET", "/streams/nobody/dvr/links").status == 404
    assert api("DELETE", f"/streams/other/dvr/links/{link['id']}").status == 404
    future = made(api, begin + 86_400)
    assert error(server, future["urls"]["mp4"]) == "404 no_recordings"


def test_the_log_shows_no_token(server: Server, api: Api) -> None:
    links = api.get("/streams/site/gate/dvr/links")["links"]
    tokens = [one["urls"][one["formats"][0]].partition("?link=")[2] for one in links]
    log = Path(server.log).read_text()
    assert tokens and "link=***" in log
    assert not any(token in log for token in tokens)
