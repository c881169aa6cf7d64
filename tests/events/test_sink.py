"""A sink that works, fails, hangs and comes back, by a clock of the test."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from flussdvr.config.model import EventSinkSettings
from flussdvr.database.subjects import Spool
from flussdvr.events.queue import Queue
from flussdvr.events.sink import BATCH, HttpSink
from flussdvr.events.types.event import Event
from tests.events.spools import make_spool, now


class Receiver:
    """`answers` are given one after the other: a status, an exception, or `None` for no answer; then 200."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.bodies: list[list[int]] = []
        self.cancelled = 0

    def post(self, body: bytes) -> Deferred[int]:
        self.bodies.append([event["n"] if "n" in event else event for event in json.loads(body)])
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            return Deferred(self._cancel)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def _cancel(self, _: Any) -> None:
        self.cancelled += 1


def make(receiver: Receiver, clock: Clock, spool: Spool | None = None, **options: Any) -> HttpSink:
    spool = spool or make_spool()
    queue = Queue("s", spool, *now(spool.open()).get("s", (1, 0)))
    settings = EventSinkSettings("s", "http://h/", **options)
    sink = HttpSink(settings, clock, queue, receiver.post, Event.document)
    sink.start()
    return sink


def offer(sink: HttpSink, *numbers: int) -> None:
    for n in numbers:
        sink.offer({"n": n}, json.dumps({"n": n}).encode())


def test_at_once_and_in_order() -> None:
    receiver = Receiver(None)
    sink = make(receiver, Clock())
    offer(sink, 1)
    offer(sink, 2, 3)
    assert receiver.bodies == [[1]], "the next one waits for the first one's answer"
    assert len(sink) == 3


def test_a_failure_is_repeated_after_a_while() -> None:
    clock, receiver = Clock(), Receiver(500, OSError("refused"), 302, None)
    sink = make(receiver, clock, resend_timeout_s=10)
    offer(sink, 1)
    assert receiver.bodies == [[1]] and sink.error == "it answers 500"
    offer(sink, 2)
    clock.advance(9.9)
    assert len(receiver.bodies) == 1
    clock.advance(0.1)
    assert receiver.bodies[1:] == [[1, 2]] and sink.error == "refused"
    clock.advance(10)
    assert sink.error == "it answers 302"
    clock.advance(10)  # this one hangs
    clock.advance(10)
    assert receiver.cancelled == 1 and len(sink) == 2
    clock.advance(10)
    assert sink.error is None and len(sink) == 0 and sink.sent == 2 and sink.resent == 8
    offer(sink, 3)
    assert receiver.bodies[-1] == [3]


def test_throttle_gathers_but_not_more_than_a_batch() -> None:
    clock, receiver = Clock(), Receiver()
    sink = make(receiver, clock, throttle_delay_s=2)
    offer(sink, 1, 2)
    clock.advance(1.9)
    offer(sink, 3)
    assert receiver.bodies == []
    clock.advance(0.1)
    assert receiver.bodies == [[1, 2, 3]]
    offer(sink, *range(BATCH))
    assert len(receiver.bodies) == 2


def test_what_is_too_much_is_dropped_counted_and_announced_in_its_place(event_schema: Any) -> None:
    clock, receiver = Clock(), Receiver(500)
    sink = make(receiver, clock, resend_limit=3, resend_timeout_s=1)
    offer(sink, *range(1, 10))
    assert len(sink) == 3 and sink.dropped == 6
    clock.advance(1)
    offer(sink, 10)
    announced = {"event": "events_dropped", "sink": "s", "count": 6}
    assert receiver.bodies[1:] == [[1, 2, 3], [announced], [10]]
    event_schema.check_own([announced])


def test_a_restart_in_between() -> None:
    clock, spool = Clock(), make_spool()
    sink = make(Receiver(503), clock, spool)
    offer(sink, *range(250))
    now(sink.stop())
    receiver = Receiver()
    sink = make(receiver, clock, spool)
    offer(sink, 250)
    assert [n for body in receiver.bodies for n in body] == list(range(251))
    assert [len(body) for body in receiver.bodies] == [100, 100, 50, 1]
    now(sink.stop())
    assert now(spool.open()) == {} and not clock.getDelayedCalls()


def test_a_kill_loses_nothing_that_waited_for_a_second() -> None:
    clock, spool = Clock(), make_spool()
    offer(make(Receiver(None), clock, spool), 1, 2, 3)
    clock.advance(1)
    receiver = Receiver()
    make(receiver, clock, spool)
    assert receiver.bodies == [[1, 2, 3]]


def test_a_sink_that_works_gets_what_is_left_at_the_end() -> None:
    clock, receiver = Clock(), Receiver()
    sink = make(receiver, clock, throttle_delay_s=60)
    offer(sink, 1, 2)
    now(sink.stop())
    assert receiver.bodies == [[1, 2]]


def test_a_database_that_fails_is_no_reason_to_stop() -> None:
    clock, spool = Clock(), make_spool()
    sink = make(Receiver(500), clock, spool, resend_timeout_s=1)
    spool._transactions.file.close()  # type: ignore[attr-defined]
    offer(sink, 1)
    clock.advance(1)
    assert len(sink) == 0 and sink.error is None
