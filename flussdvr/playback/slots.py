# -*- test-case-name: tests.playback.test_slots -*-
"""
Large work, a little of it at a time.

    do  do  do  do  do       asked for by clients A A B B B
    [A][B]                   at_once = 2 run: of those that wait, the next is one whose client has the least running
    [ ][ ] A B B             the others wait and hold nothing; more than `waiting`, or `each` of one client, are refused
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from flussdvr.threads import Busy

T = TypeVar("T")


class Slots:
    """`name`: what the work is, for `Busy`. In the reactor thread."""

    def __init__(self, name: str, at_once: int, waiting: int, each: int) -> None:
        self.name = name
        self._at_once = at_once
        self._waiting = waiting
        self._each = each
        self._running: Counter[str] = Counter()
        self._queue: list[tuple[str, Deferred[None]]] = []

    @property
    def running(self) -> int:
        return self._running.total()

    async def do(self, client: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `make()` gives, once there is room for it. Raises `Busy` at once where too many wait."""
        if self.running >= self._at_once:
            own = self._running[client] + sum(1 for other, _ in self._queue if other == client)
            if len(self._queue) >= self._waiting or own >= self._each:
                raise Busy(self.name)
            turn: Deferred[None] = Deferred()
            self._queue.append((client, turn))
            try:
                await turn  # whoever ends has counted this as running
            except BaseException:
                self._queue = [item for item in self._queue if item[1] is not turn]
                raise
        else:
            self._running[client] += 1
        try:
            return await make()
        finally:
            self._ended(client)

    def _ended(self, client: str) -> None:
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        if self._queue and self.running < self._at_once:
            index = min(range(len(self._queue)), key=lambda number: self._running[self._queue[number][0]])
            following, turn = self._queue.pop(index)
            self._running[following] += 1
            turn.callback(None)
