from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from flussdvr.playback.slots import Slots
from flussdvr.threads import Busy


class Bench:
    """Work that ends when it is told to."""

    def __init__(self, at_once: int = 1, waiting: int = 4, each: int = 3) -> None:
        self.slots = Slots("work", at_once, waiting, each)
        self.begun: list[str] = []
        self.ends: dict[str, Deferred[None]] = {}

    def ask(self, client: str, name: str) -> Deferred[str]:
        async def make() -> str:
            self.begun.append(name)
            self.ends[name] = Deferred()
            await self.ends[name]
            return name

        return Deferred.fromCoroutine(self.slots.do(client, make))

    def end(self, name: str) -> None:
        self.ends[name].callback(None)


def test_the_others_wait_and_have_begun_nothing() -> None:
    bench, done = Bench(2), list[str]()
    for name in ("a", "b", "c", "d"):
        bench.ask(name, name).addCallback(done.append)
    assert bench.begun == ["a", "b"] and bench.slots.running == 2
    bench.end("b")
    assert bench.begun == ["a", "b", "c"] and done == ["b"]
    for name in ("a", "c", "d"):
        bench.end(name)
    assert sorted(done) == ["a", "b", "c", "d"] and bench.slots.running == 0


def test_a_client_with_much_does_not_keep_others_out() -> None:
    bench = Bench(2)
    for number in range(3):
        bench.ask("greedy", f"g{number}")
    bench.ask("modest", "m")
    bench.end("g0")
    assert bench.begun == ["g0", "g1", "m"]


def test_there_is_an_end_to_waiting() -> None:
    bench = Bench()
    for number in range(3):
        bench.ask("greedy", str(number))
    refused: list[Any] = []
    bench.ask("greedy", "one more").addErrback(refused.append)
    bench.ask("other", "a")
    bench.ask("third", "b")
    bench.ask("fourth", "c").addErrback(refused.append)
    assert [failure.type for failure in refused] == [Busy, Busy]


def test_who_leaves_gives_up_the_place() -> None:
    bench = Bench()
    bench.ask("a", "a")
    leaving, staying = bench.ask("b", "b"), bench.ask("c", "c")
    leaving.addErrback(lambda failure: failure.trap(CancelledError) and None)
    leaving.cancel()
    bench.end("a")
    assert bench.begun == ["a", "c"]
    bench.end("c")
    assert staying.called and bench.slots.running == 0


def test_what_fails_makes_room() -> None:
    bench = Bench()
    failed: list[Any] = []
    bench.ask("a", "a").addErrback(failed.append)
    bench.ask("b", "b")
    bench.ends["a"].errback(RuntimeError())
    assert failed and bench.begun == ["a", "b"]
    with pytest.raises(KeyError):
        bench.end("c")
