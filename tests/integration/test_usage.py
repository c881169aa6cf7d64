"""`web_request` tells how many bytes left the server: 200 requests, ranged and aborted, by a proxy that counts."""

from __future__ import annotations

import fcntl
import json
import random
import re
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab.server import Server
from tests.integration.lab.wait import until

pytestmark = pytest.mark.alone

DOWNLOADS = 200
AT_ONCE = 20
SOURCES = ("bytes_from_ram", "bytes_from_dvr_cache", "bytes_from_dvr_disk", "bytes_from_dvr_remote")
WINDOW = 32 << 10


class Download(threading.Thread):
    """
    One request, as a proxy makes it for a client who may leave after `stop` bytes of the body; `body` counts what came.

    A client who leaves closes its side; the proxy reads what the server has sent until then. With `reset` the
    connection breaks; what had come until then and was not read is looked up, not read.
    """

    def __init__(self, server: Server, path: str, headers: str = "", method: str = "GET", version: str = "1.0") -> None:
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.method, self.version, self.headers = method, version, headers
        self.leaves: int | None = None
        self.reset = False
        self.body = 0
        self.status = 0
        self.length: int | None = None
        self._chunks: Chunks | None = None

    def run(self) -> None:
        with socket.socket() as upstream:
            upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
            upstream.settimeout(30)
            upstream.connect(("127.0.0.1", self.server.http))
            head = (
                f"{self.method} {self.path} HTTP/{self.version}\r\nHost: x\r\nConnection: close\r\n{self.headers}\r\n"
            )
            upstream.sendall(head.encode())
            self._receive(upstream)

    def _receive(self, upstream: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += upstream.recv(4096)
        head, _, rest = head.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        if found := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
            self.length = int(found[1])
        if re.search(rb"(?i)\r\ntransfer-encoding: chunked", head):
            self._chunks = Chunks()
        self._count(rest)
        left = False
        while True:
            if self.leaves is not None and self.body >= self.leaves and not left:
                left = True
                if self.reset:
                    self._reset(upstream)
                    return
                time.sleep(0.05)
                upstream.shutdown(socket.SHUT_WR)
            try:
                data = upstream.recv(8192)
            except ConnectionResetError:
                return
            if not data:
                return
            self._count(data)

    def _count(self, data: bytes) -> None:
        self.body += len(data) if self._chunks is None else self._chunks.feed(data)

    def _reset(self, upstream: socket.socket) -> None:
        """Once nothing more comes: all has come, or there is no room for more."""
        came, quiet = -1, 0
        while quiet < 24:
            time.sleep(0.02)
            now = struct.unpack("i", fcntl.ioctl(upstream.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0]
            is_all = self.length is not None and self.body + now >= self.length
            is_sure = is_all or now >= WINDOW // 4
            quiet = 0 if now != came else quiet + 4 if is_sure else quiet + 1
            came = now
        self._count(upstream.recv(came, socket.MSG_PEEK) if came else b"")
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Chunks:
    """Counts the bytes inside of chunks (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self._line = b""
        self._left = 0

    def feed(self, data: bytes) -> int:
        inside = 0
        while data:
            if self._left:
                taken = min(len(data), self._left)
                self._left -= taken
                inside += taken
                data = data[taken:]
                continue
            line, ended, rest = data.partition(b"\n")
            self._line += line
            if not ended:
                break
            data = rest
            text, self._line = self._line.strip(), b""
            self._left = int(text, 16) if text else 0
        return inside


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("usage")
    log = folder / "usage.json"
    settings = f"event_sink u {{ url jsonlog://{log}; only event=web_request; max_size 1G; }}"
    stream = "stream cam { input fake://?size=1280x720&fps=10&gop=10; dvr @main; segment_duration 1; thumbnails; }"
    server = Server(folder, stream, settings=settings).start()
    server.wait_recorded("cam", 14)
    yield server, log
    server.stop()


def events(log: Path) -> dict[str, dict[str, Any]]:
    """By the number that each request calls its referer."""
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return {e["referer"]: e for e in found if e["referer"]}


def wait_for(log: Path, count: int) -> dict[str, dict[str, Any]]:
    """The events, once there are so many."""
    until(f"{count} events", lambda: len(events(log)) >= count)
    return events(log)


def segments(server: Server, begin: int, kind: str) -> list[str]:
    playlist = server.text(f"/cam/mono-{begin}-8.{kind}.m3u8")
    return ["/cam/" + line.partition("?")[0] for line in playlist.splitlines() if line and line[0] != "#"]


def ask(server: Server, log: Path, path: str, number: int, headers: dict[str, str] | None = None) -> dict[str, Any]:
    before = len(events(log))
    size = len(server.get(path, {**(headers or {}), "Referer": str(number)}).read())
    event = wait_for(log, before + 1)[str(number)]
    assert sum(event[source] for source in SOURCES) == size
    return event


def test_where_the_bytes_come_from(recorded: tuple[Server, Path]) -> None:
    server, log = recorded
    begin = int(server.ranges("cam")[0][0]) + 1

    def sources(event: dict[str, Any]) -> list[int]:
        return [index for index, source in enumerate(SOURCES) if event[source]]

    mp4 = ask(server, log, f"/cam/archive-{begin}-5.mp4", 9001)
    assert sources(mp4) == [0, 2] and mp4["dvr_utc_ms"] == begin * 1000 and not mp4["aborted"]
    assert mp4["method"] == "GET" and mp4["ip"] == "127.0.0.1" and len(mp4["id"]) == 40 and mp4["media"] == "cam"
    ranged = ask(server, log, f"/cam/archive-{begin}-5.mp4", 9002, {"Range": "bytes=0-9"})
    assert sources(ranged) == [0] and ranged["bytes"] == 10 and ranged["status"] == 206
    fmp4, ts = segments(server, begin, "fmp4")[0], segments(server, begin, "ts")[4]
    recorded_one = ask(server, log, fmp4, 9003)
    assert sources(recorded_one) == [2] and abs(recorded_one["dvr_utc_ms"] - begin * 1000) < 1500
    assert sources(ask(server, log, ts, 9004)) == [2], "read and made"
    assert sources(ask(server, log, ts, 9005)) == [1], "made before"
    assert sources(ask(server, log, f"/cam/archive-{begin}-3.ts", 9006)) == [2]
    playlist = ask(server, log, f"/cam/mono-{begin}-3.m3u8", 9007)
    assert sources(playlist) == [0] and playlist["dvr_utc_ms"] == begin * 1000
    for number, name in enumerate(("mono.m3u8", "mono.ts.m3u8", None, None)):
        path = f"/cam/{name}"
        if name is None:
            lines = server.text("/cam/mono.m3u8" if number == 2 else "/cam/mono.ts.m3u8").splitlines()
            path = "/cam/" + [line for line in lines if line and line[0] != "#"][-1]
        live = ask(server, log, path, 9010 + number)
        assert sources(live) == [0] and live["dvr_utc_ms"] is None, live


def urls(server: Server, begin: int) -> list[str]:
    """Of every kind; what is live is live now."""
    paths = [
        f"archive-{begin}-10.mp4",
        f"archive-{begin}-8.mp4",
        f"archive-{begin + 1}-9.ts",
        f"archive/{begin}/7/mpegts",
    ]
    paths += [
        f"timeshift_abs-{begin}.m3u8",
        f"index-{begin}-8.m3u8",
        f"mono-{begin}-8.m3u8",
        "rewind-8.m3u8",
        "index.m3u8",
    ]
    paths += ["mono.m3u8", "mono.ts.m3u8", "recording_status.json", "media_info.json", f"{begin + 3}-preview.mp4"]
    paths += ["preview.mp4", f"{begin + 2}-preview.jpg?width=160", f"sprite-{begin}-8-2x2.vtt"]
    paths += [f"{begin}.jpg", "archive-1-1.mp4", "index.m3u8?utc=soon", "init-0123456789abcdef.mp4", "nothing.here"]
    recorded = segments(server, begin, "fmp4")[:4] + segments(server, begin, "ts")[:4]
    live = [
        "/cam/" + line.partition("?")[0]
        for name in ("mono.m3u8", "mono.ts.m3u8")
        for line in server.text(f"/cam/{name}").splitlines()
        if line and line[0] != "#"
    ]
    return [f"/cam/{path}" for path in paths] + recorded + live[-3:] + live[:1]


def some_downloads(server: Server, begin: int, first: int, count: int, chance: random.Random) -> list[Download]:
    every = urls(server, begin)
    large = [path for path in every if re.search(r"/archive-\d\d+-\d|/7/mpegts|\d\.(m4s|ts)$", path)]
    made = []
    for number in range(first, first + count):
        path = every[number] if number < len(every) else chance.choice(large if chance.random() < 0.7 else every)
        headers = f"Referer: {number}\r\n"
        if chance.random() < 0.3:
            at = chance.randrange(0, 200_000)
            headers += f"Range: bytes={at}-{chance.choice(['', '', at + chance.randrange(1_000_000)])}\r\n"
        if chance.random() < 0.3:
            headers += "Accept-Encoding: gzip\r\n"
        method = "HEAD" if chance.random() < 0.08 else "GET"
        one = Download(server, path, headers, method, chance.choice(["1.0", "1.1"]))
        if path in large and method == "GET" and number >= len(every) and chance.random() < 0.7:
            one.leaves = chance.randrange(1, 200_000)
            one.reset = chance.random() < 0.3
        made.append(one)
    endless = Download(server, "/cam/mpegts", f"Referer: {first + count}\r\n", version=chance.choice(["1.0", "1.1"]))
    endless.leaves = chance.randrange(1, 400_000)
    return [*made, endless]


def test_the_sum_is_what_left_the_server(recorded: tuple[Server, Path]) -> None:
    server, log = recorded
    begin = int(server.ranges("cam")[0][0]) + 1
    chance = random.Random(5)
    before = events(log)
    downloads: list[Download] = []
    while len(downloads) < DOWNLOADS:
        some = some_downloads(server, begin, len(downloads), AT_ONCE - 1, chance)
        downloads += some
        for one in some:
            one.start()
        for one in some:
            one.join(40)
    told = wait_for(log, len(before) + DOWNLOADS)
    wrong = []
    for number, one in enumerate(downloads):
        event = told[str(number)]
        total = sum(event[source] for source in SOURCES)
        assert total == event["bytes"] and event["bytes_from_cache"] == event["bytes_from_dvr_cache"]
        assert (event["status"], event["method"]) == (one.status, one.method)
        if total != one.body:
            wrong.append((total - one.body, one.length, one.leaves, one.reset, one.version, event))
    assert not wrong, "\n".join(map(str, wrong))
    mine = [told[str(number)] for number in range(DOWNLOADS)]
    assert sum(event[source] for event in mine for source in SOURCES) == sum(one.body for one in downloads)
    assert sum(one.length is not None and one.body < one.length for one in downloads if one.method == "GET") >= 4
    assert sum(one.reset for one in downloads) >= 10 and {one.status for one in downloads} >= {200, 206, 400, 404, 416}
    assert all(sum(event[source] for event in mine) for source in SOURCES[:3]), "from everywhere"
