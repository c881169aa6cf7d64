# -*- test-case-name: tests.caching.test_single_flight -*-
"""
Work that many ask for at once and that is done once.

    viewer 1 --do(key)--> make() -----------------> result
    viewer 2 --do(key)--------- waits for the same -^
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """
    One coroutine per key at a time. Whoever waits may be cancelled without disturbing the others. The work goes on
    when nobody waits for it any more; if it `ends` then, it is cancelled.
    """

    def __init__(self, ends: bool = False) -> None:
        self._ends = ends
        self._waiting: dict[K, list[Deferred[V]]] = {}
        self._work: dict[K, Deferred[None]] = {}

    def do(self, key: K, make: Callable[[], Coroutine[Any, Any, V]]) -> Deferred[V]:
        """The result of `make()`, or of the one that is under way for this key."""
        waiter: Deferred[V] = Deferred(lambda waiter: self._gone(key, waiter))
        waiters = self._waiting.get(key)
        if waiters is not None:
            waiters.append(waiter)
            return waiter
        self._waiting[key] = [waiter]
        work = Deferred.fromCoroutine(make()).addBoth(self._done, key)
        if key in self._waiting:
            self._work[key] = work
        return waiter

    def _gone(self, key: K, waiter: Deferred[V]) -> None:
        """Somebody does not wait any more."""
        waiters = self._waiting.get(key, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if self._ends and not waiters and key in self._work:
            self._work[key].cancel()

    def _done(self, result: V | Failure, key: K) -> None:
        self._work.pop(key, None)
        for waiter in self._waiting.pop(key):
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)
