"""Viewers' authorization against a real server and a real backend, over real sockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import av
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from tests.integration.lab.server import Server
from tests.integration.lab.wait import TIMEOUT_S, until

pytestmark = pytest.mark.alone

ADMIN = {"Authorization": "Basic " + b64encode(b"admin:secret").decode()}
VIEWER = {"Authorization": "Basic " + b64encode(b"viewer:look").decode()}
API = "/streamer/api/v3"


class Backend:
    """
    Allows the token `good-STREAM...` for that stream, `until-TIME-STREAM` until that time, and what has 40 characters.

    `...-brief` is allowed for a second first, then for long.
    """

    def __init__(self, port: int = 0) -> None:
        self.asked: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                outer.asked.append(told)
                self.send_response(200 if outer.allows(told) else 403)
                if told["token"].startswith("until-"):
                    self.send_header("X-AuthDuration", "1")
                if told["token"].endswith("-brief") and told["request_type"] == "new_session":
                    self.send_header("X-AuthDuration", "1")
                self.end_headers()
                self.wfile.write(json.dumps(outer.body(told)).encode())

            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200 if outer.allows(told) else 403)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def allows(self, told: dict[str, str]) -> bool:
        token, name = told["token"], told["name"]
        if token.startswith("until-"):
            _, end, stream = token.split("-", 2)
            return stream == name and time.time() < float(end)
        return token.startswith(f"good-{name}") or len(token) == 40

    def body(self, told: dict[str, str]) -> dict[str, Any]:
        return {"allowed_dvr_ranges": []} if told["token"].endswith("-live") else {}

    def about(self, token: str) -> list[dict[str, str]]:
        return [told for told in self.asked if told["token"] == token]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def loopback_is_in(folder: Path, country: str) -> None:
    """A new database of countries."""
    database = MMDBWriter(6, "GeoLite2-Country", ipv4_compatible=True)
    database.insert_network(IPSet(["127.0.0.0/8"]), {"country": {"iso_code": country}})
    database.to_db_file(str(folder / "new.mmdb"))
    (folder / "new.mmdb").rename(folder / "countries.mmdb")


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[Server]:
    camera = "input fake://?size=160x90&fps=10&gop=10; dvr @main; segment_duration 1; thumbnails;"
    on_play = f"on_play http://127.0.0.1:{backend.port}/auth?key=backendsecret;"
    streams = f"""
        stream free {{ {camera} }}
        stream cam {{ {camera} {on_play} }}
        stream cam2 {{ {camera} {on_play} }}
        stream pushed {{ input publish://; on_publish http://127.0.0.1:{backend.port}/publish; }}
        stream abroad {{ input publish://; {on_play[:-1]} disallowed_countries=AT; }}
        stream signed {{ {camera} on_play securetoken://SIGNINGKEY; }}
    """
    folder = tmp_path_factory.mktemp("viewers")
    loopback_is_in(folder, "AT")
    server = Server(folder, streams, settings=f"geoip {folder}/countries.mmdb;")
    server.start()
    server.wait_recorded("free", 8)
    yield server
    server.stop()
    log = server.log.read_text()
    assert "/cam/" in log
    for secret in ("good-cam", "until-", "wrong-token", "SIGNINGKEY", "backendsecret", "-salt-"):
        assert secret not in log, f"{secret} in the log"


@pytest.fixture(scope="module")
def begin(server: Server) -> int:
    return int(server.ranges("free")[0][0]) + 1


def status(server: Server, path: str, method: str = "GET") -> int:
    with server.get(path, method=method) as response:
        return response.status


def watching(server: Server, path: str, user_agent: str = "x") -> socket.socket:
    """A connection on which an answer has begun."""
    viewer = socket.create_connection(("127.0.0.1", server.http), 10)
    viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {user_agent}\r\n\r\n".encode())
    assert viewer.recv(100).startswith(b"HTTP/1.1 200")
    return viewer


def families(begin: int) -> list[str]:
    return [
        *("index.m3u8", "mono.m3u8", "video.m3u8", "tracks-v1/mono.m3u8", "mpegts"),
        *(f"index-{begin}-3.m3u8", f"mono-{begin}-now.m3u8", f"archive-{begin}-3.mp4", f"archive-{begin}-3.ts"),
        *(f"archive/{begin}/3/mpegts", f"timeshift_abs-{begin}.m3u8", f"{begin}.ts", "rewind-5.m3u8"),
        *("timeshift_rel-2.m3u8", "timeshift_rel-2.ts", "preview.jpg", f"{begin}.jpg", f"{begin}-preview.mp4"),
        *("recording_status.json", "media_info.json"),
    ]


def segment(server: Server, token: str, begin: int, stream: str = "cam") -> str:
    """A segment of the archive."""
    path = f"/{stream}/mono-{begin}-3.m3u8?token={token}"
    lines = [line for line in server.text(path).splitlines() if not line.startswith("#")]
    return urljoin(path, lines[0])


def signed(name: str = "signed", end: float = 3600, ip: str = "127.0.0.1", key: str = "SIGNINGKEY") -> str:
    start, stop = str(int(time.time()) - 10), str(int(time.time() + end))
    return f"{hashlib.sha1(f'{name}{ip}{start}{stop}{key}salt'.encode()).hexdigest()}-salt-{stop}-{start}"


def test_every_family_of_urls(server: Server, begin: int) -> None:
    good, expired = "good-cam-all", f"until-{int(time.time()) - 5}-cam"
    for url in [f"/cam/{family}" for family in families(begin)] + [segment(server, good, begin).partition("?")[0]]:
        for token in ("wrong-token", expired):
            assert status(server, f"{url}?token={token}") == 403, (url, token)
            assert status(server, f"{url}?token={token}", "HEAD") == 403, (url, token)
        assert status(server, url.replace("/cam/", "/cam2/", 1) + f"?token={good}") == 403, url
        assert status(server, f"{url}?token={good}", "HEAD") in (200, 302), url
        assert status(server, url.replace("/cam/", "/signed/", 1)) == 403, url


def test_signed_tokens(server: Server, begin: int) -> None:
    for url in (f"/signed/index-{begin}-3.m3u8", f"/signed/archive-{begin}-3.mp4", "/signed/mpegts"):
        assert status(server, f"{url}?token={signed()}", "HEAD") == 200
        for token in (signed(end=-1), signed(name="cam"), signed(ip="192.0.2.1"), signed(key="OTHER")):
            assert status(server, f"{url}?token={token}") == 403


def test_who_has_signed_in_watches_without_a_question(server: Server, begin: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
    body = json.dumps({"user": "viewer", "password": "look"})
    page = {"X-Requested-With": "flussdvr", "Content-Type": "application/json"}
    connection.request("POST", "/ui/session", body, page)
    answer = connection.getresponse()
    assert answer.status == 200 and json.load(answer)["user"] == "viewer"
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    page["Cookie"] = cookie

    def watched() -> list[int]:
        # A token of a kind that the stream would refuse: it is not asked about.
        urls = [f"/signed/{family}?token=no" for family in ("index.m3u8", f"archive-{begin}-3.mp4", "media_info.json")]
        return [server.get(url, {"Cookie": cookie}, "HEAD").status for url in urls]

    assert watched() == [200, 200, 200]
    assert server.get(f"{API}/streams/signed", {"Cookie": cookie}).status == 200
    connection.request("DELETE", "/ui/session", headers=page)
    assert connection.getresponse().status == 204
    connection.close()
    assert watched() == [403, 403, 403]
    assert server.get(f"{API}/streams/signed", {"Cookie": cookie}).status == 401
    assert cookie.partition("=")[2] not in server.log.read_text()


def test_a_thousand_requests_are_one_question(server: Server, backend: Backend, begin: int) -> None:
    path = segment(server, "good-cam-thousand", begin)
    failures: list[int] = []

    def fetch() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.http)
        for _ in range(125):
            connection.request("GET", path, headers={"Range": "bytes=0-99"})
            response = connection.getresponse()
            if len(response.read()) != 100:
                failures.append(response.status)
        connection.close()

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    asked = backend.about("good-cam-thousand")
    assert len(asked) == 1
    assert (asked[0]["media_request"], asked[0]["dvr"]) == (f"dvr_session-hls_playlist-{begin}-3", "true")


def test_when_permission_ends_one_question_is_asked(server: Server, backend: Backend, begin: int) -> None:
    segment_path = segment(server, "good-cam-brief", begin)
    with watching(server, f"/cam/timeshift_abs-{begin}.ts?token=good-cam-long-brief") as endless:
        until(
            "it is asked about again", lambda: endless.recv(1 << 16) and len(backend.about("good-cam-long-brief")) > 1
        )
        threads = [threading.Thread(target=status, args=(server, segment_path)) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(endless.recv(1 << 16) for _ in range(3)), "it goes on"
    for token in ("good-cam-brief", "good-cam-long-brief"):
        asked = [(told["request_type"], told["request_number"], told["dvr"]) for told in backend.about(token)]
        assert asked == [("new_session", "0", "true"), ("update_session", "1", "true")]


def test_a_player_without_a_token_is_given_one(server: Server, backend: Backend, begin: int) -> None:
    before = len(backend.asked)
    with av.open(server.url(f"/cam/index-{begin}-3.m3u8")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 20
    tokens = {told["token"] for told in backend.asked[before:]}
    assert len(tokens) == 1 and len(backend.asked) - before == 1


def test_a_token_that_expires_is_asked_about_again(server: Server, backend: Backend, begin: int) -> None:
    began = time.monotonic()
    token = f"until-{time.time() + 4:.0f}-cam"
    path = segment(server, token, begin)
    seen = [status(server, path)]
    until("it is refused", lambda: seen.append(status(server, path)) or seen[-1] == 403)
    seen += [status(server, path) for _ in range(10)]
    assert seen[0] == 200 and seen == sorted(seen), "refused once, refused for good"
    assert 3 <= len(backend.about(token)) <= time.monotonic() - began + 3, "about once a second"


def test_countries_and_a_new_database(server: Server, backend: Backend) -> None:
    def answer() -> str:
        with server.get("/abroad/index.m3u8?token=good-abroad") as response:
            return str(json.loads(response.read())["error"])

    assert answer() == "country_not_allowed"
    assert not backend.about("good-abroad")
    loopback_is_in(server.folder, "DE")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)
    until("it is reloaded", lambda: f"reloaded {server.config}" in server.log.read_text())
    assert answer() == "country_not_allowed", "it was decided a moment ago"
    with server.get(f"{API}/sessions/reauth?name=abroad", ADMIN, "POST") as response:
        assert response.status == 200
    assert answer() == "no_recordings"
    assert backend.about("good-abroad")[0]["country"] == "DE"


def test_an_archive_that_is_not_allowed(server: Server, begin: int) -> None:
    token = "good-cam-live"
    live = server.text(f"/cam/mono.m3u8?token={token}")
    newest = [line for line in live.splitlines() if not line.startswith("#")][-1]
    assert status(server, f"/cam/{newest}") == 200
    assert status(server, f"/cam/mono-{begin}-3.m3u8?token={token}") == 403
    assert status(server, f"/cam/archive-{begin}-3.mp4?token={token}") == 403


def test_sessions_in_the_api_and_sending_one_away(server: Server, begin: int) -> None:
    def api(method: str, path: str, headers: dict[str, str] = ADMIN) -> tuple[int, Any]:
        with server.get(API + path, headers, method) as response:
            body = response.read()
            return response.status, json.loads(body) if body else None

    path = "/cam/mpegts?token=good-cam-kicked"
    with watching(server, path, "kicked/1") as viewer:
        time.sleep(1)
        code, answer = api("GET", "/sessions?name=cam&user_agent=kicked/1&limit=5")
        assert code == 200 and answer["estimated_count"] == 1, answer
        session = answer["sessions"][0]
        assert (session["proto"], session["ip"], session["dvr"]) == ("tshttp", "127.0.0.1", False)
        assert session["token"] == "good-cam-kicked" and session["bytes"] > 0
        assert "token" not in api("GET", f"/sessions/{session['id']}", VIEWER)[1]
        assert api("GET", "/streams/cam")[1]["stats"]["online_clients"] >= 1
        assert api("DELETE", f"/sessions/{session['id']}", VIEWER)[0] == 403
        assert api("DELETE", f"/sessions/{session['id']}")[0] == 204
        viewer.settimeout(5)
        try:
            while viewer.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
    assert status(server, path) == 403
    assert api("GET", f"/sessions/{session['id']}")[0] == 404
    assert api("POST", "/sessions/reauth?name=cam")[1]["estimated_count"] >= 1
    assert api("POST", "/sessions/reauth?name=nobody")[0] == 404


SECRET = "s3cr3t-of-somebody"


@pytest.mark.parametrize("stream", ["free", "cam", "signed"])
def test_tokens_are_not_in_the_log(server: Server, begin: int, stream: str) -> None:
    before = len(server.log.read_text())
    marks = [
        f"token={SECRET}",
        f"to%6ben={SECRET}",
        f"a=1?token={SECRET}",
        f"a=1&amp;token={SECRET}",
        f"TOKEN={SECRET}",
    ]
    urls = [f"{url}?token={SECRET}" for url in families(begin)] + [f"index.m3u8?{mark}" for mark in marks]
    urls += [f"index.m3u8?utc=x&token={SECRET}", f"no.such?token={SECRET}", f"archive-1-1.mp4?password={SECRET}"]
    others = {"Referer": f"http://tv/?token={SECRET}", "Authorization": f"Bearer {SECRET}", "Cookie": f"x={SECRET}"}
    for url in urls:
        if url.startswith("mpegts") or ".ts?" in url or "/mpegts" in url:
            status(server, f"/{stream}/{url}", "HEAD")
            continue
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            with server.get(f"/{stream}/{url}", others, method) as response:
                response.read()
    with server.get(f"{API}/sessions?token={SECRET}", ADMIN) as response:
        assert response.status == 200
    until("it is logged", lambda: "/sessions?token=" in server.log.read_text()[before:])
    log = server.log.read_text()[before:]
    assert SECRET not in log
    for url in urls:
        assert f"/{stream}/{url.partition('?')[0]}?" in log, url


def publish(server: Server, token: str) -> str:
    """The beginning of the answer to a publisher who sends for half a second, and then ends."""
    packet = b"\x47\x1f\xff\x10" + bytes(184)
    with socket.create_connection(("127.0.0.1", server.http), 10) as publisher:
        head = f"PUT /pushed/mpegts?token={token} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        publisher.sendall(head.encode())
        try:
            for _ in range(5):
                publisher.sendall(b"%x\r\n%s\r\n" % (len(packet) * 7, packet * 7))
                time.sleep(0.1)
            publisher.sendall(b"0\r\n\r\n")
        except OSError:
            pass
        return publisher.recv(1000).decode().partition("\r\n")[0]


def test_publishers(server: Server) -> None:
    assert publish(server, "good-pushed").startswith("HTTP/1.1 204")
    assert publish(server, "wrong-token").startswith("HTTP/1.1 403")


def test_a_backend_that_dies(server: Server, backend: Backend, begin: int) -> None:
    running = segment(server, "good-cam-running", begin)
    asked = len(backend.about("good-cam-running"))
    with watching(server, "/cam/mpegts?token=good-cam-live-viewer") as viewer:
        backend.stop()
        with server.get(f"{API}/sessions/reauth?name=cam", ADMIN, "POST") as response:
            assert response.status == 200
        for _ in range(10):
            assert status(server, running) == 200
        for url in families(begin):
            assert status(server, f"/cam/{url}?token=good-cam-new") == 403, url
        assert all(viewer.recv(1 << 16) for _ in range(3)), "who watches goes on watching"
    backend.__init__(backend.port)  # type: ignore[misc]
    time.sleep(5.2)
    assert status(server, running.replace("-running", "-new")) == 200
    assert status(server, running) == 200
    assert asked == 1
