"""
Killed, at any moment: what was listed stays, what is listed plays, and the loss is about a second.

`FLUSSDVR_KILLS=200 pytest tests/integration/test_kill.py` for the long version.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from lab.server import Server, free_port
from lab.source import Source
from lab.watch import ffmpeg_complaints, pictures

KILLS = int(os.environ.get("FLUSSDVR_KILLS", "12"))
LOSS_S = 2.0
"""The fragment that is being made, and what the source's muxer and the network still hold."""


def test_what_was_listed_survives_every_kill(tmp_path: Path) -> None:
    port = free_port()
    server = Server(tmp_path, f"stream cam {{ input udp://127.0.0.1:{port}; dvr @main; segment_duration 2; }}")
    chance = random.Random(5)
    camera = Source(f"[f=mpegts]udp://127.0.0.1:{port}?pkt_size=1316", seconds=60 + KILLS * 8, gop=25)
    losses = []
    try:
        listed: list[tuple[float, float]] = []
        for number in range(KILLS):
            server.start()
            server.wait_recorded("cam", sum(end - begin for begin, end in listed) + 0.5)
            time.sleep(chance.uniform(0, 2))
            listed = ranges(server)
            server.kill()
            killed_at = time.time()
            server.start()
            after = ranges(server)
            for begin, end in listed:
                assert any(b <= begin and end <= e for b, e in after), f"kill {number}: {begin}-{end} is gone: {after}"
            last = max(end for _, end in after if end <= killed_at + 1)
            losses.append(killed_at - last)
            if number % 4 == 0 or number == KILLS - 1:
                check_plays(server, after)
            server.kill()
    finally:
        camera.stop()
        server.stop()
    assert max(losses) < LOSS_S, losses


def ranges(server: Server) -> list[tuple[float, float]]:
    return [
        (item["from"], item["from"] + item["duration"])
        for item in server.json("/cam/recording_status.json")[0]["ranges"]
    ]


def check_plays(server: Server, listed: list[tuple[float, float]]) -> None:
    """The newest ranges, to their last picture."""
    for begin, end in listed[-3:]:
        url = server.url(f"/cam/archive-{begin:.3f}-{end - begin:.3f}.mp4")
        shown = [picture.utc_s for picture in pictures(url)]
        assert None not in shown
        assert abs(len(shown) - (end - begin) * 25) <= 1
        assert ffmpeg_complaints(url) == ""
