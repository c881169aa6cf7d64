# -*- test-case-name: tests.playback.ts.test_live -*-
"""
Live MPEG-TS, fragment by fragment.

    live window --> LiveQueue, bounded --> muxed in the CPU worker --> packets
                       |                       |
                       |                       `- busy: asked again, for a while
                       |- too far behind: what waits is lost, up to the next sync fragment
                       `- deleted: so is what is deleted

What a viewer does not get is counted (`on_lost`) and logged, with the reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from flussdvr.errors import DvrError, Kind
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import Deleted, Gap, LiveWindow, News
from flussdvr.logs.repeated import Repeated
from flussdvr.playback.selection import Selection
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.continuity import Continuity
from flussdvr.playback.ts.segments import TsSegments

T = TypeVar("T")

WAITING_BYTES = 32 << 20
"""Live viewers who are further behind than this lose what they have missed."""
BUSY_S = 10.0
"""So long a fragment waits for a worker that has too much to do; those behind it wait in the bounded queue."""
AGAIN_S = 0.2
"""Between two attempts."""


class TsLive:
    log = Logger()

    def __init__(self, segments: TsSegments, clock: IReactorTime) -> None:
        self._segments = segments
        self._clock = clock
        self._troubles = Repeated(self.log, clock.seconds)

    async def packets(
        self,
        source: Source,
        window: LiveWindow,
        selection: Selection | None,
        on_lost: Callable[[int], None] = lambda count: None,
    ) -> AsyncIterator[bytes]:
        """Endless, from the beginning of the window's newest segment on. `on_lost`: so many fragments are missing."""
        continuity = Continuity(selection)
        queue = LiveQueue(window)
        try:
            while True:
                init, fragment = await queue.next()
                if lost := queue.taken_lost():
                    on_lost(lost)
                    self._tell(source, lost, "the viewer reads too slowly")
                try:
                    packets = await self._fragment(source, init, fragment, continuity)
                except DvrError as error:
                    on_lost(1)
                    self._tell(source, 1, error.title)
                    continue
                if packets is not None:
                    yield packets
        finally:
            queue.close()

    async def _fragment(
        self, source: Source, init: bytes, fragment: LiveFragment, continuity: Continuity
    ) -> bytes | None:
        """`None` where it has none of the selected tracks. Raises `DvrError`."""
        used = await self._patiently(lambda: self._segments.used(source, init, fragment))
        placed = self._segments.place(init, fragment, continuity, used)
        if placed is None:
            return None
        return await self._patiently(lambda: self._segments.placed(source, placed, continuity.selection))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked again while there is no room for the work. Raises `DvrError`."""
        until = self._clock.seconds() + BUSY_S
        while True:
            try:
                return await ask()
            except DvrError as error:
                if error.kind is not Kind.UNAVAILABLE or self._clock.seconds() >= until:
                    raise
            await deferLater(self._clock, AGAIN_S)

    def _tell(self, source: Source, count: int, reason: str) -> None:
        text = "{stream}: {count} fragments are missing in a viewer's live MPEG-TS: {reason}"
        self._troubles.warn((source.name, reason), text, stream=source.name, count=count, reason=reason)


class LiveQueue:
    """The live window's fragments for one viewer, from the beginning of its newest segment on."""

    def __init__(self, window: LiveWindow) -> None:
        self._window = window
        newest = window.growing or window.segments[-1]
        self._fragments: deque[tuple[bytes, LiveFragment]] = deque((newest.init, item) for item in newest.fragments)
        self._size = sum(len(item.data) for item in newest.fragments)
        self._synced = bool(self._fragments)
        self._behind = False
        self._lost = 0
        self._waiting: Deferred[None] | None = None
        self._unsubscribe = window.subscribe(self._received)

    def _received(self, item: News) -> None:
        if isinstance(item, Gap):
            return
        if isinstance(item, Deleted):
            self._drop(item)
            return
        if self._size > WAITING_BYTES:
            self._lost += len(self._fragments)
            self._fragments.clear()
            self._size = 0
            self._synced, self._behind = False, True
        self._synced = self._synced or item.sync
        if not self._synced:
            self._lost += self._behind
            return
        self._behind = False
        self._fragments.append((self._window.init, item))
        self._size += len(item.data)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _drop(self, deleted: Deleted) -> None:
        """What waits and is deleted, and what cannot be decoded without it."""
        waiting, whole = self._fragments, True
        self._fragments = deque()
        for init, fragment in waiting:
            whole = not deleted.takes(fragment.begin_ms, fragment.end_ms) and (whole or fragment.sync)
            if whole:
                self._fragments.append((init, fragment))
        self._size = sum(len(fragment.data) for _, fragment in self._fragments)
        self._synced = self._synced and whole

    async def next(self) -> tuple[bytes, LiveFragment]:
        """The next fragment and its init segment; waits for it."""
        while not self._fragments:
            self._waiting = Deferred()
            await self._waiting
        init, fragment = self._fragments.popleft()
        self._size -= len(fragment.data)
        return init, fragment

    def taken_lost(self) -> int:
        """How many fragments were left out since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        self._unsubscribe()
