"""`web_request` tells how many bytes left the server: 60 downloads, ranged and aborted, through a proxy that counts."""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.server import Server

DOWNLOADS = 60
SOURCES = ("bytes_from_ram", "bytes_from_dvr_cache", "bytes_from_dvr_disk", "bytes_from_dvr_remote")
WINDOW = 32 << 10


class Download(threading.Thread):
    """
    One request, as a proxy makes it for a client who may leave after `stop` bytes of the body; `body` counts what came.

    A client who leaves closes its side; the proxy reads what the server has sent until then. With `reset` it does not,
    and the connection breaks.
    """

    def __init__(self, server: Server, path: str, headers: str, stop: int | None, reset: bool) -> None:
        super().__init__(daemon=True)
        self.server, self.path, self.headers = server, path, headers
        self.leaves, self.reset = stop, reset
        self.body = 0
        self.status = 0
        self.length: int | None = None

    def run(self) -> None:
        with socket.socket() as upstream:
            upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
            upstream.settimeout(30)
            upstream.connect(("127.0.0.1", self.server.http))
            upstream.sendall(f"GET {self.path} HTTP/1.0\r\nHost: x\r\n{self.headers}\r\n".encode())
            self._receive(upstream)

    def _receive(self, upstream: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += upstream.recv(4096)
        head, _, rest = head.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        if found := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
            self.length = int(found[1])
        self.body = len(rest)
        left = False
        while True:
            if self.leaves is not None and self.body >= self.leaves and not left:
                left = True
                time.sleep(0.05)
                if self.reset:
                    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                upstream.shutdown(socket.SHUT_WR)
            try:
                data = upstream.recv(8192)
            except ConnectionResetError:
                return
            if not data:
                return
            self.body += len(data)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("usage")
    log = folder / "usage.json"
    settings = f"event_sink u {{ url jsonlog://{log}; only event=web_request media=cam; max_size 1G; }}"
    stream = "stream cam { input fake://?size=1280x720&fps=10&gop=10; dvr @main; segment_duration 1; }"
    server = Server(folder, stream, settings=settings).start()
    server.wait_recorded("cam", 14)
    yield server, log
    server.stop()


def events(log: Path) -> dict[str, dict[str, Any]]:
    """By the number that each request calls its referer."""
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return {e["referer"]: e for e in found if e["referer"]}


def wait_for(log: Path, count: int) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + 20
    while len(told := events(log)) < count:
        assert time.monotonic() < deadline, f"{len(told)} of {count} events"
        time.sleep(0.1)
    return told


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


def test_the_sum_is_what_left_the_server(recorded: tuple[Server, Path]) -> None:
    server, log = recorded
    begin = int(server.ranges("cam")[0][0]) + 1
    paths = [f"/cam/archive-{begin}-10.mp4", f"/cam/archive-{begin}-8.mp4", f"/cam/archive-{begin}-9.ts"]
    paths += [f"/cam/archive/{begin}/7/mpegts", f"/cam/index-{begin}-8.m3u8", f"/cam/mono-{begin}-8.m3u8"]
    paths += segments(server, begin, "fmp4")[:3] + segments(server, begin, "ts")[:3] + ["/cam/index.m3u8"]
    paths += ["/cam/archive-1-1.mp4", f"/cam/{begin}.jpg"]
    chance = random.Random(5)
    before = events(log)
    downloads: list[Download] = []
    for number in range(DOWNLOADS):
        path = paths[number] if number < len(paths) else chance.choice(paths[:4])
        headers, stop = f"Referer: {number}\r\n", None
        if chance.random() < 0.3:
            first = chance.randrange(0, 200_000)
            headers += f"Range: bytes={first}-{chance.choice(['', '', first + chance.randrange(1_000_000)])}\r\n"
        if number >= len(paths) and chance.random() < 0.8:
            stop = chance.randrange(1, 200_000)
        downloads.append(Download(server, path, headers, stop, chance.random() < 0.25))
    for at in range(0, DOWNLOADS, 6):
        for one in downloads[at : at + 6]:
            one.start()
        for one in downloads[at : at + 6]:
            one.join(40)
    told = wait_for(log, len(before) + DOWNLOADS)
    cut_short = 0
    for number, one in enumerate(downloads):
        event = told[str(number)]
        total = sum(event[source] for source in SOURCES)
        assert total == event["bytes"] and event["bytes_from_cache"] == event["bytes_from_dvr_cache"]
        assert event["status"] == one.status and event["path"] == one.path
        if one.reset and one.leaves is not None:  # what lay in the proxy's receive buffer has left, and is not counted
            assert one.body <= total <= one.body + 8 * WINDOW, (event, one.body)
        else:
            assert total == one.body, (event, one.body, one.length)
        cut_short += one.length is not None and total < one.length
    assert cut_short >= 4, "some were aborted while there was more to send"
    assert sum(event["bytes_from_dvr_disk"] for event in told.values()) > 1_000_000
