from __future__ import annotations

import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from flussdvr.threads import Busy, InlineWorker, MemoryWorker, Pool, ThreadWorker


class Turns:
    """`callFromThread` that is run when the test wants it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.called = threading.Semaphore(0)

    def callFromThread(self, f: Any) -> None:
        self.calls.append(f)
        self.called.release()

    def turn(self) -> None:
        assert self.called.acquire(timeout=10)
        self.calls.pop(0)()


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest_twisted.ensureDeferred
async def test_work_is_done_in_a_named_daemon_thread_and_comes_back(reactor: Any) -> None:
    worker = ThreadWorker(reactor, "disk")
    thread = await worker.do(threading.current_thread)
    assert thread.name == "disk-0" and thread.daemon and thread is not threading.current_thread()
    await worker.stop()


@pytest_twisted.ensureDeferred
async def test_one_thread_keeps_the_order(reactor: Any) -> None:
    worker = ThreadWorker(reactor, "disk")
    done: list[int] = []
    results = await gatherResults([worker.do(done.append, n) for n in range(500)])
    assert done == list(range(500)) and len(results) == 500 and worker.waiting == 0
    await worker.stop()


@pytest_twisted.ensureDeferred
async def test_errors_come_back(reactor: Any) -> None:
    worker = ThreadWorker(reactor, "disk")
    with pytest.raises(ZeroDivisionError):
        await worker.do(lambda: 1 // 0)
    await worker.stop()
    await worker.stop()


@pytest_twisted.ensureDeferred
async def test_a_pool_works_in_parallel(reactor: Any) -> None:
    pool = Pool(reactor, "read", 3)
    meeting = threading.Barrier(3, timeout=10)
    await gatherResults([pool.do(meeting.wait) for _ in range(3)])
    await pool.stop()


def test_results_are_reported_together() -> None:
    turns = Turns()
    worker = ThreadWorker(turns, "disk")
    gate = threading.Event()
    first = worker.do(gate.wait)
    others = [worker.do(int, n) for n in range(50)]
    gate.set()
    worker.do(gate.wait)
    while not all(one.called for one in [first, *others]):
        turns.turn()
    # Without bundling it would have been 51; the reactor of this test is slow to take its turns only once.
    assert len(turns.calls) <= 1


def test_a_full_queue_refuses_at_once_and_a_hanging_thread_holds_nobody() -> None:
    turns = Turns()
    worker = ThreadWorker(turns, "disk", limit=2)
    gate = threading.Event()
    waiting = [worker.do(gate.wait), worker.do(int)]
    refused = worker.do(int)
    failure: list[Any] = []
    refused.addErrback(failure.append)
    assert failure[0].check(Busy) and not any(one.called for one in waiting)
    stopped = worker.stop()
    assert not stopped.called
    gate.set()
    while not stopped.called:
        turns.turn()
    assert waiting[0].called and waiting[1].called
    assert isinstance(worker.do(int).addErrback(lambda f: f.value).result, Busy)


@pytest_twisted.ensureDeferred
async def test_a_cancelled_waiter_does_not_disturb_the_next(reactor: Any) -> None:
    worker = ThreadWorker(reactor, "disk")
    lost = worker.do(int)
    lost.cancel()
    lost.addErrback(lambda _: None)
    assert await worker.do(int, "7") == 7
    await worker.stop()


def test_the_memory_worker_is_stepped() -> None:
    worker = MemoryWorker(limit=2)
    results: list[int] = []
    worker.do(int, "1").addCallback(results.append)
    worker.do(int, "2").addCallback(results.append)
    assert worker.do(int).addErrback(lambda f: f.value.code).result == "busy"
    assert results == [] and len(worker) == 2
    assert worker.step() and results == [1]
    assert worker.step() and not worker.step() and results == [1, 2]


def test_the_inline_worker_does_it_now() -> None:
    results: list[Any] = []
    InlineWorker().do(int, "1").addCallback(results.append)
    InlineWorker().do(int, "x").addErrback(lambda failure: results.append(failure.type))
    done: Deferred[None] = InlineWorker().stop()
    assert results == [1, ValueError] and done.called
