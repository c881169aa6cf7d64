"""
Troubles that come again and again, in a log that people read.

    disk full, disk full, disk full ...  -->  1st, 10th, 100th ... time, and one line when it is over

A source that is gone is tried for ever; its log line is not. What is counted is one kind of trouble: another reason is
another trouble, and is told at once. What has not come for `CALM_S` begins anew, and so does what has been over for
`RELAPSE_S`: what comes and goes every few seconds is one trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from types import TracebackType
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

CALM_S = 3600.0
RELAPSE_S = 60.0
KINDS = 64
"""Kinds of trouble that are told apart at once; the one that has not come for longest is forgotten."""


def is_told(count: int) -> bool:
    """Whether the `count`-th time is logged: 1, 10, 100 ..."""
    while count >= 10 and count % 10 == 0:
        count //= 10
    return count == 1


class Repeated:
    """
    The troubles of one thing (an input, a sink, a disk). Reactor only, or one thread.

    `now`: seconds that only grow.
    """

    def __init__(self, log: Logger, now: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._now = now
        self._kinds: dict[Hashable, tuple[int, float]] = {}
        self._told = False
        self._over_at: float | None = None
        self.count = 0
        """How often anything has happened since it was over."""

    def warn(self, kind: Hashable, format: str, **fields: Any) -> None:
        self.emit(LogLevel.warn, kind, format, **fields)

    def error(self, kind: Hashable, format: str, **fields: Any) -> None:
        self.emit(LogLevel.error, kind, format, **fields)

    def emit(self, level: Any, kind: Hashable, format: str, **fields: Any) -> None:
        """`format` and `fields` as of a `Logger`; the field `times` says how often it was."""
        if (times := self._again(kind)) is not None:
            self._log.emit(level, format + _times(times), times=times, **fields)

    def failure(self, kind: Hashable, format: str, failure: Failure, **fields: Any) -> None:
        """With its traceback."""
        if (times := self._again(kind)) is not None:
            self._log.failure(format + _times(times), failure, times=times, **fields)

    def over(self, format: str, **fields: Any) -> None:
        """There is no trouble any more; told once, if the trouble was."""
        times, self.count = self.count, 0
        told, self._told = self._told, False
        if times:
            self._over_at = self._now()
        if told:
            self._log.info(format + (f", after {times} troubles" if times > 1 else ""), times=times, **fields)

    def _again(self, kind: Hashable) -> int | None:
        now = self._now()
        if self._over_at is not None:
            if now - self._over_at > RELAPSE_S:
                self._kinds.clear()
            self._over_at = None
        self.count += 1
        count, last = self._kinds.pop(kind, (0, now))
        count = 1 if now - last > CALM_S else count + 1
        self._kinds[kind] = count, now
        while len(self._kinds) > KINDS:
            del self._kinds[next(iter(self._kinds))]
        if not is_told(count):
            return None
        self._told = True
        return count


class RepeatedBy:
    """A `Repeated` for each of some things (storage roots, streams), told apart by a key. As many as there are keys."""

    def __init__(self, log: Logger, now: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._now = now
        self._of: dict[Hashable, Repeated] = {}

    def of(self, key: Hashable) -> Repeated:
        if key not in self._of:
            self._of[key] = Repeated(self._log, self._now)
        return self._of[key]

    def over(self, key: Hashable, format: str, **fields: Any) -> None:
        """As `Repeated.over`, if there was anything of `key`."""
        if key in self._of:
            self._of[key].over(format, **fields)


def _times(count: int) -> str:
    return f", for the {count}th time" if count > 1 else ""


def where(failure: Failure) -> tuple[object, ...]:
    """What tells one bug from another: its exception, and the line that raised it."""
    traceback: TracebackType | None = failure.getTracebackObject()  # type: ignore[no-untyped-call]
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    at = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno) if traceback is not None else ()
    return (failure.type, *at)
