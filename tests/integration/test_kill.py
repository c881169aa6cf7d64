"""
Killed, at any moment: what was listed stays, what is listed plays, and the loss is about a second.

The server dies while it starts, while it makes a blob, around the change of the hour, and in between. Its clock is put
forward for each change of the hour; the camera goes on all the time.

`FLUSSDVR_KILLS=200 pytest tests/integration/test_kill.py` for the long version; it prints what was lost.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from tests.integration.lab.playlist import Listed, segments, uninterrupted
from tests.integration.lab.server import Server, free_port
from tests.integration.lab.source import Source
from tests.integration.lab.wait import until
from tests.integration.lab.watch import ffmpeg_complaints, pictures

pytestmark = pytest.mark.long


KILLS = int(os.environ.get("FLUSSDVR_KILLS", "8"))
FPS = 25
HOUR_S = 3600
LOSS_S = 2.0
"""The fragment that is being made (1 s), and what the camera's encoder, the muxer and the network hold."""
START_S = 4.0
"""A recording begins with the first sync frame (each second) after the clocks have been compared (1 s)."""
MOMENTS = ("recording", "starting", "blob", "recording", "hour")


@dataclass
class Life:
    """One life of the server: how it ended, and what it had promised."""

    number: int
    moment: str
    ready_at: float = 0.0
    killed_at: float = 0.0
    hour_ends_at: float = 0.0
    ranges: list[tuple[int, int]] = field(default_factory=list)
    listed: dict[str, str] = field(default_factory=dict)
    """URL and digest of segments that it had listed and sent."""


def test_what_was_listed_survives_every_kill(tmp_path: Path) -> None:
    port = free_port()
    server = Server(tmp_path, f"stream cam {{ input udp://127.0.0.1:{port}; dvr @main; segment_duration 2; }}")
    camera = Source(f"[f=mpegts]udp://127.0.0.1:{port}?pkt_size=1316", seconds=120 + KILLS * 12, gop=FPS)
    chance = random.Random(5)
    losses: list[float] = []
    promised: set[str] = set()
    before: Life | None = None
    try:
        for number in range(KILLS):
            life = Life(number, MOMENTS[number % len(MOMENTS)])
            if life.moment == "hour":
                ends_in_s = HOUR_S - (time.time() + server.shift_s) % HOUR_S
                server.shift_s += round(ends_in_s - 5)
                life.hour_ends_at = time.time() + ends_in_s - round(ends_in_s - 5)
            blobs = blobs_of(server)
            server.launch()
            if life.moment == "starting":
                time.sleep(chance.uniform(0, 1))
                server.kill()
                continue
            server.wait_ready()
            life.ready_at = time.time()
            if before is not None:
                losses += check(server, before)
            wait_for(server, life, blobs, chance)
            promise(server, life)
            server.kill()
            life.killed_at = time.time()
            promised |= set(life.listed)
            before = life
        server.start()
        assert before is not None
        losses += check(server, before)
        found = {path(segment.url) for segment in archive(server)}
        assert promised <= found, promised - found
    finally:
        camera.stop()
        server.stop()
    print(f"\n{KILLS} kills; lost (s): median {median(losses):.2f}, most {max(losses):.2f}, of {len(losses)}")
    assert max(losses) < LOSS_S, losses


def wait_for(server: Server, life: Life, blobs: int, chance: random.Random) -> None:
    """Until it is the moment to kill."""
    if life.moment == "hour":
        time.sleep(max(0, life.hour_ends_at + chance.uniform(0, 3) - time.time()))
        return
    until("something is recorded", lambda: blobs_of(server) != blobs, step_s=0.003)
    time.sleep(chance.uniform(0, 0.05) if life.moment == "blob" else chance.uniform(0.5, 5))


def blobs_of(server: Server) -> int:
    """How many blobs were ever begun."""
    return len(list(server.root.rglob("*.idx")))


def promise(server: Server, life: Life) -> None:
    """Take down what the server lists, and what the newest segments are."""
    life.ranges = server.ranges("cam")
    for segment in archive(server)[-2:]:
        life.listed[path(segment.url)] = digest(server, path(segment.url))


def check(server: Server, life: Life) -> list[float]:
    """What `life` had promised is kept, and all that is there plays; how much was lost, unless nothing was begun."""
    after = server.ranges("cam")
    for begin, end in life.ranges:
        assert any(b <= begin and end <= e for b, e in after), f"{life}: {begin}-{end} is gone: {after}"
    for url, sent in life.listed.items():
        assert digest(server, url) == sent, f"{life}: {url} has changed"
    spans = uninterrupted(archive(server))
    if not spans:
        return []
    begin, end = spans[-1]
    url = server.url(f"/cam/archive-{begin:.3f}-{end - begin:.3f}.mp4")
    shown = [picture.utc_s for picture in pictures(url, FPS)]
    assert None not in shown, f"{life}: unreadable pictures in {url}"
    assert abs(len(shown) - (end - begin) * FPS) <= 1, f"{life}: {len(shown)} pictures in {begin}-{end}"
    times = [at for at in shown if at is not None]
    assert all(0 < b - a < 1.5 / FPS for a, b in zip(times, times[1:], strict=False)), f"{life}: {times}"
    if life.number % 4 == 0:
        assert ffmpeg_complaints(url) == "", f"{life}: {url}"
    if times[-1] < life.ready_at:
        assert life.killed_at - life.ready_at < START_S, f"{life}: nothing was recorded"
        return []
    return [life.killed_at - times[-1] - 1 / FPS]


def archive(server: Server) -> list[Listed]:
    """Every segment that is listed."""
    ranges = server.ranges("cam")
    if not ranges:
        return []
    listed = f"/cam/mono-{ranges[0][0]}-{ranges[-1][1] - ranges[0][0] + 1}.fmp4.m3u8"
    response = server.get(listed)
    text = response.read().decode()
    if response.status == 404:  # what is recorded is no whole segment yet
        return []
    assert response.status == 200, text
    return segments(text, server.url(listed))


def path(url: str) -> str:
    return url.partition("/cam/")[2]


def digest(server: Server, url: str) -> str:
    response = server.get("/cam/" + url)
    body = response.read()
    assert response.status == 200, (url, response.status, body)
    return hashlib.sha256(body).hexdigest()
