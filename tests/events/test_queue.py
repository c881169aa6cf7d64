"""Waiting events in RAM and in the spool: in order, none twice, none missing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from twisted.internet.defer import fail

from flussdvr.errors import DvrError, Kind
from flussdvr.events import queue as module
from flussdvr.events.queue import Queue
from tests.events.spools import make_spool, now


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


def test_a_spool_that_cannot_be_read_is_not_empty(monkeypatch: Any) -> None:
    """Random appends, deliveries and flushes; the spool is found out in between, also while a batch is out."""
    monkeypatch.setattr(module, "FRONT", 7)
    for seed in range(100):
        chance = random.Random(seed)
        spool = make_spool()
        old = [b"old %d" % n for n in range(chance.randint(0, 20))]
        now(spool.store("s", [(n + 11, data) for n, data in enumerate(old)], 0))
        real, broken = spool.open, [True]

        def opened(real: Any = real, broken: Any = broken) -> Any:
            return fail(DvrError(Kind.UNAVAILABLE, "catalog_closed", "not now")) if broken[0] else real()

        monkeypatch.setattr(spool, "open", opened)
        queue, came, got = Queue("s", spool, known=False), [], []
        for step in range(60):
            broken[0] = broken[0] and step < 20
            what = chance.random()
            if what < 0.5:
                came.append(b"new %d" % step)
                queue.append(came[-1])
            elif what < 0.8:
                batch = now(queue.batch(chance.randint(1, 9), 1000))
                if chance.random() < 0.3 and not broken[0]:
                    now(queue.flush())
                if chance.random() < 0.7:
                    got += batch
                    queue.take(len(batch))
            elif broken[0]:
                with pytest.raises(DvrError):
                    now(queue.flush())
                assert not queue.known
            else:
                now(queue.flush())
        queue.put_back()
        now(queue.flush())
        assert queue.known
        again = Queue("s", spool, *now(spool.open()).get("s", (1, 0)))
        left = []
        while batch := now(again.batch(9, 1000)):
            left += batch
            again.take(len(batch))
        assert sorted(got + left) == sorted(old + came) and queue.lost == 0
        assert [one for one in got + left if one in old] == old
        assert [one for one in got + left if one in came] == came
