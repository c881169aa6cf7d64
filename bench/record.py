"""CPU and memory of recording: 20 UDP streams into one server, beside one `ffmpeg -c copy -f hls` of that stream."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import FOLDER, Result, cpu_s, median, rss_bytes, tree_cpu_s
from bench.media import MUX_RATE, load_ts
from tests.integration.lab.server import Server, free_port

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
        our_rounds: list[float] = []
        their_rounds: list[float] = []
        sizes: list[list[float]] = []
        for _ in range(ROUNDS):
            ours_before, theirs_before = tree_cpu_s(pid), cpu_s(theirs.pid)
            sizes.append([])
            for _ in range(ROUND_S):
                time.sleep(1)
                sizes[-1].append((rss_bytes(pid) - base) / STREAMS / 1e6)
            our_rounds.append((tree_cpu_s(pid) - ours_before) / STREAMS / ROUND_S * 1000)
            their_rounds.append((cpu_s(theirs.pid) - theirs_before) / ROUND_S * 1000)
        listed_s = sum(map(float, re.findall(r"#EXTINF:([\d.]+)", server.text("/s0/mono.fmp4.m3u8"))))
        recorded = [server.ranges(f"s{i}") for i in range(STREAMS)]
        their_playlist = (folder / "hls" / "live.m3u8").read_text()
    finally:
        theirs.send_signal(signal.SIGINT)
        theirs.wait(10)
        sender.wait(total_s + 10)
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    # Both have really recorded all the time, and nothing was lost.
    expected_s = WARM_UP_S + SEGMENT_S * (SEGMENT_COUNT + 1) + ROUNDS * ROUND_S - 5
    for ranges in recorded:
        assert len(ranges) == 1 and ranges[0][1] - ranges[0][0] >= expected_s, f"{recorded}, {expected_s} s expected"
    their_s = sum(map(float, re.findall(r"#EXTINF:([\d.]+)", their_playlist)))
    their_count = int(re.findall(r"MEDIA-SEQUENCE:(\d+)", their_playlist)[0]) + SEGMENT_COUNT
    assert their_s / SEGMENT_COUNT * their_count >= expected_s - 10, their_playlist
    # Segments end at key frames, so they are longer than what is configured.
    window = listed_s * MUX_RATE / 8
    ours, theirs_ms = median(our_rounds), median(their_rounds)
    ratio = ours / theirs_ms
    allowed = window / 1e6 + 2.1
    size = median([one for some in sizes for one in some])
    growth = max(sizes[-1]) - max(sizes[0])
    return [
        Result(
            *("CPU to record a 5 Mbit/s stream (20 at once)", "ms/stream-second", ours, theirs_ms, ratio),
            *("<= 0.5x", ratio <= 0.5, "ffmpeg -c copy -f hls (fMP4)"),
        ),
        Result(
            *("memory per recorded stream", "MB", size, None, None, f"<= {allowed:.1f} MB"),
            *(size <= allowed, "its live window + 2 MiB"),
        ),
        Result(
            *(f"the same, growth in {(ROUNDS - 1) * ROUND_S} s", "MB", growth, None, None, "0 (+-0.5)"),
            abs(growth) <= 0.5,
        ),
    ]
