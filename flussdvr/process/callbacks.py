# -*- test-case-name: tests.process.test_callbacks -*-
# mypy: allow-untyped-calls
# (LoopingCall is not annotated)
"""
Work that the reactor calls and nobody waits for: an exception in it is logged, and never the end of it.

    Periodic      a call each so many seconds           LoopingCall alone stops for ever at the first exception
    background    a coroutine that nobody awaits        a failed Deferred alone is silent until it is collected

All for the reactor thread.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure


class Periodic:
    """
    Calls `call` again and again until `stop`; the next call waits for the Deferred that the last one returned.

    `doing` says in the log what failed. `failures` counts the calls that raised, or whose Deferred failed.
    """

    def __init__(
        self, clock: IReactorTime | None, call: Callable[[], Deferred[Any] | None], log: Logger, doing: str
    ) -> None:
        self.failures = 0
        self._call = call
        self._log = log
        self._doing = doing
        self._loop = LoopingCall(self._once)
        if clock is not None:
            self._loop.clock = clock

    @property
    def running(self) -> bool:
        return bool(self._loop.running)

    def start(self, interval_s: float, now: bool = True) -> None:
        self._loop.start(interval_s, now=now).addErrback(self._failed)

    def stop(self) -> None:
        """Further calls do nothing."""
        if self._loop.running:
            self._loop.stop()

    def _once(self) -> Deferred[Any] | None:
        try:
            result = self._call()
        except Exception:
            self._failed(Failure())
            return None
        return result.addErrback(self._failed) if isinstance(result, Deferred) else None

    def _failed(self, failure: Failure) -> None:
        self.failures += 1
        self._log.failure("{doing} failed", failure, doing=self._doing)


def background(work: Coroutine[Any, Any, Any], log: Logger, doing: str) -> Deferred[Any]:
    """Run a coroutine that nobody awaits. The Deferred fires when it is over, with `None` if it failed."""
    return Deferred.fromCoroutine(work).addErrback(lambda failure: log.failure("{doing} failed", failure, doing=doing))
