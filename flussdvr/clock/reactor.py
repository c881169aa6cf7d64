# -*- test-case-name: tests.clock.test_reactor -*-
"""
Twisted's timers by the monotonic clock.

A reactor asks `time.time()` when its timers are due (`ReactorBase.seconds` in `twisted.internet.base`; true of Twisted
26.10). A machine's clock that is put back by a day would stop every timer for a day: inputs, syncs, retention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol, cast


class TimedReactor(Protocol):
    """What of a `ReactorBase` is used."""

    seconds: Callable[[], float]

    def getDelayedCalls(self) -> Sequence[Any]: ...


def use_monotonic_time(of: object, clock: Callable[[], float] = monotonic) -> None:
    """From now on the reactor's seconds are those of `clock`; what has been scheduled comes when it would have come."""
    reactor = cast(TimedReactor, of)
    if reactor.seconds is clock:
        return
    offset = clock() - reactor.seconds()
    reactor.seconds = clock
    for call in reactor.getDelayedCalls():
        call.time += offset
        call.seconds = clock
