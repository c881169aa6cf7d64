"""Inputs that pull, inputs that loop, and inputs that take over for each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.integration.lab.server import Server, free_port
from tests.integration.lab.source import Source
from tests.integration.lab.wait import until
from tests.integration.lab.watch import ffmpeg_complaints, pictures

pytestmark = pytest.mark.long


FAKE = "fake://?size=320x180&fps=25&gop=25"


def test_pulled_by_http_from_another_server(serve: Callable[..., Server]) -> None:
    origin = serve(f"stream cam {{ input {FAKE}; dvr @main; segment_duration 1; }}")
    origin.wait_recorded("cam", 2)
    relay = serve(f"stream cam {{ input tshttp://127.0.0.1:{origin.http}/cam/mpegts; dvr @main; segment_duration 1; }}")
    begin, _ = relay.wait_recorded("cam", 5)[-1]
    url = relay.url(f"/cam/archive-{begin + 1}-3.mp4")
    shown = [picture.utc_s for picture in pictures(url)]
    assert len(shown) == 75 and None not in shown
    assert ffmpeg_complaints(url) == ""
    origin.stop()
    origin.start()  # the relay comes back by itself
    recorded = sum(end - begin for begin, end in relay.ranges("cam"))
    relay.wait_recorded("cam", recorded + 4)


@pytest.mark.parametrize("extension", ["ts", "mp4"])
def test_a_file_plays_in_a_loop(serve: Callable[..., Server], tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"loop.{extension}"
    Source(f"[f={'mpegts' if extension == 'ts' else 'mp4'}]{path}", seconds=3).wait(30)
    server = serve(f"stream loop {{ input file://{path}; dvr @main; segment_duration 1; }}")
    begin, _ = server.wait_recorded("loop", 8)[0]
    url = server.url(f"/loop/archive-{begin + 1}-6.mp4")
    with av.open(url) as container:
        times = [float(frame.time or 0) for frame in container.decode(container.streams.video[0])]
    steps = [round(b - a, 3) for a, b in zip(times, times[1:], strict=False)]
    assert len(times) >= 145 and max(steps) < 0.2, max(steps)
    assert len(server.ranges("loop")) == 1


def test_a_backup_takes_over_and_gives_back(serve: Callable[..., Server]) -> None:
    port = free_port()
    server = serve(
        f"stream safe {{ input udp://127.0.0.1:{port}; input {FAKE} priority=2; input_timeout 2s; dvr @main;"
        " segment_duration 1; }"
    )
    server.wait_recorded("safe", 3)  # nothing on UDP: the backup runs
    camera = Source(f"[f=mpegts]udp://127.0.0.1:{port}?pkt_size=1316", seconds=40)
    try:
        wait_for(server, "back to udp://")
        camera.stop()
        wait_for(server, "no media for 2 s", since="back to udp://")
        before = server.ranges("safe")[-1][1]
        server.wait_recorded("safe", sum(e - b for b, e in server.ranges("safe")) + 3)
        assert server.ranges("safe")[-1][1] > before
    finally:
        camera.stop()
    ranges = server.ranges("safe")
    assert len(ranges) >= 2
    for (_, end), (begin, _) in zip(ranges, ranges[1:], strict=False):
        assert begin - end <= 7


def wait_for(server: Server, text: str, since: str = "") -> None:
    """Until `text` stands in the log, after the first `since`."""

    def said() -> bool:
        return text in server.log.read_text().partition(since or "\0")[2 if since else 0]

    until(lambda: f"{text!r} in {server.log.read_text()[-2000:]}", said)
