# -*- test-case-name: tests.archive.test_hung_catalog -*-
"""
The thread of the database, and how long anybody waits for it: its disk may hang.

    do        reads and long work of the start: each caller brings a time limit of its own
    refused   what must be stored: done within `STORE_S`, or refused and then neither begun nor kept
    held      what follows from the disks (rows of blobs, locks): done, or after `ROW_S` held; it is done, in order,
              when the disk answers

What is held lies in the queue of the thread, which is bounded. Where that is full, or the database refuses what had
been held, the row is `lost`: all of them are to be written anew from what the archive knows.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.errors import DvrError, Kind
from flussdvr.logs.repeated import Repeated
from flussdvr.process.time_limits import Withdrawn, in_time
from flussdvr.threads import Busy, Worker

OPEN_S = 60.0
"""How long the start waits for the disk: a large catalog is checked and read in seconds."""
STORE_S = 10.0
"""Who wants something stored waits no longer for the disk; it is refused then."""
ROW_S = 1.0
"""What can be stored later is waited for no longer."""

T = TypeVar("T")


class DatabaseThread:
    """
    `worker` has one thread. Without a `clock` everything is waited for. `name`: what is refused, in a message.

    Only in the reactor thread, but for `late` and `held`.
    """

    log = Logger()

    def __init__(self, worker: Worker, name: str, clock: IReactorTime | None = None) -> None:
        self.worker = worker
        self.lost = False
        """Whether rows that were said to be held could not be written."""
        self.held = 0
        """Changes of rows that wait for the disk."""
        self._name = name
        self._clock = clock
        self._late = False
        self._lost_rows = Repeated(self.log) if clock is None else Repeated(self.log, clock.seconds)

    @property
    def late(self) -> str | None:
        """Why everything is refused that can't be held, as the disk does not answer; `None` if it does."""
        if not self._late:
            return None
        held = f"; {self.held} changes of recordings and locks wait for it" if self.held else ""
        return f"its disk has not answered for {STORE_S:.0f} s{held}"

    def do(self, work: Callable[[], T]) -> Deferred[T]:
        """Fails with `Withdrawn` if the thread was replaced before it came to it."""
        return self.worker.do(self._for(self.worker, work))

    def _for(self, worker: Worker, work: Callable[[], T]) -> Callable[[], T]:
        def job() -> T:
            if worker is not self.worker:
                raise Withdrawn
            return work()

        return job

    def refused(self, work: Callable[[Callable[[], None]], T], undo: Callable[[], object] | None = None) -> Deferred[T]:
        """
        `work(check)`, as of `time_limits.in_time`; fails with UNAVAILABLE `state_not_writable` after `STORE_S`, at once
        while the disk is known not to answer. `undo()` is called in the thread where that was too late for `check`.
        """
        if self._clock is None:
            return self.do(lambda: work(lambda: None))
        if self._late:
            return fail(self._refusal())
        worker = self.worker

        def job(check: Callable[[], None]) -> T:
            return self._for(worker, lambda: work(check))()

        return in_time(worker, job, STORE_S, self._clock, self._too_late, undo)

    def hold(self, work: Callable[[], T], otherwise: T) -> Deferred[T]:
        """
        The result of `work`, or its failure; `otherwise` after `ROW_S`, at once while the disk is known not to answer:
        then it is done later.
        """
        if self._clock is None:
            return self.do(work)
        worker = self.worker
        mine: Deferred[T] = Deferred()
        timers: list[IDelayedCall] = []
        held = done = False

        def wait_no_more() -> None:
            nonlocal held
            held = True
            self.held += 1
            if not mine.called:
                mine.callback(otherwise)

        def ended(result: T | Failure) -> None:
            nonlocal done
            done = True
            for timer in timers:
                if timer.active():
                    timer.cancel()
            if held and worker is self.worker:
                self.held -= 1
            full = isinstance(result, Failure) and result.check(Busy) is not None
            if isinstance(result, Failure) and (held or full) and worker is self.worker:
                self._lose(result)
            if not mine.called:
                mine.callback(otherwise if full else result)

        self.do(work).addBoth(ended)
        if not done and self._late:
            wait_no_more()
        elif not done:
            timers += [self._clock.callLater(ROW_S, wait_no_more), self._clock.callLater(STORE_S, self._notice)]
        return mine

    def replace(self, worker: Worker) -> None:
        """Another thread does what comes from now on; what the one before has not begun it never will."""
        self.worker, self._late, self.held = worker, False, 0

    def _refusal(self) -> DvrError:
        return DvrError(Kind.UNAVAILABLE, "state_not_writable", f"{self._name} can't be written: {self.late}")

    def _too_late(self) -> DvrError:
        self._notice()
        return self._refusal()

    def _notice(self) -> None:
        """It does not answer; until it has done what waits now."""
        if not self._late:
            self._late = True
            self._ask(self.worker)

    def _ask(self, worker: Worker) -> None:
        worker.do(lambda: None).addCallbacks(self._answered, self._full, callbackArgs=(worker,), errbackArgs=(worker,))

    def _answered(self, result: None, worker: Worker) -> None:
        if worker is self.worker:
            self._late = False

    def _full(self, failure: Failure, worker: Worker) -> None:
        """Not even the question finds room in its queue."""
        if worker is self.worker and self._clock is not None:
            self._clock.callLater(STORE_S, self._ask, worker)

    def _lose(self, failure: Failure) -> None:
        self.lost = True
        self._lost_rows.error(
            "lost",
            "a row of {path} was not written and will be made anew: {error}",
            path=self._name,
            error=failure.value,
        )
