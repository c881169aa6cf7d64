# -*- test-case-name: tests.test_patience -*-
"""
Waiting for a disk, but not for ever.

    work ------------------------------------------> goes on, whoever waits for it
    settled(work, seconds) --> done, or `TooSlow`
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

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
