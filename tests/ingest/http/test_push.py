"""A pushed body becomes a publication; what is no media, or none any more, is sent away."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from flussdvr.ingest.http.gather import ENOUGH, Gather
from flussdvr.ingest.http.push import MpegTsPush
from flussdvr.ingest.publish.publications import PublishedInput, PublishPoint, PublishPoints
from flussdvr.media import Codec
from tests.ingest.sinks import RecordingSink, media


class Push:
    def __init__(self) -> None:
        self.clock = Clock()
        self.sink = RecordingSink()
        points = PublishPoints()
        points.add(PublishPoint("live", self.sink, timeout_s=10))
        self.published: PublishedInput = points.publish("live", "mpegts", "192.0.2.1:5", None)
        self.kicks: list[str] = []
        self.published.on_kicked = self.kicks.append
        self.body = MpegTsPush(self.published, self.clock)


@pytest.fixture
def push() -> Push:
    return Push()


@pytest.mark.parametrize("size", [1, 100, 1316, 100_000])
def test_pieces_of_any_size(push: Push, size: int) -> None:
    data = media("mpegts")
    for at in range(0, len(data), size):
        push.body.data_received(data[at : at + size])
    push.body.finished()
    assert [t.codec for t in push.sink.tracks] == [Codec.H264, Codec.AAC]
    assert len(push.sink.samples[push.sink.tracks[0].id]) == 50
    assert push.sink.calls[-1] == ("lost", "the publisher has ended the request")
    assert push.published.counters.bytes == len(data)
    assert not push.clock.getDelayedCalls()
    assert push.kicks == []


def test_a_slow_body_is_not_held_back(push: Push) -> None:
    push.body.data_received(media("mpegts")[: ENOUGH // 2])
    assert not push.sink.calls
    push.clock.advance(0.05)
    assert push.sink.named("tracks")


def test_silence(push: Push) -> None:
    push.body.data_received(media("mpegts"))
    push.clock.pump([0.5] * 22)
    assert push.kicks == ["no media for 10 s"]
    assert push.sink.calls[-1] == ("lost", "no media for 10 s")
    assert not push.clock.getDelayedCalls()
    push.body.data_received(b"late")
    push.body.finished()
    assert len(push.sink.named("lost")) == 1


def test_media_postpones_the_timeout(push: Push) -> None:
    for _ in range(10):
        push.body.data_received(media("mpegts"))
        push.clock.pump([0.5] * 12)
    assert not push.kicks


def test_garbage(push: Push) -> None:
    for _ in range(100):
        push.body.data_received(bytes(60_000))
    assert push.kicks == ["this is no MPEG-TS"]
    assert not push.clock.getDelayedCalls()


def test_kicked_by_others(push: Push) -> None:
    push.body.data_received(media("mpegts"))
    push.published.kick("the stream has been removed")
    push.body.data_received(media("mpegts"))
    push.clock.advance(11)
    push.body.finished()
    assert push.kicks == ["the stream has been removed"]
    assert len(push.sink.named("lost")) == 1
    assert not push.clock.getDelayedCalls()


def test_gather() -> None:
    clock, ready = Clock(), []
    gather = Gather(clock, ready.append)
    gather.add(b"a")
    clock.advance(0.03)
    gather.add(b"b")
    clock.advance(0.02)
    assert ready == [b"ab"]
    gather.add(bytes(ENOUGH))
    assert [len(piece) for piece in ready] == [2, ENOUGH]
    gather.add(b"c")
    gather.clear()
    gather.flush()
    clock.advance(1)
    assert len(ready) == 2 and not clock.getDelayedCalls()


def test_the_program_that_the_stream_wants() -> None:
    """What is pushed has one program, number 1: another one is answered with its number."""
    point = PublishPoint("live", RecordingSink(), timeout_s=10, program=7)
    points = PublishPoints()
    points.add(point)
    published = points.publish("live", "mpegts", "192.0.2.1:5", None)
    body = MpegTsPush(published, Clock())
    body.data_received(media("mpegts"))
    body.finished()
    told = point.sink.named("left_out")  # type: ignore[attr-defined]
    assert told == [("left_out", ("program 7 is not recorded: there is none of that number; there is program 1",))]
