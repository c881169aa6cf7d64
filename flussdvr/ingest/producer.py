"""
A thread that makes media at the wall clock's pace: for inputs whose work is too heavy for the reactor.

    thread                                       reactor
    produce(pace):
        pace.wait_until(t)                       open() starts the thread
        pace.hand([events])  --callFromThread--> received(events)
        (waits while UNTAKEN_MAX batches lie)    close() stops it; fires when it has ended

What the thread cannot hand over it waits with, so a busy reactor makes it late, and what to do about lateness is the
producer's decision.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from flussdvr.ingest.source import Input, InputEvent
from flussdvr.media import SamplesReceived

UNTAKEN_MAX = 32
STOP_POLL_S = 0.25
NAP_MAX_S = 3.0
"""The wall clock may be set back by years: nobody sleeps for longer than this without looking at it again."""


class Pace(Protocol):
    """What a producing thread needs of the outside: the time, and somebody who takes what it makes."""

    def now(self) -> float:
        """UTC seconds."""

    def wait_until(self, utc: float) -> bool:
        """Sleep until then, but `NAP_MAX_S` at most; False: stop producing."""

    def hand(self, events: Sequence[InputEvent]) -> bool:
        """Give these to the input, in the reactor; False: stop producing."""


class ThreadPace:
    """`Pace` of a real thread. `taken` and `ended` are called in the reactor."""

    log = Logger()

    def __init__(
        self, reactor: IReactorFromThreads, taken: Callable[[Sequence[InputEvent]], None], ended: Callable[[str], None]
    ) -> None:
        self.stopped = threading.Event()
        self._reactor = reactor
        self._taken = taken
        self._ended = ended
        self._room = threading.Semaphore(UNTAKEN_MAX)
        self._began = time.time() - time.monotonic()
        """UTC minus monotonic time: a wall clock that steps neither holds the source up nor makes it race."""
        self._over: Deferred[None] = Deferred()

    def start(self, produce: Callable[[Pace], str], name: str) -> None:
        """Run `produce` in a thread; it returns, or raises, why there is no more."""
        threading.Thread(target=self._run, args=(produce,), name=name, daemon=True).start()

    def stop(self) -> Deferred[None]:
        """Fires when the thread has ended."""
        self.stopped.set()
        return self._over

    # -- in the thread ----------------------------------------------------------------------------------------

    def now(self) -> float:
        return self._began + time.monotonic()

    def wait_until(self, utc: float) -> bool:
        return not self.stopped.wait(min(max(0.0, utc - self.now()), NAP_MAX_S))

    def hand(self, events: Sequence[InputEvent]) -> bool:
        while not self.stopped.is_set():
            if self._room.acquire(timeout=STOP_POLL_S):
                self._reactor.callFromThread(self._take, events)
                return True
        return False

    def _run(self, produce: Callable[[Pace], str]) -> None:
        try:
            reason = produce(self)
        except (OSError, ValueError) as error:  # of the file, or of FFmpeg
            reason = f"{type(error).__name__}: {error}"
        except Exception as error:
            self.log.failure("producing media in {thread}", thread=threading.current_thread().name)
            reason = f"internal error: {type(error).__name__}: {error}"
        self._reactor.callFromThread(self._end, reason)

    # -- in the reactor ---------------------------------------------------------------------------------------

    def _take(self, events: Sequence[InputEvent]) -> None:
        self._room.release()
        if not self.stopped.is_set():
            self._taken(events)

    def _end(self, reason: str) -> None:
        try:
            if not self.stopped.is_set():
                self._ended(reason)
        finally:
            self._over.callback(None)


class ProducedInput(Input):
    """An input whose media a thread of its own makes: subclasses write `produce`."""

    _pace: ThreadPace | None = None

    def produce(self, pace: Pace) -> str:
        """In the thread: make media until told to stop; why there is no more is returned or raised."""
        raise NotImplementedError

    def open(self) -> None:
        self._pace = ThreadPace(self._reactor, lambda events: self.guarded(self._taken, events), self.lost)
        self._pace.start(self.produce, f"{type(self).__name__} {self.stream}")
        self.opened()

    def close(self) -> Deferred[None] | None:
        pace, self._pace = self._pace, None
        return None if pace is None else pace.stop()

    def _taken(self, events: Sequence[InputEvent]) -> None:
        for event in events:
            if isinstance(event, SamplesReceived):
                self.counters.bytes += sum(len(sample.data) for sample in event.samples)
        self.received(events)
