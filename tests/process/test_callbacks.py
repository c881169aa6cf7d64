"""What the reactor calls survives what it does; and the project makes such calls in one place only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger

import flussdvr
from flussdvr.process.callbacks import Periodic, background

PACKAGE = Path(flussdvr.__file__).parent


@pytest.fixture
def told() -> list[LogEvent]:
    return []


@pytest.fixture
def log(told: list[LogEvent]) -> Logger:
    return Logger(observer=told.append)


def test_a_periodic_call_goes_on_after_an_exception(log: Logger, told: list[LogEvent]) -> None:
    clock, calls = Clock(), [0]

    def call() -> None:
        calls[0] += 1
        if calls[0] in (1, 3):
            raise KeyError("a bug")

    periodic = Periodic(clock, call, log, "counting")
    periodic.start(2.0)
    clock.pump([2.0] * 4)
    assert (calls[0], periodic.failures, periodic.running) == (5, 2, True)
    assert [event["doing"] for event in told] == ["counting", "counting"]
    assert told[0]["log_failure"].check(KeyError)
    periodic.stop()
    periodic.stop()
    clock.advance(10)
    assert (calls[0], periodic.running) == (5, False)


def test_a_periodic_call_goes_on_after_a_failed_deferred(log: Logger, told: list[LogEvent]) -> None:
    clock, made = Clock(), list[Deferred[None]]()

    def call() -> Deferred[None]:
        made.append(Deferred())
        return made[-1]

    periodic = Periodic(clock, call, log, "asking")
    periodic.start(1.0, now=False)
    assert not made
    clock.pump([1.0] * 3)
    assert len(made) == 1  # it waits for the first
    made[0].errback(ValueError("no"))
    clock.advance(1.0)
    assert (len(made), periodic.failures, len(told)) == (2, 1, 1)


def test_work_in_the_background_is_logged_when_it_fails(log: Logger, told: list[LogEvent]) -> None:
    async def failing() -> None:
        await fail(OSError("broken"))

    ended: list[Any] = []
    background(failing(), log, "writing").addBoth(ended.append)
    assert ended == [None]
    assert told[0]["doing"] == "writing"
    assert told[0]["log_failure"].check(OSError)


# -- the code ---------------------------------------------------------------------------------------------------------


def calls(name: str) -> Iterator[tuple[str, ast.AST, ast.Call]]:
    """(place, statement or what else it stands in, call) of each call of a function of that name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == name:
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", parents[node], node


def test_there_is_no_loop_that_stops_at_an_exception() -> None:
    assert {place.partition(":")[0] for place, _, _ in calls("LoopingCall")} == {"process/callbacks.py"}


@pytest.mark.parametrize("name", ["fromCoroutine", "ensureDeferred"])
def test_no_coroutine_fails_unheard(name: str) -> None:
    """One whose Deferred is thrown away at once fails in silence: `background` is for those."""
    assert [place for place, parent, _ in calls(name) if isinstance(parent, ast.Expr)] == []


def test_inputs_guard_whatever_the_reactor_calls() -> None:
    """A demultiplexer is fed where an exception of it is caught: below `guarded`, or in a `try` for any exception."""
    found = list[str]()
    for path in sorted((PACKAGE / "ingest").rglob("*.py")):
        tree = ast.parse(path.read_text())
        guarded = {
            node.attr
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and _names_guard(call)
            for node in ast.walk(call)
            if isinstance(node, ast.Attribute)
        }
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(function):
                if _feeds(node) and function.name not in guarded and not _is_in_try(function, node):
                    found.append(f"{path.relative_to(PACKAGE)}:{function.name}")
    # Threads report what they raise (`ThreadPace`); `drain` is called guarded by `Input`; RTMP's events are called in
    # the `try` of `dataReceived`.
    assert set(found) == {"ingest/file/input.py:_read_ts", "ingest/udp/input.py:drain", "ingest/rtmp/listener.py:_"}


def _names_guard(call: ast.Call) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "guarded" for node in (call.func, *call.args))


def _feeds(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("feed", "feed_tag", "flush")
        and getattr(node.func.value, "attr", getattr(node.func.value, "id", "")) in ("_demuxer", "demuxer")
    )


def _is_in_try(function: ast.FunctionDef, wanted: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Try) and any(wanted in ast.walk(statement) for statement in node.body):
            if any(isinstance(handler.type, ast.Name) and handler.type.id == "Exception" for handler in node.handlers):
                return True
    return False
