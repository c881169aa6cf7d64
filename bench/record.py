"""CPU and memory of recording: 20 UDP streams into one server, beside one `ffmpeg -c copy -f hls` of that stream."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import FOLDER, Result, cpu_s, median, rss_bytes, tree_cpu_s
from bench.media import MUX_RATE, load_ts
from lab.server import Server, free_port

STREAMS = 20
WARM_UP_S = 12
ROUNDS = 3
ROUND_S = 20
SEGMENT_S, SEGMENT_COUNT = 5, 4


def ffmpeg_hls(port: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *["ffmpeg", "-v", "quiet", "-nostdin", "-i", f"udp://127.0.0.1:{port}?fifo_size=100000", "-c", "copy"],
            *["-bsf:a", "aac_adtstoasc", "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", str(SEGMENT_S)],
            *["-hls_list_size", str(SEGMENT_COUNT), "-hls_flags", "delete_segments", str(folder / "live.m3u8")],
        ]
    )


def run() -> list[Result]:
    folder = FOLDER / "record"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "hls").mkdir(parents=True)
    ports = [free_port() for _ in range(STREAMS)]
    streams = "\n".join(
        f"stream s{i} {{ input udp://127.0.0.1:{port}; dvr @main; segment_duration {SEGMENT_S}; }}"
        for i, port in enumerate(ports)
    )
    server = Server(folder.absolute(), streams).start()
    assert server.process is not None
    pid = server.process.pid
    time.sleep(2)
    base = rss_bytes(pid)
    other = free_port()
    total_s = WARM_UP_S + SEGMENT_S * (SEGMENT_COUNT + 1) + ROUNDS * ROUND_S + 5
    source = str(load_ts(240))
    sender = subprocess.Popen([sys.executable, "-m", "bench.sender", source, str(total_s), *map(str, [*ports, other])])
    theirs = ffmpeg_hls(other, folder / "hls")
    try:
        time.sleep(WARM_UP_S + SEGMENT_S * (SEGMENT_COUNT + 1))
        our_rounds, their_rounds = [], []
        for _ in range(ROUNDS):
            ours_before, theirs_before = tree_cpu_s(pid), cpu_s(theirs.pid)
            time.sleep(ROUND_S)
            our_rounds.append((tree_cpu_s(pid) - ours_before) / STREAMS / ROUND_S * 1000)
            their_rounds.append((cpu_s(theirs.pid) - theirs_before) / ROUND_S * 1000)
        grown = (rss_bytes(pid) - base) / STREAMS
        recorded = [sum(e - b for b, e in server.ranges(f"s{i}")) for i in range(STREAMS)]
    finally:
        theirs.send_signal(signal.SIGINT)
        theirs.wait(10)
        sender.wait(total_s + 10)
        server.stop()
    expected = total_s - 10
    if min(recorded) < expected:
        print(f"  only {min(recorded)} s of {expected} s recorded", file=sys.stderr)
    window = SEGMENT_S * SEGMENT_COUNT * MUX_RATE / 8
    ours, theirs_ms = median(our_rounds), median(their_rounds)
    ratio = ours / theirs_ms
    allowed = window / 1e6 + 2.1
    return [
        Result(
            *("CPU to record a 5 Mbit/s stream (20 at once)", "ms/stream-second", ours, theirs_ms, ratio),
            *("<= 0.5x", ratio <= 0.5, "ffmpeg -c copy -f hls (fMP4)"),
        ),
        Result(
            *("memory per recorded stream", "MB", grown / 1e6, None, None, f"<= {allowed:.1f} MB"),
            *(grown / 1e6 <= allowed, "its live window + 2 MiB"),
        ),
    ]
