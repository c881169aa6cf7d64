# -*- test-case-name: tests.process.test_time_limits -*-
"""
Waiting for a disk, but not for ever.

    work ------------------------------------------> goes on, whoever waits for it
    within(seconds, work) --> done, or `TooSlow`

    in_time(worker, f, seconds) --> done, or refused: then it is not begun any more, and not committed, or undone
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from threading import Lock
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from flussdvr.threads import Worker

T = TypeVar("T")


class TooSlow(Exception):
    """It is not done yet; it goes on."""


def begun(work: Awaitable[T]) -> Deferred[T]:
    """The work, under way: it goes on whether or not anybody waits for it."""

    async def run() -> T:
        return await work

    return Deferred.fromCoroutine(run())


async def within(seconds: float, work: Deferred[T], clock: IReactorTime) -> T:
    """
    The result of `work`, or its failure; `TooSlow` when it takes longer. It goes on then, and when whoever waits here
    is cancelled: a later failure is for others who wait.
    """
    mine: Deferred[T] = Deferred()

    def late() -> None:
        if not mine.called:
            mine.errback(TooSlow())

    def done(result: object) -> object:
        if not mine.called:
            mine.callback(result)  # type: ignore[arg-type]
            return None
        return result

    timer = clock.callLater(seconds, late)
    work.addBoth(done)
    try:
        return await mine
    finally:
        if timer.active():
            timer.cancel()


class Withdrawn(Exception):
    """Nobody waits for it any more."""


def in_time(
    worker: Worker,
    f: Callable[[Callable[[], None]], T],
    seconds: float,
    clock: IReactorTime,
    late: Callable[[], Exception],
    undo: Callable[[], object] | None = None,
) -> Deferred[T]:
    """
    `f(check)` in a worker; fails with `late()` when that takes longer. Then what has not been begun never is, and
    `check()`, which `f` calls before it does what can't be taken back, raises `Withdrawn`. Where only the last step
    took too long, after `check`, `undo()` is called in the worker, before anything else is done there.
    """
    mine: Deferred[T] = Deferred()
    lock = Lock()
    withdrawn = finished = False

    def check() -> None:
        if withdrawn:
            raise Withdrawn

    def work() -> T:
        nonlocal finished
        check()
        result = f(check)
        with lock:
            finished = not withdrawn
        if not finished and undo is not None:
            undo()
        return result

    def too_late() -> None:
        nonlocal withdrawn
        with lock:
            withdrawn = not finished
        if withdrawn and not mine.called:
            mine.errback(late())

    timer = clock.callLater(seconds, too_late)

    def done(result: T | Failure) -> None:
        if timer.active():
            timer.cancel()
        if not mine.called:
            mine.callback(result)

    worker.do(work).addBoth(done)
    return mine
