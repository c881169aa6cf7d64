from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from flussdvr.live.stream import Stream
from flussdvr.media import Codec, Track
from flussdvr.process.rate import Rate


def test_what_is_lost_is_forgotten_when_nothing_more_is() -> None:
    clock = Clock()
    stream = Stream("ort", 2000, 4, None, lambda: 0)
    stream.losses = Rate(clock.seconds)
    stream.data_lost("a packet is missing", 40)
    clock.advance(4)
    assert stream.losses.per_s() == 10
    clock.advance(60)
    assert stream.losses.per_s() == 0


def test_a_source_that_keeps_failing_writes_no_lines_for_ever() -> None:
    events: list[LogEvent] = []
    stream = Stream("ort", 2000, 4, None, lambda: 0)
    globalLogPublisher.addObserver(events.append)
    try:
        for _time in range(500):
            stream.source_lost("connection refused")
        stream.source_lost("silence")
    finally:
        globalLogPublisher.removeObserver(events.append)
    gaps = [formatEvent(event) for event in events if event.get("stream") == "ort"]
    assert gaps == [
        "ort has a gap: connection refused",
        "ort has a gap: connection refused, for the 10th time",
        "ort has a gap: connection refused, for the 100th time",
        "ort has a gap: silence",
    ]


def test_a_second_video_is_said_to_be_left_out() -> None:
    stream = Stream("ort", 2000, 4, None, lambda: 0)
    first, second = (Track(number, Codec.H264, 90_000, width=64 * number, height=64) for number in (1, 2))
    sound = Track(3, Codec.AAC, 48_000)
    stream.tracks_received([first, sound])
    assert stream.left_out == ()
    stream.tracks_received([first, second, sound])
    assert [str(one) for one in stream.left_out] == [
        "h264 128x64 (track 2) is not recorded: only the first video of a source is"
    ]
    assert all(one.serious for one in stream.left_out)
    stream.source_lost("silence")
    assert stream.left_out == ()
