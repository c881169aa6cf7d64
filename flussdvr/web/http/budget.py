# -*- test-case-name: tests.web.http.test_budget -*-
"""
Memory that answers hold while they are sent: heads of files, long playlists.

A client that reads slowly holds what was made for it. So there is a limit for all, and one for each client; what
several are sent at the same time counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from flussdvr.threads import Busy

ALL_BYTES = 256 << 20
EACH_BYTES = 96 << 20
SMALL = 1 << 20
"""Less than this is not counted: as much as an ordinary segment."""


class Budget:
    """`held`: bytes that are counted now. In the reactor thread."""

    def __init__(self, all_bytes: int = ALL_BYTES, each_bytes: int = EACH_BYTES) -> None:
        self.held = 0
        self._all_bytes = all_bytes
        self._each_bytes = each_bytes
        self._users: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}
        self._of_client: Counter[str] = Counter()

    @contextmanager
    def hold(self, key: str, client: str, size: int) -> Iterator[None]:
        """While `size` bytes called `key` are sent to `client`. Raises `Busy` where that is too much."""
        if size < SMALL:
            yield
            return
        more = 0 if key in self._sizes else size
        if self.held + more > self._all_bytes or self._of_client[client] + size > max(self._each_bytes, size):
            raise Busy("what is being sent")
        self._users[key] += 1
        self._of_client[client] += size
        self.held += more
        self._sizes.setdefault(key, size)
        try:
            yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key]
                self.held -= self._sizes.pop(key)
            self._of_client[client] -= size
            if not self._of_client[client]:
                del self._of_client[client]
