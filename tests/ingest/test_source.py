"""An input keeps trying, never in a tight loop, and silence is a loss."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from flussdvr.ingest.source import Input, State, UtcReceived
from flussdvr.media import DataLost, Sample, SamplesReceived, TracksChanged
from tests.ingest.sinks import VIDEO, RecordingSink

SAMPLES = SamplesReceived(1, [Sample(0, b"a"), Sample(3600, b"b", sync=False)])


class Scripted(Input):
    """Opens as told: "wait", "open", or an exception."""

    def __init__(self, clock: Clock, timeout_s: float | None = 10) -> None:
        self.heard = RecordingSink()
        super().__init__("udp://239.0.0.1:1234", self.heard, clock, timeout_s=timeout_s, stream="test")
        self.script: list[str | Exception] = []
        self.opens: list[float] = []
        self.closes = 0

    def open(self) -> None:
        self.opens.append(self._reactor.seconds())
        step = self.script.pop(0) if self.script else "open"
        if isinstance(step, Exception):
            raise step
        if step == "open":
            self.opened()

    def close(self) -> None:
        self.closes += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_states(clock: Clock) -> None:
    source = Scripted(clock)
    source.script = ["wait"]
    assert source.state is State.STOPPED
    source.startService()
    assert source.state is State.CONNECTING
    source.opened()
    assert source.state is State.CONNECTED
    source.received([TracksChanged((VIDEO,)), UtcReceived(5, 0, 90_000), SAMPLES, DataLost("packets", 2)])
    assert source.state is State.RECEIVING
    assert [call[0] for call in source.heard.calls] == ["tracks", "utc", "samples", "data_lost"]
    assert (source.counters.samples, source.counters.lost, source.counters.reasons) == (2, 2, {"packets": 2})
    assert source.last_media == clock.seconds()
    source.stopService()
    assert (source.state, source.closes, clock.getDelayedCalls()) == (State.STOPPED, 1, [])
    source.received([SAMPLES])
    assert source.counters.samples == 2


def test_a_loss_is_told_and_tried_again(clock: Clock) -> None:
    source = Scripted(clock)
    source.startService()
    source.received([SAMPLES])
    source.lost("cable")
    assert (source.state, source.reason) == (State.WAITING, "cable")
    assert source.heard.calls[-1] == ("lost", "cable")
    source.lost("again")
    assert len(source.heard.named("lost")) == 1
    clock.advance(2.01)
    assert source.state is State.CONNECTED and len(source.opens) == 2


def test_back_off(clock: Clock) -> None:
    """Between 1 s and 60 s, growing, with jitter."""
    source = Scripted(clock)
    source.script = [OSError("refused")] * 1000
    source.startService()
    clock.pump([0.25] * 4 * 1200)
    waits = [b - a for a, b in zip(source.opens, source.opens[1:], strict=False)]
    assert 1 <= waits[0] <= 2.25
    assert all(1 <= wait <= 60.25 for wait in waits)
    assert waits[-1] > 58
    assert len(waits) < 35
    assert source.counters.failed == len(source.opens) and source.counters.opened == 0
    assert source.reason == "refused"


def test_media_forgives_earlier_failures(clock: Clock) -> None:
    source = Scripted(clock)
    source.script = [OSError("refused")] * 8
    source.startService()
    while source.state is not State.CONNECTED:
        clock.advance(0.5)
    source.received([SAMPLES])
    source.lost("cable")
    before = len(source.opens)
    clock.pump([0.25] * 9)
    assert len(source.opens) == before + 1


@pytest.mark.parametrize("step", ["open", "wait"])
def test_silence_is_a_loss(clock: Clock, step: str) -> None:
    source = Scripted(clock, timeout_s=5)
    source.script = [step]
    source.startService()
    clock.advance(4.9)
    assert not source.heard.calls
    clock.advance(0.2)
    assert source.heard.calls == [("lost", "no media for 5 s")]


def test_media_postpones_the_timeout(clock: Clock) -> None:
    source = Scripted(clock, timeout_s=5)
    source.startService()
    for _ in range(20):
        clock.advance(3)
        source.received([SAMPLES])
    assert not source.heard.named("lost")
    clock.advance(5.1)
    assert source.heard.named("lost")


def test_without_a_timeout_silence_is_no_loss(clock: Clock) -> None:
    source = Scripted(clock, timeout_s=None)
    source.startService()
    clock.advance(10_000)
    assert not source.heard.calls


def test_started_again_after_a_stop(clock: Clock) -> None:
    source = Scripted(clock)
    source.startService()
    source.stopService()
    source.lost("late news")
    assert not source.heard.calls and not clock.getDelayedCalls()
    source.startService()
    assert source.state is State.CONNECTED


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("tshttp://a.example/x", "tshttp://a.example/x"),
        ("tshttp://joe:secret@a.example:80/x?y=1", "tshttp://joe:***@a.example:80/x?y=***"),
        ("udp://10.0.0.1@239.0.0.1:1234", "udp://10.0.0.1@239.0.0.1:1234"),
        ("tshttp://a.example/x?token=secret&y=1", "tshttp://a.example/x?token=***&y=***"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert Input(url, RecordingSink(), Clock()).shown_url == shown
