"""The playlist of a day, 17 280 segments: how long it takes, and how long others wait meanwhile."""

from __future__ import annotations

import gzip
import time

from bench.client import Pings, get, idle_s
from bench.measure import Result, median, waits
from bench.recordings import T0_MS, day
from bench.served import served

COLD = 5
WARM = 30


def run() -> list[Result]:
    archive = day()
    path = f"/day/mono-{T0_MS // 1000}-86400.fmp4.m3u8"
    cold, warm, zipped, token, held_cold, held_warm, idle = [], [], [], [], [], [], []
    for _ in range(COLD):
        archive.forget_indexes()
        with served(archive) as server:
            with Pings(server.http) as pings:
                answer = get(server.http, path, keep=True)
            assert answer.body.count(b"#EXTINF") == 17_280, answer.body[-300:]
            cold.append(answer.total_s)
            held_cold.append(pings.longest_s)
            begin = time.perf_counter()
            with Pings(server.http) as pings:
                for number in range(WARM):
                    warm.append(get(server.http, path).total_s)
                    packed = get(server.http, path, "Accept-Encoding: gzip\r\n", keep=True)
                    zipped.append(packed.total_s)
                    secret = f"{path}?token={number:x}"
                    token.append(get(server.http, secret, "Accept-Encoding: gzip\r\n").total_s)
            held_warm.append(pings.longest_s)
            idle.append(idle_s(server.http, time.perf_counter() - begin))
            assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == answer.body

    def row(name: str, times: list[float], limit_ms: float, text: str) -> Result:
        ours = median(times) * 1000
        return Result(name, "ms", ours, None, None, text, ours <= limit_ms)

    return [
        row("playlist of a day (17 280 segments), warm", warm, 20, "<= 20 ms"),
        row("the same with gzip", zipped, 20, "<= 20 ms"),
        row("the same with gzip, for another token each time", token, 50, "-"),
        row("the same, cold: server just started, indexes on the disk", cold, 1000, "<= 1 s"),
        waits("the longest wait of others meanwhile, cold", held_cold, idle),
        waits("the longest wait of others meanwhile, warm", held_warm, idle),
    ]
