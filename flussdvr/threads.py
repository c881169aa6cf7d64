# -*- test-case-name: tests.test_threads -*-
"""
Threads: where work is done that may wait for a disk, a decoder or SQL.

    reactor thread                           worker thread(s)
    do(f, *args) -> Deferred   --queue-->    f(*args)
    Deferred fires             <--outbox--   result; one callFromThread for all that lie there

Every queue is bounded: when `limit` pieces of work wait, `do` fails at once with `Busy`. The threads are daemons: a
disk that hangs for ever holds its own thread and nothing else, not even the end of the process.

After twisted._threads: a small interface, and in its place for tests a worker that is stepped by hand.
"""
# mypy: allow-untyped-calls
# (Failure is not annotated)

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from flussdvr.errors import DvrError, Kind

T = TypeVar("T")

Job = tuple[Callable[..., Any], tuple[Any, ...], "Deferred[Any]"]


class Busy(DvrError):
    """The worker's queue is full."""

    def __init__(self, name: str) -> None:
        super().__init__(Kind.UNAVAILABLE, "busy", f"too much work waits for {name}")


class Worker(Protocol):
    """Does work elsewhere, in the order in which it was asked for."""

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        """`f(*args)` in the worker; fires in the reactor thread with the result, or fails, with `Busy` at once."""
        ...

    @property
    def spare(self) -> bool:
        """Whether more work would be begun at once; may be asked in any thread."""
        ...

    def stop(self) -> Deferred[None]:
        """Take no more work; fires when what waited is done."""
        ...


class Pool:
    """
    Some named daemon threads that share one queue.

    With one thread, work is done in order. `reactor` needs `callFromThread`.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, threads: int, limit: int = 1000) -> None:
        self.name = name
        self.limit = limit
        self.waiting = 0
        """Pieces of work asked for and not yet reported back."""
        self._reactor = reactor
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._outbox: list[tuple[Deferred[Any], Any]] = []
        self._lock = Lock()
        self._stopped: Deferred[None] | None = None
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        if self.waiting >= self.limit or self._stopped is not None:
            return fail(Busy(self.name))
        self.waiting += 1
        result: Deferred[T] = Deferred()
        self._jobs.put((f, args, result))
        return result

    @property
    def spare(self) -> bool:
        return self.waiting < len(self._threads)

    def stop(self) -> Deferred[None]:
        if self._stopped is None:
            self._stopped = Deferred()
            for _ in self._threads:
                self._jobs.put(None)
            self._stop_if_idle()
        waiter: Deferred[None] = Deferred()
        self._stopped.chainDeferred(waiter)
        return waiter

    def _stop_if_idle(self) -> None:
        if self._stopped is not None and not self.waiting and not self._stopped.called:
            self._stopped.callback(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            f, args, deferred = job
            try:
                result = f(*args)
            except BaseException:
                result = Failure()
            with self._lock:
                first = not self._outbox
                self._outbox.append((deferred, result))
            if first:
                self._reactor.callFromThread(self._deliver)
            del job, f, args, deferred, result

    def _deliver(self) -> None:
        with self._lock:
            delivered, self._outbox = self._outbox, []
        self.waiting -= len(delivered)
        for deferred, result in delivered:
            if isinstance(result, Failure):
                deferred.errback(result)
            else:
                deferred.callback(result)
        self._stop_if_idle()


class ThreadWorker(Pool):
    """One named daemon thread fed by a queue."""

    def __init__(self, reactor: IReactorFromThreads, name: str, limit: int = 1000) -> None:
        super().__init__(reactor, name, 1, limit)


class InlineWorker:
    """Does the work at once in the caller's thread: for command line tools, which have no reactor, and for tests."""

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        return execute(f, *args)

    @property
    def spare(self) -> bool:
        return True

    def stop(self) -> Deferred[None]:
        return succeed(None)


def result_of(deferred: Deferred[T]) -> T:
    """The result of a Deferred that an `InlineWorker` has fired; raises its failure."""
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class MemoryWorker:
    """Keeps the work until a test steps it: no thread, no surprise."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.stopped = False
        self._jobs: deque[Job] = deque()

    def do(self, f: Callable[..., T], *args: Any) -> Deferred[T]:
        if len(self._jobs) >= self.limit or self.stopped:
            return fail(Busy("memory"))
        result: Deferred[T] = Deferred()
        self._jobs.append((f, args, result))
        return result

    @property
    def spare(self) -> bool:
        return not self._jobs

    def stop(self) -> Deferred[None]:
        self.stopped = True
        while self.step():
            pass
        return succeed(None)

    def __len__(self) -> int:
        return len(self._jobs)

    def __bool__(self) -> bool:
        return True

    def step(self) -> bool:
        """Do one piece of work; `False` if none waited."""
        if not self._jobs:
            return False
        f, args, result = self._jobs.popleft()
        execute(f, *args).chainDeferred(result)
        return True
