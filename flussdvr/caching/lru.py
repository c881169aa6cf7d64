"""
A bounded cache: least recently used values go first when their cost is more than allowed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `limit` units of cost; a value that alone costs more is not kept."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.cost = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, cost: int) -> None:
        self.pop(key)
        if cost > self.limit:
            return
        self._entries[key] = value, cost
        self.cost += cost
        while self.cost > self.limit:
            _, (_, freed) = self._entries.popitem(last=False)
            self.cost -= freed

    def pop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.cost -= entry[1]

    def items(self) -> list[tuple[K, V]]:
        """All that is kept now; nothing counts as used by it."""
        return [(key, value) for key, (value, _) in self._entries.items()]

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
