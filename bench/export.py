"""How soon an hour can be watched or downloaded: the first byte of `archive-F-3600.mp4`, beside ffmpeg's remuxing."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.client import Pings, get, idle_s
from bench.measure import FOLDER, Result, median, waits, wall
from bench.recordings import T0_MS, film, forget
from bench.served import served

WARM = 15
ROUNDS = 3


def run() -> list[Result]:
    archive = film()
    warm, again, cold, held, idle, theirs, theirs_cold = [], [], [], [], [], [], []
    blob = next(Path(archive.root).rglob(f"{T0_MS}.mp4"))
    out = FOLDER / "faststart.mp4"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(blob), "-c", "copy", "-movflags", "+faststart"]
    try:
        for _ in range(ROUNDS):
            archive.forget_indexes()
            forget(blob)
            with served(archive) as server:
                cold.append(get(server.http, f"/film/archive-{T0_MS // 1000 + 1}-3600.mp4", enough=1).first_s)
                begin = time.perf_counter()
                with Pings(server.http) as pings:
                    for number in range(WARM):
                        # Another window each time: the indexes are known, the file is not.
                        path = f"/film/archive-{T0_MS // 1000 + 7 * number + 2}-3600.mp4"
                        warm.append(get(server.http, path, enough=1).first_s)
                        again.append(get(server.http, path, enough=1).first_s)
                held.append(pings.longest_s)
                idle.append(idle_s(server.http, time.perf_counter() - begin))
            theirs.append(wall(lambda: subprocess.run([*command, str(out)], check=True)))
            forget(blob)
            theirs_cold.append(wall(lambda: subprocess.run([*command, str(out)], check=True)))
    finally:
        out.unlink(missing_ok=True)
    what = "ffmpeg -c copy -movflags +faststart"
    results = []
    for name, times, their_times, limit_ms in (
        ("first byte of a one-hour MP4, index known", warm, theirs, 50),
        ("the same window again", again, theirs, 50),
        ("just after start, nothing in the page cache", cold, theirs_cold, 300),
    ):
        ours, them = median(times) * 1000, median(their_times) * 1000
        reached = ours <= limit_ms and them / ours >= 100
        target = f"<= {limit_ms} ms and >= 100x sooner"
        results.append(Result(name, "ms", ours, them, them / ours, target, reached, what))
    return [*results, waits("the longest wait of others meanwhile", held, idle)]
