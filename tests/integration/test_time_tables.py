"""Transport streams that state UTC, from bytes to the alarm: two of them find that the machine's clock is wrong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from typing import Any

import av
import numpy as np
import pytest
from twisted.internet.task import Clock

from flussdvr.clock.utc import UtcClock
from flussdvr.clock.witnesses import LASTING_MS
from flussdvr.config.model import InputSettings, StreamSettings
from flussdvr.control.streams import Streams
from flussdvr.ingest.http.push import MpegTsPush
from flussdvr.ingest.publish.publications import PublishedInput
from flussdvr.monitoring.alarms import _of_clock
from tests.control.test_administration import Archive, now
from tests.formats.time_tables import PACKET, packets, tdt, tot

NOW = 1_795_194_000_000
DAY = 86_400_000
SECONDS = 2 * LASTING_MS // 1000


@cache
def seconds_of_media() -> list[bytes]:
    """The packets of FFmpeg's muxer, by second: a picture each."""
    out = io.BytesIO()
    with av.open(out, "w", "mpegts") as file:
        video: Any = file.add_stream(
            "libx264", rate=1, options={"preset": "ultrafast", "x264-params": "log-level=none"}
        )
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, "yuv420p", 5
        for number in range(SECONDS):
            picture = np.full((72, 64), number, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        file.mux(video.encode(None))
    data = out.getvalue()
    starts = [at for at in range(0, len(data), PACKET) if data[at + 1] & 0x5F == 0x41 and data[at + 2] == 0x00]
    assert len(starts) == SECONDS
    return [data[begin:end] for begin, end in zip([0, *starts[1:]], [*starts[1:], len(data)], strict=True)]


class Broadcasts:
    """A server's streams, its clock, and publishers whose multiplexers know that it is `NOW`."""

    def __init__(self, wrong_ms: int, *peers: str) -> None:
        self.mono = 0
        self.clock = UtcClock(lambda: NOW + wrong_ms + self.mono, lambda: self.mono, lambda: False, "boot")
        archive: Any = Archive()
        self.reactor = Clock()
        self.streams = Streams(archive, self.reactor, self.clock.now_ms)
        self.streams.on_time_and_date = lambda origin, time: self.clock.testify(origin, time.utc_ms, time.media_ms)
        for name in ("one", "two"):
            now(self.streams.start(StreamSettings(name, inputs=(InputSettings("publish://"),))))
        published = [self._publish(name, peer) for name, peer in zip(("one", "two"), peers, strict=False)]
        self.bodies = [MpegTsPush(one, self.reactor) for one in published]

    def _publish(self, name: str, peer: str) -> PublishedInput:
        return self.streams.points.publish(name, "mpegts", peer, None)

    def send(self) -> Iterator[int]:
        """A second of media of each, and a table at times; how many have passed."""
        for number, media in enumerate(seconds_of_media()):
            for index, body in enumerate(self.bodies):
                stated = NOW + self.mono + 700 * index
                table = (tdt, tot)[index](stated)
                body.data_received(media + (packets(table) if number % 25 == 0 else b""))
            self.mono += 1000
            self.reactor.advance(1)
            self.clock.weigh()
            yield number

    def alarms(self) -> list[str]:
        return [finding.code for finding in _of_clock(self.clock)]


@pytest.mark.parametrize(
    ("wrong_ms", "peers", "found"),
    [
        (9 * DAY, ("192.0.2.1:5000", "192.0.2.2:5000"), True),
        (-9 * DAY, ("192.0.2.1:5000", "[2001:db8::1]:5000"), True),
        (5000 - NOW, ("192.0.2.1:5000", "192.0.2.2:5000"), True),
        (2000, ("192.0.2.1:5000", "192.0.2.2:5000"), False),
        (9 * DAY, ("192.0.2.1:5000", "192.0.2.1:5001"), False),
        (9 * DAY, ("192.0.2.1:5000",), False),
    ],
)
def test_a_wrong_clock_is_found(wrong_ms: int, peers: tuple[str, ...], found: bool) -> None:
    broadcasts = Broadcasts(wrong_ms, *peers)
    at = [number for number in broadcasts.send() if broadcasts.alarms() == ["clock_contradicted"]]
    assert bool(at) == found
    if not found:
        assert broadcasts.clock.trusted_for_expiry and not broadcasts.alarms()
        return
    assert at == list(range(at[0], SECONDS)) and at[0] >= LASTING_MS // 1000
    assert not broadcasts.clock.trusted_for_expiry
    difference = broadcasts.clock.contradicted_ms
    assert difference is not None and abs(difference + wrong_ms) <= 2000
    for name in ("one", "two"):
        live = broadcasts.streams.live(name)
        assert live is not None and live.last_fragment_ms is not None
        newest = list(live.window.segments)[-1]
        assert abs(newest.end_ms - broadcasts.clock.now_ms()) < 20_000, "the media are dated by the clock"
    broadcasts.clock.confirm()
    broadcasts.clock.weigh()
    assert broadcasts.clock.trusted_for_expiry and not broadcasts.alarms()
