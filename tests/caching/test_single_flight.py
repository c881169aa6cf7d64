"""What many ask for is done once, and no longer than somebody waits for it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from flussdvr.caching.single_flight import Shared
from flussdvr.playback.slots import Slots


class Work:
    def __init__(self, ends: bool) -> None:
        self.shared: Shared[str, int] = Shared(ends)
        self.begun: list[Deferred[int]] = []
        self.cancelled = 0

    async def make(self) -> int:
        self.begun.append(Deferred())
        try:
            return await self.begun[-1]
        except CancelledError:
            self.cancelled += 1
            raise

    def ask(self) -> tuple[Deferred[int], list[object]]:
        found: list[object] = []
        waiter = self.shared.do("key", self.make)
        waiter.addBoth(lambda result: found.append(getattr(result, "type", result)))
        return waiter, found


@pytest.mark.parametrize("ends", [False, True])
def test_whoever_goes_disturbs_nobody(ends: bool) -> None:
    work = Work(ends)
    asked = [work.ask() for _ in range(3)]
    asked[0][0].cancel()
    asked[2][0].cancel()
    work.begun[0].callback(5)
    assert [found for _, found in asked] == [[CancelledError], [5], [CancelledError]]
    assert (len(work.begun), work.cancelled) == (1, 0)
    work.ask()
    assert len(work.begun) == 2


@pytest.mark.parametrize("ends", [False, True])
def test_when_nobody_is_left(ends: bool) -> None:
    work = Work(ends)
    asked = [work.ask() for _ in range(3)]
    for waiter, _ in asked:
        waiter.cancel()
    assert work.cancelled == int(ends)
    _, found = work.ask()
    assert len(work.begun) == 1 + ends
    work.begun[-1].callback(7)
    assert found == [7] and [one for _, one in asked] == [[CancelledError]] * 3
    assert not work.shared._work and not work.shared._waiting


def test_those_who_wait_for_a_slot_and_go_leave_it_to_others() -> None:
    work, slots = Work(True), Slots("heads", 1, 50, 3)
    asked = [work.shared.do(f"{n}", lambda n=n: slots.do(f"client{n}", work.make)) for n in range(20)]  # type: ignore[misc]
    ended: list[object] = []
    for waiter in asked:
        waiter.addBoth(ended.append)
    for waiter in reversed(asked):
        waiter.cancel()
    assert (len(ended), slots.running, len(slots._queue), len(work.begun)) == (20, 0, 0, 1)


def test_what_is_there_at_once() -> None:
    async def make() -> int:
        return 3

    shared: Shared[str, int] = Shared(True)
    found: list[int] = []
    shared.do("key", make).addCallback(found.append)
    assert found == [3] and not shared._work
