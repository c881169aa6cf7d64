"""An exception that nobody foresaw, in a parser or in what takes the samples, is not the end of any source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.ingest.source import CALM_S, LONGEST_CRASH_WAIT_S, TOLD_S, Input, State
from flussdvr.live.stream import Stream
from flussdvr.media import MediaEvent, Sample, SamplesReceived, Track, TracksChanged
from tests.events.documents import documents
from tests.ingest.http.test_input import Answer, Pull
from tests.ingest.http.test_push import Push
from tests.ingest.rtmp.test_listener import Listener
from tests.ingest.sinks import VIDEO, RecordingSink, media
from tests.ingest.udp.test_input import Line

BUG = KeyError("a bug")


class Buggy:
    """A demultiplexer with a fault that nobody knows of."""

    program = None

    def __init__(self, when: str = "feed") -> None:
        self.when = when

    def feed(self, data: bytes) -> list[MediaEvent]:
        if self.when == "feed":
            raise BUG
        return []

    def feed_tag(self, kind: int, timestamp: int, body: bytes) -> list[MediaEvent]:
        return self.feed(body)

    def flush(self) -> list[MediaEvent]:
        if self.when == "flush":
            raise BUG
        return []


class Fragile(Input):
    """Whatever of it is named in `faults` raises."""

    def __init__(self, clock: Clock, *faults: str, timeout_s: float | None = None) -> None:
        self.faults = set(faults)
        self.heard = RecordingSink()
        super().__init__("udp://239.0.0.1:1234", self.heard, clock, timeout_s=timeout_s, stream="test")
        self.opens: list[float] = []

    def _maybe(self, name: str) -> None:
        if name in self.faults:
            raise BUG

    def open(self) -> None:
        self.opens.append(self._reactor.seconds())
        self._maybe("open")
        self.opened()

    def close(self) -> Deferred[None] | None:
        self._maybe("close")
        return None

    def drain(self) -> Sequence[MediaEvent]:
        self._maybe("drain")
        return ()

    def parse(self, data: bytes) -> None:
        self.counters.bytes += len(data)
        self._maybe("parse")
        self.received([TracksChanged((VIDEO,)), SamplesReceived(1, [Sample(0, data)])])


@pytest.mark.parametrize("fault", ["parse", "open", "close", "drain", "event"])
def test_a_source_is_opened_again_whatever_raises(fault: str) -> None:
    clock = Clock()
    source = Fragile(clock, fault)
    if fault == "event":
        source.on_event = lambda event: source._maybe("event")
    source.startService()
    source.guarded(source.parse, b"x" * 100)
    if fault in ("close", "drain", "event"):
        source.lost("gone")
    assert source.state is State.WAITING
    source.faults.clear()
    clock.pump([0.5] * 6)
    assert len(source.opens) == 2
    source.guarded(source.parse, b"y")
    assert source.state is State.RECEIVING
    source.stopService()
    assert not clock.getDelayedCalls()


def test_it_is_said_where_in_the_stream_it_was_and_stays_known() -> None:
    clock = Clock()
    source = Fragile(clock)
    source.startService()
    source.guarded(source.parse, b"x" * 100)
    source.faults.add("parse")
    source.guarded(source.parse, b"x" * 88)
    reason = "internal error at byte 188 of the stream: KeyError: 'a bug'"
    assert (source.reason, source.last_error, source.counters.crashed) == (reason, reason, 1)
    assert source.heard.calls[-1] == ("lost", reason)
    source.faults.clear()
    clock.pump([0.5] * 5)
    source.guarded(source.parse, b"y")
    assert (source.reason, source.last_error, source.crash) == (None, reason, reason)
    clock.advance(TOLD_S)
    assert source.crash is None


def test_a_source_that_fails_at_every_byte_is_tried_ever_more_rarely() -> None:
    clock = Clock()
    source = Fragile(clock)
    source.startService()
    for _ in range(20):
        source.guarded(source.parse, b"good")  # media came: by itself that would make the next attempt an early one
        source.faults.add("parse")
        source.guarded(source.parse, b"bad")
        source.faults.clear()
        before = len(source.opens)
        while len(source.opens) == before:
            clock.advance(0.5)
    waits = [after - before for before, after in zip(source.opens, source.opens[1:], strict=False)]
    assert waits[0] <= 2.5
    assert LONGEST_CRASH_WAIT_S <= waits[-1] <= LONGEST_CRASH_WAIT_S + 2
    clock.advance(CALM_S + 1)
    source.faults.add("parse")
    source.guarded(source.parse, b"bad")
    clock.pump([0.5] * 5)
    assert source.opens[-1] <= clock.seconds()
    assert source.state is State.CONNECTED


@pytest.mark.parametrize("timeout_s", [10.0, None])
def test_udp(timeout_s: float | None) -> None:
    line = Line(timeout_s=timeout_s)
    try:
        line.carry(media("mpegts")[: 188 * 21])
        line.input._demuxer = Buggy()  # type: ignore[assignment]
        line.carry(media("mpegts")[:188])
        assert "byte 4136" in str(line.input.last_error)
        for _ in range(40):
            line.reactor.turn(0.08)
        line.carry(media("mpegts"))
        assert line.input.state is State.RECEIVING
        assert line.frames >= 49
    finally:
        line.close()


def test_a_datagram_reader_goes_on_whatever_it_hands_over_to() -> None:
    line = Line()
    try:
        reader = line.input._reader
        assert reader is not None
        line.carry(media("mpegts")[:188])

        def raise_it(heap: memoryview, sizes: list[int]) -> None:
            raise BUG

        reader._received = raise_it
        line.sender.send(media("mpegts")[:188])
        with pytest.raises(KeyError):
            line.reactor.turn(0.08)
        assert reader._tick is not None
        assert reader._tick.active()
    finally:
        line.close()


@pytest.mark.parametrize("when", ["feed", "flush"])
def test_http_pulled(when: str) -> None:
    pull = Pull()
    pull.input.startService()
    answer = Answer()
    pull.agent.answer(answer)
    answer.body.demuxer = Buggy(when)
    answer.body.dataReceived(b"x" * 40_000)
    if when == "flush":
        answer.body.connectionLost()
    assert pull.input.state is State.WAITING
    assert pull.input.counters.crashed == 1
    pull.clock.pump([0.5] * 6)
    assert len(pull.agent.requests) == 2


@pytest.mark.parametrize("when", ["feed", "flush"])
def test_pushed_over_http(push: Push, when: str) -> None:
    push.body._demuxer = Buggy(when)  # type: ignore[assignment]
    push.body.data_received(b"x" * 40_000)
    push.body.finished()
    assert push.kicks == ["internal error at byte 40000 of the stream: KeyError: 'a bug'"]
    assert push.sink.calls[-1] == ("lost", push.kicks[0])
    assert not push.clock.getDelayedCalls()


@pytest.fixture
def push() -> Push:
    return Push()


@pytest.mark.parametrize("when", ["feed", "flush"])
def test_published_over_rtmp(when: str) -> None:
    """The connection ends, and the next publisher is let in."""
    listener = Listener()
    client = listener.connect()
    client.publish("live", "x")
    client.protocol._demuxer = Buggy(when)  # type: ignore[assignment]
    client.sound()
    client.transport.loseConnection()
    assert len(listener.sink.lost) == 1
    assert "internal error at byte" in listener.sink.lost[0]
    assert not listener.factory.connections
    assert listener.points.publisher("x") is None
    again = listener.connect()
    again.publish("live", "x")
    assert listener.points.publisher("x") is not None


class Broken:
    """A segmenter in a state that it cannot leave."""

    def lost(self, reason: str) -> None:
        raise BUG

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        raise BUG


def test_a_stream_begins_anew_after_a_segmenter_that_fails() -> None:
    told: list[dict[str, Any]] = []
    stream = Stream("test", 1000, 3, None, lambda: 1_800_000_000_000, on_event=documents(told))
    stream.segmenter = Broken()  # type: ignore[assignment]
    source = Fragile(Clock())
    source.sink = stream
    source.startService()
    source.guarded(source.parse, b"x")
    assert source.state is State.WAITING
    stream.tracks_received((VIDEO,))
    assert stream.segmenter.pending_bytes == 0
