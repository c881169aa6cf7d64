"""Waiting, but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from flussdvr.process.time_limits import TooSlow, Withdrawn, begun, in_time, within
from flussdvr.threads import MemoryWorker


class Late(Exception):
    pass


class Job:
    """Work that a test steps by hand; `done` counts what can't be taken back."""

    def __init__(self) -> None:
        self.clock, self.worker, self.done = Clock(), MemoryWorker(), 0
        self.before: Callable[[], object] = lambda: None
        self.found: list[Any] = []
        self.asked = in_time(self.worker, self.run, 10, self.clock, Late)
        self.asked.addBoth(self.found.append)

    def run(self, check: Callable[[], None]) -> str:
        self.before()
        check()
        self.done += 1
        return "done"


def test_what_is_done_in_time_is_answered() -> None:
    job = Job()
    job.clock.advance(9)
    assert job.worker.step() and job.found == ["done"] and job.done == 1
    assert job.clock.getDelayedCalls() == []


def test_what_fails_in_time_fails() -> None:
    job = Job()
    job.before = lambda: 1 / 0
    assert job.worker.step() and job.found[0].check(ZeroDivisionError) and job.clock.getDelayedCalls() == []


def test_what_was_not_begun_in_time_never_is() -> None:
    job = Job()
    job.clock.advance(10)
    assert job.found[0].check(Late)
    assert job.worker.step() and job.done == 0 and len(job.found) == 1


def test_what_was_begun_is_not_finished_when_nobody_waits() -> None:
    job = Job()
    job.before = lambda: job.clock.advance(10)
    assert job.worker.step() and job.done == 0
    assert job.found[0].check(Late) and len(job.found) == 1


def test_a_queue_that_is_full_says_so_at_once() -> None:
    found: list[Any] = []
    clock = Clock()
    in_time(MemoryWorker(0), lambda check: None, 10, clock, Late).addErrback(found.append)
    assert found[0].value.code == "busy" and clock.getDelayedCalls() == []


def test_who_asked_may_go_away() -> None:
    job = Job()
    job.asked.cancel()
    assert job.worker.step()
    job.clock.advance(10)
    assert len(job.found) == 1 and job.found[0].check(CancelledError)


def test_work_goes_on_when_nobody_waits() -> None:
    clock, work, found = Clock(), Deferred[str](), []
    begun(within(5, work, clock)).addErrback(lambda failure: found.append(failure.check(TooSlow)))
    clock.advance(5)
    assert found == [TooSlow]
    work.callback("late")
    work.addCallback(found.append)
    assert found == [TooSlow, "late"]


def test_a_check_says_that_it_is_withdrawn() -> None:
    job = Job()
    raised = []

    def before() -> None:
        job.clock.advance(10)
        raised.append(True)

    job.before = before
    work = job.worker._jobs[0]
    with pytest.raises(Withdrawn):
        work[0](*work[1])
    assert raised and job.done == 0
