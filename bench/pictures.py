"""
Pictures: a 320-wide preview beside `ffmpeg -ss T -i FILE -frames:v 1`, one-frame MP4s, stored JPEGs, and a crowd of
200 who want different pictures while 10 streams are recorded.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench.client import Connection, Pings
from bench.measure import FOLDER, Result, median, rss_bytes, wall
from bench.media import load_ts
from bench.recordings import SEGMENT_MS, T0_MS, Archive, film
from bench.served import pid_of, served
from flussdvr.archive.disk.blob import Blob, BlobWriter
from flussdvr.archive.thumbs import Thumbnail, ThumbsBlob
from flussdvr.formats.mp4.fmp4 import BlobInfo, blob_info_box, write_init
from tests.integration.lab.server import Server, free_port

ROUNDS = 15
MEDIAN_OF = 200
STREAMS = 10
CROWD = 200
RECORDED_S = 25


def run() -> list[Result]:
    archive = film()
    return [*_single(archive), *_crowd()]


def _single(archive: Archive) -> list[Result]:
    blob = next(Path(archive.root).rglob(f"{T0_MS}.mp4"))
    chance = random.Random(1)
    moments = [chance.randrange(30, 3500) for _ in range(ROUNDS)]
    out = FOLDER / "picture.jpg"
    previews, theirs, ours_s = [], [], []
    with served(archive, "stream film { input publish://; thumbnails enabled=ondemand; }") as server:
        connection = Connection(server.http)
        connection.get(f"/film/{T0_MS // 1000}-preview.jpg")  # the index is read, FFmpeg's tables are made
        for moment in moments:
            answer = connection.get(f"/film/{T0_MS // 1000 + moment}-preview.jpg")
            assert answer.status == 200
            previews.append(answer.total_s)
            command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", str(moment), "-i", str(blob), "-frames:v", "1"]
            theirs.append(wall(lambda: subprocess.run([*command, "-vf", "scale=320:-2", str(out)], check=True)))  # noqa: B023
        for moment in range(0, 2 * MEDIAN_OF, 2):
            answer = connection.get(f"/film/{T0_MS // 1000 + moment}-preview.mp4")
            assert answer.status == 200, answer.status
            ours_s.append(answer.total_s)
        jpeg = connection.get(f"/film/{T0_MS // 1000}-preview.jpg", keep=True).body
        connection.close()
    out.unlink(missing_ok=True)
    times = _store(archive, jpeg)
    stored = []
    with served(archive) as server:
        connection = Connection(server.http)
        for at_ms in times[:MEDIAN_OF]:
            answer = connection.get(f"/film/{at_ms // 1000}.jpg")
            assert answer.status == 200, answer.status
            stored.append(answer.total_s)
        connection.close()
    ratio = median(previews) / median(theirs)
    one_ms, stored_ms = median(ours_s) * 1000, median(stored) * 1000
    return [
        Result(
            *("320-wide preview of 1080p, uncached", "ms", median(previews) * 1000, median(theirs) * 1000, ratio),
            *("<= 0.1x", ratio <= 0.1, "ffmpeg -ss T -i FILE -frames:v 1"),
        ),
        Result("one-frame MP4", "ms", one_ms, None, None, "<= 3 ms", one_ms <= 3),
        Result("stored JPEG", "ms", stored_ms, None, None, "<= 3 ms", stored_ms <= 3),
    ]


def _store(archive: Archive, jpeg: bytes) -> list[int]:
    """A thumbnail for each segment of the first hour; their moments."""
    times = list(range(T0_MS, T0_MS + 3_600_000, SEGMENT_MS))
    files = ThumbsBlob("film", archive.root, T0_MS, T0_MS)
    for path in (files.path, files.index_path):
        Path(path).unlink(missing_ok=True)
    writer = BlobWriter(Blob("film", archive.root, T0_MS, T0_MS))
    writer.path, writer.index_path = files.path, files.index_path
    track = Thumbnail(T0_MS, jpeg, 320, 180, SEGMENT_MS).track
    writer.create(write_init([track]) + blob_info_box(BlobInfo("film", SEGMENT_MS)))
    for at_ms in times:
        writer.append(*Thumbnail(at_ms, jpeg, 320, 180, SEGMENT_MS).fragment())
    writer.close()
    return times


def _crowd() -> list[Result]:
    folder = (FOLDER / "pictures").absolute()
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir(parents=True)
    ports = [free_port() for _ in range(STREAMS)]
    streams = "\n".join(
        f"stream s{i} {{ input udp://127.0.0.1:{port}; dvr @main; segment_duration 2; thumbnails; }}"
        for i, port in enumerate(ports)
    )
    server = Server(folder, streams).start()
    source = str(load_ts(60))
    sender = subprocess.Popen([sys.executable, "-m", "bench.sender", source, str(RECORDED_S), *map(str, ports)])
    seen: Counter[int] = Counter()
    try:
        time.sleep(12)
        begin = int(server.ranges("s0")[0][0]) + 1
        before = rss_bytes(pid_of(server))

        def ask(number: int) -> None:
            connection = Connection(server.http)
            answer = connection.get(
                f"/s{number % STREAMS}/{begin + number // STREAMS % 4 * 2}-preview.jpg?width={200 + number}"
            )
            seen[answer.status] += 1
            connection.close()

        crowd = [threading.Thread(target=ask, args=(number,)) for number in range(CROWD)]
        with Pings(server.http) as pings:
            for one in crowd:
                one.start()
            for one in crowd:
                one.join()
        stall = pings.longest_s
        grown = (rss_bytes(pid_of(server)) - before) / 1e6
        sender.wait(RECORDED_S + 10)
        time.sleep(2)
        ranges = [server.ranges(f"s{i}") for i in range(STREAMS)]
    finally:
        sender.terminate()
        sender.wait(10)
        server.stop()
    print(f"  of {CROWD}: {dict(seen)}; memory grew by {grown:.0f} MB", file=sys.stderr)
    whole = all(len(found) == 1 and found[0][1] - found[0][0] >= RECORDED_S - 3 for found in ranges)
    polite = set(seen) <= {200, 503}
    return [
        Result(
            *("longest wait of another client while 200 want pictures", "ms", stall * 1000, None, None, "<= 250 ms"),
            stall <= 0.25,
        ),
        Result(
            *(
                "recordings with a gap meanwhile (10 streams), answers but 200 and 503",
                "",
                float(not whole),
                None,
                None,
            ),
            *("none", whole and polite),
        ),
        Result("memory that the crowd took", "MB", grown, None, None, "<= 200 MB", grown <= 200),
    ]
