"""The server's clock is looked at, written down, and told of; no real disk but a temporary one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.clock.utc import Step, UtcClock
from flussdvr.clock.watch import FILE, ClockWatch
from flussdvr.threads import InlineWorker
from tests.events.documents import documents

NOW = 1_795_194_000_000


class Reactor(Clock):
    def callFromThread(self, f: Any, *args: Any) -> None:
        self.callLater(0, f, *args)


class Watched:
    def __init__(self, folder: Path) -> None:
        self.reactor, self.wall, self.events, self.steps = Reactor(), NOW, list[dict[str, Any]](), list[Step]()
        self.shift = 0
        clock = UtcClock(
            lambda: NOW + int(self.reactor.seconds() * 1000) + self.shift,
            lambda: int(self.reactor.seconds() * 1000),
            lambda: False,
            "boot",
        )
        self.watch = ClockWatch(clock, str(folder), self.reactor, documents(self.events), InlineWorker())
        self.watch.subscribers.append(self.steps.append)
        Deferred.fromCoroutine(self.watch.load())

    def run(self, seconds: int) -> None:
        self.reactor.pump([1.0] * seconds)


def test_a_step_is_told_once(tmp_path: Path, event_schema: Any) -> None:
    watched = Watched(tmp_path)
    watched.run(3)
    watched.shift = 86_400_000
    watched.run(130)
    assert [event["event"] for event in watched.events] == ["clock_held", "clock_held", "clock_stepped"]
    event_schema.check_own(watched.events)
    assert [step.shift_ms for step in watched.steps] == [86_400_000]


def test_the_next_start_knows(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.run(3)
    watched.watch.stop()
    assert json.loads((tmp_path / FILE).read_text())["boot"] == "boot"
    (tmp_path / FILE).write_bytes(b"{" * 100_000)
    again = Watched(tmp_path)
    again.run(3)
    assert again.watch.clock.now_ms() == NOW + 3000


def test_a_directory_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    watched = Watched(tmp_path / "file" / "state")
    watched.run(120)
    assert watched.watch.clock.now_ms() == NOW + 120_000


def test_a_contradiction_is_told_once_and_when_it_is_over(tmp_path: Path, event_schema: Any) -> None:
    watched = Watched(tmp_path)
    for _ in range(20):
        watched.run(10)
        mono = int(watched.reactor.seconds() * 1000)
        for origin in "ab":
            watched.watch.clock.testify(origin, NOW + 9 * 86_400_000 + mono, mono)
    watched.watch.clock.confirm()
    watched.run(10)
    event_schema.check_own(watched.events)
    assert [(event["event"], event["difference_ms"]) for event in watched.events] == [
        ("clock_contradicted", 9 * 86_400_000),
        ("clock_contradicted", None),
    ]
    assert not watched.steps
