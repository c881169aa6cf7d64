"""A real encoder that stands still for longer than `input_timeout` and then sends what it owes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.integration.lab.server import Server, free_port
from tests.integration.lab.source import Source
from tests.integration.lab.wait import until
from tests.integration.lab.watch import pictures

pytestmark = pytest.mark.long

LATENCY_S = 0.8
"""More than this may not lie between a picture's being seen and its date."""


def test_what_comes_after_a_stall_has_its_own_time(serve: Callable[..., Server]) -> None:
    port = free_port()
    server = serve(f"stream cam {{ input udp://127.0.0.1:{port}; input_timeout 3s; dvr @main; segment_duration 1; }}")
    camera = Source(f"[f=mpegts]udp://127.0.0.1:{port}?pkt_size=1316", seconds=90, gop=25)
    try:
        server.wait_recorded("cam", 5)
        camera.process.send_signal(signal.SIGSTOP)
        until(lambda: server.log.read_text()[-2000:], lambda: "no media for 3 s" in server.log.read_text())
        camera.process.send_signal(signal.SIGCONT)
        before = sum(end - begin for begin, end in server.ranges("cam"))
        server.wait_recorded("cam", before + 12)
    finally:
        os.kill(camera.process.pid, signal.SIGCONT)
        camera.stop()
    ranges = server.ranges("cam")
    assert len(ranges) <= 2, ranges
    for begin, end in ranges:
        shown = list(pictures(server.url(f"/cam/archive-{begin}-{end - begin}.mp4")))
        late = [begin + seen.at_s - seen.utc_s for seen in shown if seen.utc_s is not None]
        assert len(late) > 50 and max(late) - min(late) < 0.1, (min(late), max(late))
        assert -0.1 <= min(late) and max(late) <= LATENCY_S
