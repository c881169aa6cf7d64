"""MPEG-TS segments made from the archive: CPU for each byte beside ffmpeg's, and what many viewers of one cost."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from bench.client import Connection, get
from bench.measure import FOLDER, Result, cpu_s, median
from bench.recordings import T0_MS, film
from bench.served import pid_of, served
from tests.integration.lab.server import Server

ROUNDS = 5
SECONDS = 600
"""Of the archive in each round: others each time, so nothing is in a cache."""
CROWD, CROWDED = 20, 30
"""So many viewers of each of so many segments."""


def run() -> list[Result]:
    archive = film()
    blob = next(Path(archive.root).rglob(f"{T0_MS}.mp4"))
    ours, theirs = [], []
    with served(archive) as server:
        for number in range(ROUNDS):
            theirs.append(_ffmpeg(blob, number * SECONDS))
            segments = _segments(server, T0_MS // 1000 + number * SECONDS, SECONDS)
            before = cpu_s(pid_of(server))
            connection = Connection(server.http)
            size = sum(connection.get(path).size for path in segments)
            connection.close()
            ours.append(size / 1e6 / (cpu_s(pid_of(server)) - before))
    ratio = median(ours) / median(theirs)
    made = Result(
        *("MPEG-TS segments from the archive, over HTTP", "MB/CPU-s", median(ours), median(theirs), ratio),
        *(">= 0.5x", ratio >= 0.5, "ffmpeg -c copy, fMP4 to TS"),
    )
    with served(archive) as server:
        begin = T0_MS // 1000
        alone = _crowd(server, _segments(server, begin, 3 * SECONDS)[:CROWDED], 1)
        together = _crowd(server, _segments(server, begin + 1800, 3 * SECONDS)[:CROWDED], CROWD)
    share = together / (alone * CROWD)
    figures = together * 1000 / CROWDED, alone * 1000 / CROWDED, share
    what = "each viewer's segment muxed for them"
    shared = Result(
        f"one segment for {CROWD} viewers at once", "CPU-ms", *figures, "<= 0.5x of that CPU", share <= 0.5, what
    )
    return [made, shared]


def _segments(server: Server, begin_s: int, seconds: int) -> list[str]:
    playlist = get(server.http, f"/film/mono-{begin_s}-{seconds}.ts.m3u8", keep=True).body.decode()
    return [f"/film/{line}" for line in playlist.splitlines() if line and not line.startswith("#")]


def _ffmpeg(blob: Path, begin_s: int) -> float:
    """MB of transport stream per CPU second."""
    out = FOLDER / "segments.ts"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", str(begin_s), "-i", str(blob), "-t", str(SECONDS)]
    process = subprocess.Popen([*command, "-c", "copy", "-f", "mpegts", str(out)])
    try:
        _, status, usage = _wait(process)
        assert status == 0
        return out.stat().st_size / 1e6 / (usage.ru_utime + usage.ru_stime)
    finally:
        out.unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes]):  # type: ignore[no-untyped-def]
    import os

    result = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(result[1])
    return result


def _crowd(server: Server, segments: list[str], viewers: int) -> float:
    """CPU seconds for all of them to get each segment at the same moment."""
    barrier = threading.Barrier(viewers)

    def watch() -> None:
        connection = Connection(server.http)
        for path in segments:
            barrier.wait()
            connection.get(path)
        connection.close()

    before = cpu_s(pid_of(server))
    threads = [threading.Thread(target=watch) for _ in range(viewers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return cpu_s(pid_of(server)) - before
