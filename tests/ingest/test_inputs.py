"""The best input that delivers feeds the stream, one at a time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flussdvr.ingest.inputs import STEADY_S, Inputs
from flussdvr.ingest.publish.input import PublishInput
from flussdvr.ingest.publish.publications import PublishPoint, PublishPoints
from flussdvr.ingest.source import Input, State, UtcReceived
from flussdvr.media import DataLost, Sample, SamplesReceived, TimeAndDate, TracksChanged
from tests.events.documents import documents
from tests.ingest.sinks import VIDEO, RecordingSink


@dataclass
class Setting:
    url: str
    priority: int = 1
    options: Mapping[str, str] = field(default_factory=dict)


class Played(Input):
    """An input whose source is the test."""

    refuses = False

    def open(self) -> None:
        if self.refuses:
            raise OSError("refused")
        self.opened()

    def close(self) -> None:
        pass

    def begin(self) -> None:
        self.received([TracksChanged((VIDEO,)), UtcReceived(1000, 0, 90_000)])
        self.media()

    def media(self) -> None:
        self.received([SamplesReceived(1, [Sample(0, self.url.encode())])])


class Bench:
    """Some inputs, a sink and a clock."""

    def __init__(self, *urls: str, timeout_s: float | None = 10) -> None:
        self.clock = Clock()
        self.sink = RecordingSink()
        self.events: list[dict[str, Any]] = []
        settings = [Setting(url, priority) for priority, url in enumerate(urls, 1)]
        random.Random(1).shuffle(settings)
        self.inputs = Inputs(settings, self.sink, self.clock, timeout_s, "test", self._make, documents(self.events))
        self.sources: list[Any] = [branch.input for branch in self.inputs.branches]

    def _make(self, url: str, *rest: Any) -> Input:
        return (PublishInput if url == "publish://" else Played)(url, *rest)

    @property
    def running(self) -> list[bool]:
        return [source.state is not State.STOPPED for source in self.sources]

    @property
    def active(self) -> str | None:
        return self.inputs.active.input.url if self.inputs.active else None

    def told(self, *fields: str) -> list[tuple[Any, ...]]:
        """Events since the last time, with these fields of each."""
        told, self.events[:] = [(e["event"], *(e.get(field) for field in fields)) for e in self.events], []
        return told

    def run(self, seconds: float, *delivering: Any) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            for source in delivering:
                if source.state in (State.CONNECTED, State.RECEIVING):
                    source.media()


def test_the_best_is_started_alone() -> None:
    bench = Bench("a", "b", "c")
    bench.inputs.startService()
    assert bench.running == [True, False, False]
    bench.sources[0].begin()
    assert bench.active == "a"
    assert bench.sink.taken() == [("tracks", (VIDEO,)), ("utc", 1000, 0, 90_000), ("samples", 1, [b"a"])]
    bench.sources[0].received([DataLost("packets", 3)])
    assert bench.sink.taken() == [("data_lost", "packets", 3)]


def test_silence_opens_the_next() -> None:
    bench = Bench("a", "b", "c")
    bench.inputs.startService()
    bench.run(9.75)
    assert bench.running == [True, False, False]
    bench.run(0.5)
    assert bench.running == [True, True, False]
    assert bench.sink.calls == []  # it has never had a source
    bench.sources[1].begin()
    assert bench.active == "b"
    assert bench.running == [True, True, False]


def test_a_failure_opens_the_next_at_once() -> None:
    bench = Bench("a", "b", "c")
    bench.inputs.startService()
    bench.sources[0].begin()
    bench.sink.taken()
    bench.sources[0].lost("cable")
    assert bench.sink.taken() == [("lost", "cable")]
    assert bench.running == [True, True, False]
    bench.sources[1].begin()
    assert [call[0] for call in bench.sink.taken()] == ["tracks", "utc", "samples"]
    bench.sources[1].lost("cable too")
    assert bench.running == [True, True, True]


def test_refused_ones_are_passed_at_once() -> None:
    bench = Bench("a", "b", "c")
    bench.sources[0].refuses = bench.sources[1].refuses = True
    bench.inputs.startService()
    assert bench.running == [True, True, True]
    bench.sources[2].begin()
    assert bench.active == "c"


def test_the_better_one_comes_back_when_it_is_steady() -> None:
    bench = Bench("a", "b", "c")
    bench.inputs.startService()
    bench.sources[0].lost("cable")
    bench.sources[1].begin()
    bench.run(3, bench.sources[1])
    bench.sources[0].begin()
    bench.run(STEADY_S - 1, bench.sources[0], bench.sources[1])
    assert bench.active == "b"
    bench.sink.taken()
    bench.run(2, bench.sources[0], bench.sources[1])
    assert bench.active == "a"
    calls = bench.sink.taken()
    change = next(i for i, call in enumerate(calls) if call[0] == "lost")
    assert calls[change] == ("lost", "back to a")
    assert {call[2][0] for call in calls[:change]} == {b"b"}
    assert [call[0] for call in calls[change + 1 : change + 3]] == ["tracks", "utc"]
    assert {call[2][0] for call in calls[change + 3 :]} == {b"a"}
    assert bench.running == [True, False, False]


def test_one_that_breaks_off_is_not_steady() -> None:
    bench = Bench("a", "b")
    bench.inputs.startService()
    bench.sources[0].lost("cable")
    bench.sources[1].begin()
    for _ in range(6):
        bench.run(STEADY_S / 2, *bench.sources)
        bench.sources[0].lost("cable")
        bench.run(3, bench.sources[1])
    assert bench.active == "b"


def test_one_that_keeps_failing_has_to_be_steady_for_longer() -> None:
    bench = Bench("a", "b")
    bench.inputs.startService()
    bench.sources[0].begin()
    bench.sources[0].lost("cable")
    bench.sources[1].begin()
    assert bench.inputs.branches[0].steady_s == 2 * STEADY_S
    bench.run(2 * STEADY_S + 5, *bench.sources)
    assert bench.active == "a"
    bench.run(130, bench.sources[0])
    bench.sources[0].lost("cable")
    assert bench.inputs.branches[0].steady_s == STEADY_S


def test_whichever_delivers_first_feeds() -> None:
    bench = Bench("a", "b", "c")
    bench.inputs.startService()
    bench.run(25)
    assert bench.running == [True, True, True]
    bench.run(3)
    ready = [s for s in bench.sources if s.state is State.CONNECTED]
    ready[-1].begin()
    assert bench.active == ready[-1].url
    bench.sink.taken()
    bench.run(9, ready[-1])
    assert not bench.sink.named("lost")


def test_a_single_input_goes_on() -> None:
    bench = Bench("a")
    bench.inputs.startService()
    bench.sources[0].begin()
    bench.sources[0].lost("cable")
    bench.run(2.5)
    bench.sources[0].begin()
    assert [call[0] for call in bench.sink.calls] == ["tracks", "utc", "samples", "lost", "tracks", "utc", "samples"]


def test_stop() -> None:
    bench = Bench("a", "b")
    bench.inputs.startService()
    bench.sources[0].lost("cable")
    bench.sources[1].begin()
    stopped: Deferred[None] = bench.inputs.stopService()
    assert stopped.called
    assert bench.sink.calls[-1] == ("lost", "stopped")
    assert bench.running == [False, False]
    assert bench.clock.getDelayedCalls() == []
    bench.inputs.startService()
    assert bench.running == [True, False]


def test_no_inputs() -> None:
    bench = Bench()
    bench.inputs.startService()
    assert bench.inputs.publish is None
    bench.inputs.stopService()


def test_a_publisher() -> None:
    bench = Bench("publish://")
    bench.inputs.startService()
    sink = bench.inputs.publish
    assert sink is not None and sink.state is State.WAITING
    bench.run(60)
    assert sink.reason == "nobody publishes" and bench.sink.calls == []
    sink.tracks_received((VIDEO,))
    sink.utc_received(1, 2, 3)
    sink.samples_received(1, [Sample(0, b"x")])
    sink.data_lost("packets", 1)
    assert sink.state is State.RECEIVING and sink.counters.bytes == 1
    sink.source_lost("gone")
    assert sink.state is State.WAITING and sink.reason == "gone"
    assert [call[0] for call in bench.sink.taken()] == ["tracks", "utc", "samples", "data_lost", "lost"]
    sink.tracks_received((VIDEO,))
    sink.samples_received(1, [Sample(0, b"x")])
    assert [call[0] for call in bench.sink.taken()] == ["tracks", "samples"]


def test_a_publisher_before_a_file() -> None:
    bench = Bench("publish://", "file:///backup.ts")
    bench.inputs.startService()
    assert bench.running == [True, True]
    bench.sources[1].begin()
    assert bench.active == "file:///backup.ts"
    publisher = bench.sources[0]
    publisher.tracks_received((VIDEO,))
    for _ in range(round(STEADY_S) + 2):
        bench.clock.advance(1)
        bench.sources[1].media()
        publisher.samples_received(1, [Sample(0, b"x")])
    assert bench.active == "publish://"
    assert bench.running == [True, False]
    publisher.source_lost("gone")
    assert bench.running == [True, True]


def test_a_publisher_behind_another_stays_connected() -> None:
    bench = Bench("a", "publish://")
    bench.inputs.startService()
    bench.sources[0].begin()
    bench.sources[1].tracks_received((VIDEO,))
    bench.sources[1].samples_received(1, [Sample(0, b"x")])
    assert bench.active == "a"
    bench.sources[0].lost("cable")
    bench.sources[1].samples_received(1, [Sample(0, b"y")])
    assert bench.active == "publish://"
    assert bench.sink.calls[-2:] == [("tracks", (VIDEO,)), ("samples", 1, [b"y"])]


def test_stats() -> None:
    bench = Bench("a", "tshttp://joe:secret@b/")
    bench.inputs.startService()
    bench.sources[0].begin()
    bench.sources[0].lost("cable")
    bench.clock.advance(0.5)
    first, second = bench.inputs.stats()
    assert (first["url"], first["priority"], first["state"], first["reason"]) == ("a", 1, "waiting", "cable")
    assert (first["last_media_ago"], first["samples"], first["failed"], first["active"]) == (0.5, 1, 1, False)
    assert (second["url"], second["state"]) == ("tshttp://joe:***@b/", "connected")


def test_an_input_has_its_own_timeout() -> None:
    def made(**options: str) -> Input:
        settings = [Setting("file:///x.ts", options=options)]
        return Inputs(settings, RecordingSink(), Clock(), 7).branches[0].input

    assert made().timeout_s == 7
    assert made(source_timeout="3").timeout_s == 3
    assert made(source_timeout="false").timeout_s is None
    for wrong in ("soon", "0", "nan", "1e9"):
        with pytest.raises(ValueError, match="source_timeout"):
            made(source_timeout=wrong)


def test_what_becomes_of_a_source_is_told(event_schema: Any) -> None:
    bench = Bench("tshttp://joe:secret@a/x?token=y", "b")
    bench.inputs.startService()
    assert bench.events[0] == {
        "event": "source_opened",
        "media": "test",
        "url": "tshttp://joe:***@a/x?token=***",
        "priority": 1,
        "retry_count": 0,
    }
    bench.sources[0].counters.bytes += 100
    bench.sources[0].begin()
    assert bench.told() == [("source_opened",), ("source_connected",), ("source_started",)]
    bench.sources[0].counters.bytes += 150_000
    bench.inputs.tell_updates(60)
    event_schema.check_own(bench.events)
    assert bench.told("bitrate", "bytes", "active") == [("source_updated", 20, 150_100, True)]
    bench.sources[0].lost("cable")
    assert bench.told("reason", "bytes", "priority") == [
        ("source_closed", "cable", 150_100, 1),
        ("source_opened", None, None, 2),
        ("source_connected", None, None, 2),
    ]
    bench.inputs.tell_updates(60)
    bench.inputs.stopService()
    assert bench.told("reason", "priority") == [("source_closed", "stopped", 2)], "the other was closed already"


def test_a_source_that_is_still_not_there_is_no_news() -> None:
    bench = Bench("a")
    bench.sources[0].refuses = True
    bench.inputs.startService()
    bench.run(600)
    assert bench.told("reason") == [("source_opened", None), ("source_closed", "refused")]
    bench.sources[0].refuses = False
    bench.run(75)  # now it is open, and silent
    opened, *rest = bench.told("reason", "retry_count")
    assert opened[0] == "source_opened" and opened[2] >= 10
    assert rest == [("source_connected", None, None), ("source_closed", "no media for 10 s", None)]
    bench.run(600)
    assert not bench.events
    while bench.sources[0].state is not State.CONNECTED:
        bench.run(0.25)
    bench.sources[0].begin()
    assert bench.told() == [("source_opened",), ("source_connected",), ("source_started",)]


def test_publishers_are_told_with_who_they_are(event_schema: Any) -> None:
    bench = Bench("publish://")
    bench.inputs.startService()
    bench.run(60)
    assert not bench.events, "nobody publishes"
    sink = bench.inputs.publish
    assert sink is not None
    point = PublishPoint("test", sink, on_published=sink.published_by)
    published = PublishPoints(lambda name: point).publish("test", "rtmp", "192.0.2.1:4711", None)
    event_schema.check_own(bench.events)
    assert bench.told("proto", "peer") == [
        ("source_opened", None, None),
        ("source_connected", "rtmp", "192.0.2.1:4711"),
    ]
    published.tracks_received((VIDEO,))
    published.samples_received(1, [Sample(0, b"x")])
    published.source_lost("the publisher has gone")
    assert bench.told("reason", "bytes") == [
        ("source_started", None, None),
        ("source_closed", "the publisher has gone", 1),
    ]
    sink.tracks_received((VIDEO,))
    bench.inputs.stopService()
    assert bench.told("reason")[-1] == ("source_closed", "stopped")


def test_what_a_source_states_of_the_time_is_told_with_where_it_comes_from() -> None:
    bench, told = Bench("http://192.0.2.1:80/a", "http://user:secret@example.org/b"), list[tuple[str, int]]()
    bench.inputs.on_time_and_date = lambda origin, time: told.append((origin, time.utc_ms))
    bench.inputs.startService()
    for source in bench.sources:
        source.startService()
    bench.sources[1].received([TimeAndDate(1, 0)])
    bench.sources[1].begin()
    bench.sources[1].received([TimeAndDate(2, 0)])
    bench.sources[0].received([TimeAndDate(3, 0)])
    assert told == [("example.org", 2)], "only by the one that feeds"
    assert not bench.sink.named("utc")[1:], "and nothing is dated by it"
