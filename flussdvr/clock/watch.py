# -*- test-case-name: tests.clock.test_watch -*-
"""
Looks after the server's clock: each second at it, each minute it is written down.

    <state_dir>/clock.json     `UtcClock.state()`: so that the next start notices a step

Steps may be noticed in any thread, whoever asks for the time first; they are reported in the reactor. A state directory
that cannot be written costs the memory across a restart, nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from flussdvr.body.durable import replace_file
from flussdvr.clock.utc import Step, UtcClock
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.server import ClockContradicted, ClockHeld, ClockStepped
from flussdvr.process.callbacks import Periodic
from flussdvr.process.reactors import IReactorTimeThreads
from flussdvr.threads import ThreadWorker, Worker

FILE = "clock.json"
LARGEST = 1 << 16
"""Bytes; the file has a few hundred."""
LOOK_S = 1.0
SAVE_LOOKS = 60
STOP_TIMEOUT_S = 2.0


class ClockWatch:
    """
    `load()` before the time is used; `subscribers` are called with each `Step`, in the reactor.

    `worker` reads and writes the file; a thread of its own, as the disk may hang.
    """

    log = Logger()

    def __init__(
        self,
        clock: UtcClock,
        state_dir: str,
        reactor: IReactorTimeThreads,
        on_event: OnEvent,
        worker: Worker | None = None,
    ) -> None:
        self.clock = clock
        self.subscribers: list[Callable[[Step], None]] = []
        self._path = os.path.join(state_dir, FILE)
        self._reactor = reactor
        self._on_event = on_event
        self._worker = worker or ThreadWorker(reactor, "clock", 100)
        self._looks = 0
        self._saving = False
        self._failed = False
        self._loop = Periodic(reactor, self._look, self.log, "watching the clock")
        clock.on_step = lambda step: reactor.callFromThread(self._stepped, step)
        clock.on_held = lambda shift_ms: reactor.callFromThread(self._held, shift_ms)
        clock.on_contradicted = lambda ms: reactor.callFromThread(self._contradicted, ms)

    async def load(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Go on from what the last process knew; without it where the disk does not answer."""
        try:
            saved = await self._worker.do(_read, self._path).addTimeout(timeout_s, self._reactor)
        except Exception as error:
            self.log.warn("{path}: {error}; the clock is believed as it is", path=self._path, error=str(error))
        else:
            self.clock.start(saved)
        self.clock.now_ms()
        if not self._loop.running:
            self._loop.start(LOOK_S, now=False)

    def stop(self) -> Deferred[Any]:
        """Write down what is known; a disk that hangs is left alone."""
        self._loop.stop()
        done: Deferred[Any] = self._save()
        done.addCallback(lambda _: self._worker.stop())
        return done.addTimeout(STOP_TIMEOUT_S, self._reactor).addErrback(lambda failure: None)

    def _look(self) -> None:
        self.clock.weigh()
        self._looks += 1
        if self._looks % SAVE_LOOKS == 1:
            self._save()

    def _save(self) -> Deferred[Any]:
        if self._saving:  # a hanging disk
            return succeed(None)
        self._saving = True
        return self._worker.do(_write, self._path, json.dumps(self.clock.state()).encode()).addBoth(self._saved)

    def _saved(self, result: Any) -> None:
        self._saving = False
        error = getattr(result, "value", None)
        if error is not None and not self._failed:
            self.log.warn("{path} can't be written: {error}", path=self._path, error=str(error))
        self._failed = error is not None

    def _held(self, shift_ms: int | None) -> None:
        if shift_ms is None:
            self.log.info("the machine's clock is where it is expected again, or is followed now")
        else:
            self.log.error("the machine's clock has stepped by {shift} ms: not followed yet", shift=shift_ms)
        self._on_event(ClockHeld(shift_ms=shift_ms))

    def _contradicted(self, difference_ms: int | None) -> None:
        if difference_ms is None:
            self.log.info("no sources that state UTC contradict the server's time any more")
        else:
            self.log.error("sources agree on a UTC that is {ms} ms from the server's", ms=difference_ms)
        self._on_event(ClockContradicted(difference_ms=difference_ms))
        self._save()

    def _stepped(self, step: Step) -> None:
        self.log.warn("the server's time steps by {shift} ms with the machine's clock", shift=step.shift_ms)
        self._on_event(ClockStepped(from_ms=step.from_ms, to_ms=step.to_ms, doubtful_ms=step.doubtful_ms))
        for subscriber in tuple(self.subscribers):
            with self.log.failuresHandled("telling of a step of the clock"):
                subscriber(step)
        self._save()


def _read(path: str) -> object:
    """What the file holds; `None` where there is none or it is no JSON. OSError."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read(LARGEST))
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    replace_file(path, data)
