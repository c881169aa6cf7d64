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
    One coroutine per key at a time. Whoever waits may be cancelled without disturbing the others or the work.
    """

    def __init__(self) -> None:
        self._waiting: dict[K, list[Deferred[V]]] = {}

    def do(self, key: K, make: Callable[[], Coroutine[Any, Any, V]]) -> Deferred[V]:
        """The result of `make()`, or of the one that is under way for this key."""
        waiter: Deferred[V] = Deferred()
        waiters = self._waiting.get(key)
        if waiters is not None:
            waiters.append(waiter)
            return waiter
        self._waiting[key] = [waiter]
        Deferred.fromCoroutine(make()).addBoth(self._done, key)
        return waiter

    def _done(self, result: V | Failure, key: K) -> None:
        for waiter in self._waiting.pop(key):
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)
