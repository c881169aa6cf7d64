# -*- test-case-name: tests.events.test_queue -*-
"""
What waits for one sink, oldest first.

    append -> fresh ---flush, each second---> spool
          `-> front (at most FRONT) -> batch -> taken
                 ^------load------------------'

Ids count up without holes, so that the number waiting is a difference. What is taken before the next flush never
touches the disk; what waits longer is there at most a second later and is kept in RAM only at the front.

A spool that cannot be read is not empty. Until it can, ids are provisional, nothing is written, and what comes in is
delivered from RAM; then what was left stands in front, and what waits gets the ids that follow.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import DeferredLock

from flussdvr.database.subjects import EventRow, Spool

FRONT = 1000
"""Of the oldest events this many are kept in RAM."""
FRESH_MAX = 10_000
"""Events wait in RAM for the spool: when the state directory's disk fails or hangs, at most so many."""


class Queue:
    """
    Events of the sink `name`; `first` and `last` are the ids of what the spool has of it, unless it is not `known` yet.

    `lost` counts those that the spool was given and does not have any more.
    """

    def __init__(self, name: str, spool: Spool, first: int = 1, last: int = 0, known: bool = True) -> None:
        self.name = name
        self.lost = 0
        self.known = known
        """Whether it is known what the spool has."""
        self._spool = spool
        self._front: deque[EventRow] = deque()
        self._fresh: deque[EventRow] = deque()
        self._taken = first - 1
        self._loaded = first - 1
        self._written = last
        self._deleted = first - 1
        self._next = last + 1
        self._flushing = DeferredLock()
        self._found: tuple[int, int] | None = None
        self._out = False

    def __len__(self) -> int:
        return self._next - 1 - self._taken

    @property
    def full(self) -> bool:
        """Whether the spool is so far behind that no more can be taken in."""
        return len(self._fresh) >= FRESH_MAX

    async def open(self) -> None:
        """Find out what the spool has, where that is not known. Fails as the spool."""
        if not self.known:
            found = (await self._spool.open()).get(self.name, (1, 0))
            if not self.known:
                self._found = found
                self._join()

    def _join(self) -> None:
        """Put what the spool has in front of what has come in since; not while a batch is being delivered."""
        if self._found is None or self._out:
            return
        (first, last), self._found = self._found, None
        self._fresh = deque((id - self._taken + last, data) for id, data in self._fresh)
        self._next = last + 1 + len(self._fresh)
        self._front.clear()
        self._taken = self._loaded = self._deleted = first - 1
        self._written = last
        self.known = True

    def append(self, data: bytes) -> None:
        row = self._next, data
        self._next += 1
        self._fresh.append(row)
        if self._loaded == row[0] - 1 and len(self._front) < FRONT:
            self._front.append(row)
            self._loaded = row[0]

    async def batch(self, count: int, size: int) -> list[bytes]:
        """The oldest, at most `count` and (but for the first) `size` bytes. They stay until `take`."""
        self.put_back()
        if not self._front and len(self):
            await self._load()
        chosen: list[bytes] = []
        for _, data in self._front:
            size -= len(data)
            if chosen and (len(chosen) == count or size < 0):
                break
            chosen.append(data)
        self._out = bool(chosen)
        return chosen

    def take(self, count: int) -> None:
        """The oldest `count` have been delivered."""
        for _ in range(count):
            self._taken, _ = self._front.popleft()
        while self._fresh and self._fresh[0][0] <= self._taken:
            self._fresh.popleft()
        self._out = False
        self._join()

    def put_back(self) -> None:
        """The batch that is out is not delivered: it is still the oldest."""
        self._out = False
        self._join()

    async def flush(self) -> None:
        """Write to the spool what is not there, delete what has been taken. DvrError UNAVAILABLE."""
        await self._flushing.acquire()
        try:
            await self._flush()
        finally:
            self._flushing.release()

    async def _flush(self) -> None:
        await self.open()
        if not self.known:
            return  # once the batch that is out has been taken
        rows, taken = list(self._fresh), self._taken
        if not rows and not self._deleted < min(taken, self._written):
            return
        await self._spool.store(self.name, rows, taken)
        self._deleted = taken
        self._written = max(self._written, rows[-1][0] if rows else 0)
        while self._fresh and self._fresh[0][0] <= self._written:
            self._fresh.popleft()

    async def _load(self) -> None:
        """Fill the front. Fails as the spool."""
        rows: list[EventRow] = []
        while not rows and self._loaded < self._next - 1:
            if self._fresh and self._fresh[0][0] <= self._loaded + 1:
                rows = [row for row in self._fresh if row[0] > self._loaded][:FRONT]
            else:
                rows = await self._spool.load(self.name, self._loaded, FRONT)
            if not rows:
                self._skip()
        for row in rows:
            if row[0] > self._loaded:
                self._front.append(row)
                self._loaded = row[0]

    def _skip(self) -> None:
        """The spool has been tampered with: go on behind the hole."""
        after = self._fresh[0][0] - 1 if self._fresh else self._next - 1
        self.lost += after - self._loaded
        self._loaded = self._taken = after
