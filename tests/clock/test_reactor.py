"""A reactor of its own whose wall clock is put back goes on."""

from __future__ import annotations

from typing import Any

from twisted.internet.selectreactor import SelectReactor

from flussdvr.clock.reactor import use_monotonic_time


def test_timers_do_not_care_for_the_wall_clock() -> None:
    wall, steady = [1_795_194_000.0], [5.0]
    reactor: Any = SelectReactor()
    reactor.seconds = lambda: wall[0]
    called: list[str] = []
    reactor.callLater(10, called.append, "before").seconds = lambda: wall[0]
    use_monotonic_time(reactor, lambda: steady[0])
    reactor.callLater(20, called.append, "after")
    wall[0] -= 86_400
    steady[0] += 10.5
    reactor.runUntilCurrent()
    assert called == ["before"]
    steady[0] += 10
    reactor.runUntilCurrent()
    assert called == ["before", "after"]
