"""Who is told what: filters, common fields, reload."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from flussdvr.config.model import EventSinkSettings
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.events.events import Events
from flussdvr.events.types.event import Event
from flussdvr.events.types.server import ConfigReloaded
from flussdvr.events.types.streams import StreamOpened
from flussdvr.threads import InlineWorker
from tests.events.spools import make_spool, now


class Receivers:
    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200

    def __call__(self, url: str, reactor: Any) -> Any:
        def post(body: bytes) -> Deferred[int]:
            if self.status == 200:
                self.got += [(url, event) for event in json.loads(body)]
            return succeed(self.status)

        return post

    def names(self) -> list[tuple[str, str]]:
        return [(url, event["event"]) for url, event in self.got]


def happened(name: str) -> Event:
    """An event of this name, with no fields of its own."""
    kind: type[Event] = type("Happened", (Event,), {"event": name})
    return kind()


def sinks(*settings: EventSinkSettings) -> dict[str, EventSinkSettings]:
    return {each.name: each for each in settings}


def test_what_everybody_gets() -> None:
    receivers = Receivers()
    events = Events(Clock(), lambda: 1234, make_spool(), receivers)
    events.emit(StreamOpened(media="cam"))
    only = ({"event": ("web_*",)},)
    now(events.apply(sinks(EventSinkSettings("a", "http://a/"), EventSinkSettings("b", "http://b/", only))))
    events.emit(happened("web_request"))
    assert receivers.names() == [
        ("http://a/", "stream_opened"),
        ("http://a/", "web_request"),
        ("http://b/", "web_request"),
    ]
    first, second, third = (event for _, event in receivers.got)
    assert first["utc_ms"] == second["utc_ms"] == 1234 and first["server"] and first["media"] == "cam"
    assert first["event_id"] != second["event_id"] == third["event_id"]
    assert events.wants("stream_updated")
    now(events.apply(sinks(EventSinkSettings("b", "http://b/", only))))
    assert events.wants("web_request") and not events.wants("stream_updated")
    assert events.wants("other"), "the history does"
    assert [event["event"] for event in events.history.find(10)] == ["stream_opened"]


def test_a_sinks_own_settings_go_along() -> None:
    receivers = Receivers()
    events = Events(Clock(), lambda: 0, make_spool(), receivers)
    extra = EventSinkSettings("a", "http://a/", extra={"site": "north", "event": "no"})
    now(events.apply(sinks(extra, EventSinkSettings("b", "http://b/"))))
    events.emit(happened("x"))
    (_, first), (_, second) = receivers.got
    assert first["site"] == "north" and first["event"] == "x" and "site" not in second


def test_what_waits_follows_a_sink_to_its_new_url() -> None:
    receivers, clock, spool = Receivers(), Clock(), make_spool()
    events = Events(clock, lambda: 0, spool, receivers)
    old, new = EventSinkSettings("a", "http://old/"), EventSinkSettings("a", "http://new/")
    now(events.apply(sinks(old)))
    sink = events.sinks["a"]
    now(events.apply(sinks(old)))
    assert events.sinks["a"] is sink
    receivers.status = 500
    events.emit(happened("x"))
    receivers.status = 200
    now(events.apply(sinks(new)))
    assert receivers.names() == [("http://new/", "x")]
    receivers.status = 500
    events.emit(happened("y"))
    now(events.apply({}))
    assert now(spool.open()) == {}, "nobody will ask for it any more"
    assert not clock.getDelayedCalls()


def test_what_cannot_be_encoded_harms_nobody() -> None:
    receivers = Receivers()
    events = Events(Clock(), lambda: 0, make_spool(), receivers)
    now(events.apply(sinks(EventSinkSettings("a", "http://a/"))))
    unspeakable: Any = object()
    events.emit(ConfigReloaded(path="\udc80", streams=unspeakable))
    events.emit(happened("y"))
    assert [name for _, name in receivers.names()] == ["config_reloaded", "y"]


def test_what_was_left_is_delivered_though_the_spool_could_not_be_read_at_first() -> None:
    catalog = SqliteCatalog(":memory:", InlineWorker())
    now(catalog.open())
    spool, receivers, clock = catalog.spool, Receivers(), Clock()
    now(spool.open())
    now(spool.store("a", [(n, b'{"event": "old"}') for n in (3, 4)], 0))
    connection, catalog.file._connection = catalog.file._connection, None
    events = Events(clock, lambda: 0, spool, receivers)
    now(events.apply(sinks(EventSinkSettings("a", "http://a/"))))
    events.emit(happened("first"))
    assert [name for _, name in receivers.names()] == ["first"]
    receivers.status = 500
    events.emit(happened("second"))
    now(events.apply(sinks(EventSinkSettings("a", "http://b/"))))
    clock.advance(3)
    catalog.file._connection = connection
    clock.advance(3)
    receivers.status = 200
    clock.advance(100)
    assert receivers.names() == [("http://a/", "first"), *[("http://b/", name) for name in ("old", "old", "second")]]
    clock.advance(3)
    assert now(spool.open()) == {}
