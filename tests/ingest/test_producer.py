"""Threads that make media: bounded, stopped, and their ends reported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from twisted.internet.task import Clock

from flussdvr.ingest import producer
from flussdvr.ingest.producer import Pace, ProducedInput
from flussdvr.ingest.source import State
from flussdvr.media import Sample, SamplesReceived, TracksChanged
from tests.ingest.sinks import VIDEO, RecordingSink

BATCH = [SamplesReceived(1, [Sample(0, b"x")])]


class Reactor(Clock):
    """Runs what threads leave for it, when told."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        self.outbox.put((call, args))

    def next(self) -> None:
        call, args = self.outbox.get(timeout=10)
        call(*args)


class Made(ProducedInput):
    """Its thread does as the test says."""

    work: Callable[[Pace], str]

    def produce(self, pace: Pace) -> str:
        return self.work(pace)


@pytest.fixture
def made() -> Made:
    return Made("fake://", RecordingSink(), Reactor())


def test_what_it_hands_over_arrives_in_the_reactor(made: Made) -> None:
    made.work = lambda pace: "end" if pace.hand([TracksChanged((VIDEO,))]) and pace.hand(BATCH) else "?"
    made.startService()
    assert made.state is State.CONNECTED
    made._reactor.next()
    made._reactor.next()
    assert made.state is State.RECEIVING
    made._reactor.next()
    assert made.sink.calls[-1] == ("lost", "end")  # type: ignore[attr-defined]
    made.stopService()


def test_an_exception_is_a_reason(made: Made) -> None:
    def fail(pace: Pace) -> str:
        raise OSError("no such file")

    made.work = fail
    made.startService()
    made._reactor.next()
    assert made.reason == "OSError: no such file"
    made.stopService()


def test_it_waits_when_nobody_takes(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "UNTAKEN_MAX", 3)
    handed = []
    full = threading.Event()

    def work(pace: Pace) -> str:
        while pace.hand(BATCH):
            handed.append(1)
            if len(handed) == 3:
                full.set()
        return "stopped"

    made.work = work
    made.startService()
    assert full.wait(10)
    assert len(handed) == 3
    made._reactor.next()
    made.stopService()


def test_stop_fires_when_the_thread_has_ended(made: Made) -> None:
    made.work = lambda pace: "stopped" if not pace.wait_until(pace.now() + 1000) else "?"
    made.startService()
    stopped = made.stopService()
    assert stopped is not None and not stopped.called
    made._reactor.next()
    assert stopped.called and made.state is State.STOPPED
    assert made.sink.calls == []  # type: ignore[attr-defined]


def test_what_arrives_after_a_stop_is_dropped(made: Made) -> None:
    made.work = lambda pace: str(pace.hand(BATCH))
    made.startService()
    stopped = made.stopService()
    while not stopped.called:  # type: ignore[union-attr]
        made._reactor.next()
    assert made.counters.samples == 0


def test_a_nap_has_an_end(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "NAP_MAX_S", 0.001)
    made.work = lambda pace: str(pace.wait_until(pace.now() + 1e9))
    made.startService()
    made._reactor.next()
    assert made.reason == "True"
    made.stopService()
