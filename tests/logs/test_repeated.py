"""What comes again and again is told a few times."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.python.failure import Failure

from flussdvr.logs.repeated import CALM_S, KINDS, RELAPSE_S, Repeated, RepeatedBy, is_told


def heard() -> tuple[Repeated, list[dict[str, Any]], Clock]:
    events: list[dict[str, Any]] = []
    clock = Clock()
    return Repeated(Logger("x", observer=events.append), clock.seconds), events, clock


def test_the_powers_of_ten() -> None:
    assert [count for count in range(2000) if is_told(count)] == [1, 10, 100, 1000]


def test_told_at_1_10_100_and_once_when_over() -> None:
    troubles, events, clock = heard()
    for _time in range(250):
        troubles.warn("gone", "{url} is gone", url="u")
    troubles.over("{url} is back", url="u")
    troubles.over("{url} is back", url="u")
    assert [formatEvent(event) for event in events] == [
        "u is gone",
        "u is gone, for the 10th time",
        "u is gone, for the 100th time",
        "u is back, after 250 troubles",
    ]
    assert [event["times"] for event in events] == [1, 10, 100, 250]
    clock.advance(RELAPSE_S + 1)
    troubles.warn("gone", "{url} is gone", url="u")
    assert len(events) == 5, "a new one is told at once"


def test_what_comes_and_goes_is_one_trouble() -> None:
    troubles, events, clock = heard()
    for _time in range(50):
        troubles.warn("gone", "gone")
        clock.advance(1)
        troubles.over("back")
        clock.advance(10)
    assert [formatEvent(event) for event in events] == ["gone", "back", "gone, for the 10th time", "back"]
    troubles.warn("other", "other")
    troubles.over("back")
    assert [formatEvent(event) for event in events[4:]] == ["other", "back"]


def test_each_key_has_its_own() -> None:
    events: list[dict[str, Any]] = []
    disks = RepeatedBy(Logger("x", observer=events.append))
    for disk in ("a", "b", "a"):
        disks.of(disk).warn("full", "{disk} is full", disk=disk)
    disks.over("a", "{disk} is fine", disk="a")
    disks.over("c", "{disk} is fine", disk="c")
    assert [formatEvent(event) for event in events] == ["a is full", "b is full", "a is fine, after 2 troubles"]


def test_another_reason_is_another_trouble() -> None:
    troubles, events, _ = heard()
    for _time in range(9):
        troubles.error("a", "a")
        troubles.error("b", "b")
    assert [formatEvent(event) for event in events] == ["a", "b"]
    assert troubles.count == 18


def test_what_has_not_come_for_long_begins_anew() -> None:
    troubles, events, clock = heard()
    for _time in range(3):
        troubles.warn("a", "a")
        clock.advance(CALM_S + 1)
    assert len(events) == 3


def test_reasons_without_end_are_bounded() -> None:
    troubles, events, _ = heard()
    for number in range(10 * KINDS):
        troubles.warn(number, "a")
    assert troubles.count == 10 * KINDS == len(events) and len(troubles._kinds) == KINDS


def test_tracebacks() -> None:
    troubles, events, _ = heard()
    for _time in range(50):
        troubles.failure("bug", "{what} failed", Failure(ValueError("x")), what="it")
    assert [event["times"] for event in events] == [1, 10] and all(event["log_failure"] for event in events)
