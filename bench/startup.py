"""Seconds from `exec` to the first answer, with 100 streams x 30 days on the disk, after a crash and after a stop."""

from __future__ import annotations

import json
import time

from bench.client import get
from bench.measure import Result, median, rss_bytes
from bench.recordings import DAYS, STREAMS, T0_MS, TAIL_S, month
from bench.served import pid_of
from tests.integration.lab.server import Server, free_port

ROUNDS = 3


def run() -> list[Result]:
    archive = month()
    streams = "\n".join(f"stream s{n} {{ input udp://127.0.0.1:{free_port()}; dvr @long; }}" for n in range(STREAMS))
    settings = f"dvr long {{ root {archive.root}; expiration 3650d; }}"
    after_crash, after_stop, memory = [], [], []
    for _ in range(ROUNDS):
        archive.restore()
        for times in (after_crash, after_stop):
            server = Server(archive.folder, streams, settings=settings)
            server.log.unlink(missing_ok=True)
            try:
                begin = time.perf_counter()
                server.start(60)
                times.append(time.perf_counter() - begin)
                memory.append(rss_bytes(pid_of(server)) / 1e6)
                _check(server)
            finally:
                server.stop()
    name = f"start with {STREAMS} streams x {DAYS} days ({STREAMS * DAYS * 24} blobs)"
    return [
        Result(f"{name}, {STREAMS} left open by a crash", "s", *_figures(after_crash)),
        Result(f"{name}, stopped in order", "s", *_figures(after_stop)),
        Result("memory after that", "MB", median(memory), None, None, "-", True),
    ]


def _figures(times: list[float]) -> tuple[float, None, None, str, bool]:
    return median(times), None, None, "<= 5 s", median(times) <= 5


def _check(server: Server) -> None:
    """Everything is listed, what the crash left open too."""
    end = T0_MS // 1000 + DAYS * 86400
    for name in ("s0", f"s{STREAMS - 1}"):
        answer = get(server.http, f"/{name}/recording_status.json?from={T0_MS // 1000}&to={end}", keep=True)
        ranges = json.loads(answer.body)[0]["ranges"]
        recorded = sum(one["duration"] for one in ranges)
        assert recorded == (DAYS * 24 - 1) * 3600 + TAIL_S, ranges
