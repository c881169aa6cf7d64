"""Waiting events in RAM and in the spool: in order, none twice, none missing."""

from __future__ import annotations

import random
from typing import Any

from spools import make_spool, now

from flussdvr.events import queue as module
from flussdvr.events.queue import Queue


def test_what_is_taken_soon_is_never_written() -> None:
    spool = make_spool()
    queue = Queue("s", spool)
    queue.append(b"a")
    queue.append(b"b")
    assert now(queue.batch(10, 1000)) == [b"a", b"b"]
    queue.take(2)
    now(queue.flush())
    assert now(spool.open()) == {} and len(queue) == 0


def test_a_batch_has_limits() -> None:
    queue = Queue("s", make_spool())
    for data in (b"x" * 100, b"y" * 5, b"z" * 5):
        queue.append(data)
    assert now(queue.batch(10, 10)) == [b"x" * 100]
    assert now(queue.batch(2, 1000)) == [b"x" * 100, b"y" * 5]


def test_a_restart_at_any_moment(monkeypatch: Any) -> None:
    """Random appends, deliveries, flushes and restarts against a list."""
    monkeypatch.setattr(module, "FRONT", 7)
    for seed in range(50):
        chance = random.Random(seed)
        spool = make_spool()
        queue, model, number = Queue("s", spool), [], 0
        for _ in range(300):
            what = chance.random()
            if what < 0.6:
                number += 1
                queue.append(b"%d" % number)
                model.append(b"%d" % number)
            elif what < 0.8:
                batch = now(queue.batch(chance.randint(1, 9), 1000))
                assert batch == model[: len(batch)] and bool(batch) == bool(model)
                queue.take(len(batch))
                del model[: len(batch)]
            elif what < 0.95:
                now(queue.flush())
            else:
                now(queue.flush())
                queue = Queue("s", spool, *now(spool.open()).get("s", (1, 0)))
            assert len(queue) == len(model)
        assert queue.lost == 0


def test_holes_in_the_spool_are_passed_over() -> None:
    spool = make_spool()
    now(spool.store("s", [(n, b"%d" % n) for n in range(1, 4)], 0))
    queue = Queue("s", spool, *now(spool.open())["s"])
    now(spool.forget("s"))
    queue.append(b"4")
    assert now(queue.batch(10, 1000)) == [b"4"]
    assert queue.lost == 3
    queue.take(1)
    assert len(queue) == 0
