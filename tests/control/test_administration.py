"""Streams that are changed while they run, and what is kept of the changes; no network, no disk but the catalog's."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from flussdvr.config import Config, parse_config
from flussdvr.config.dvr_options import STORAGE_FIELDS
from flussdvr.config.model import DvrSettings
from flussdvr.config.stream_options import STREAM_FIELDS
from flussdvr.control.administration import Administration
from flussdvr.control.streams import Streams
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError
from flussdvr.ingest.publish.publications import NOT_PUBLISHABLE, UNKNOWN_STREAM, WRONG_PASSWORD, PublishRefused
from flussdvr.threads import InlineWorker
from flussdvr.web.api.schema import Schema
from tests.events.documents import documents

T = TypeVar("T")
FILE = """
dvr main { root /storage; expiration 7d; }
template cams { prefix cams; dvr @main; }
stream ort { input publish://; dvr @main; }
stream old { input publish://; }
"""


class Recorder:
    def __init__(self, name: str, settings: Any) -> None:
        self.name, self.settings, self.closed = name, settings, False

    def gap(self, reason: str) -> None: ...

    async def close(self) -> None:
        self.closed = True


class Archive:
    def __init__(self) -> None:
        self.catalog = SqliteCatalog(":memory:", InlineWorker())
        self.catalog.open()
        self.policies: dict[str, Any] = {}

    def stream(self, name: str) -> None:
        return None

    def streams(self) -> list[str]:
        return ["recorded"]

    def recorder(self, name: str, settings: Any) -> Any:
        return Recorder(name, settings)

    def set_policy(self, name: str, settings: Any) -> None:
        self.policies[name] = settings


class World:
    def __init__(self, archive: Archive | None = None, file: str = FILE) -> None:
        self.archive: Any = archive or Archive()
        self.administration = Administration(parse_config(file), self.archive)
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.wants = True
        self.streams = Streams(
            self.archive,
            self.clock,
            lambda: 0,
            lambda name: self.config.stream_for(name),
            documents(self.events),
            lambda event: self.wants,
        )
        self.administration.streams = self.streams
        now(self.administration.load())

    @property
    def config(self) -> Config:
        return self.administration.config

    def put(self, name: str, patch: dict[str, Any]) -> None:
        now(self.administration.put_stream(name, patch))

    def delete(self, name: str) -> None:
        now(self.administration.delete_stream(name))

    def kept(self) -> dict[str, Any]:
        return {name: json.loads(patch) for name, patch in now(self.archive.catalog.stream_overrides.all()).items()}


def now(work: Awaitable[T]) -> T:
    async def wait() -> T:
        return await work

    results: list[Any] = []
    Deferred.fromCoroutine(wait()).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


@pytest.fixture
def world() -> World:
    return World()


def test_how_long_to_keep_changes_without_interruption(world: World) -> None:
    before = world.streams.entry("ort")
    assert before is not None
    stream, inputs, recorder = before.stream, before.inputs, before.recorder
    world.put("ort", {"dvr": {"expiration": 60}, "title": "x", "on_play": "http://h/"})
    after = world.streams.entry("ort")
    assert after is before and (after.stream, after.inputs, after.recorder) == (stream, inputs, recorder)
    assert after.settings.title == "x" and world.archive.policies["ort"].expiration_s == 60
    now(world.administration.reload(parse_config(FILE)))
    assert world.streams.entry("ort") is before and before.recorder is recorder and before.settings.title == "x"


def test_another_root_is_another_recorder_for_the_same_stream(world: World) -> None:
    before = world.streams.entry("ort")
    assert before is not None
    stream, recorder = before.stream, before.recorder
    world.put("ort", {"dvr": {"root": "/other"}})
    assert before.stream is stream and stream.recorder is before.recorder is not recorder and recorder.closed  # type: ignore
    world.put("ort", {"dvr": {"dvr_offline": True}})
    assert before.recorder is None is stream.recorder
    world.put("ort", {"dvr": {"dvr_offline": None, "schedule": [[800, 900]]}})
    assert stream.recorder is not before.recorder is not None
    world.put("ort", {"dvr": None})
    assert stream.recorder is None and world.streams.entry("ort") is before


def test_other_inputs_begin_anew(world: World) -> None:
    before = world.streams.entry("ort")
    world.put("ort", {"password": "x"})
    after = world.streams.entry("ort")
    assert after is not before and after is not None and before.recorder.closed  # type: ignore[union-attr]
    world.put("ort", {"disabled": True})
    assert world.streams.entry("ort") is None
    world.put("ort", {"disabled": False})
    now(world.administration.stop_stream("ort"))
    assert world.streams.entry("ort") is not None
    with pytest.raises(DvrError, match="stream_not_found"):
        now(world.administration.stop_stream("none"))


def test_changes_are_there_after_a_restart(world: World) -> None:
    world.put("new/one", {"inputs": [{"url": "publish://"}], "dvr": {"reference": "main"}})
    world.put("new/one", {"dvr": {"dvr_limit": 5}, "title": "x"})
    world.put("ort", {"dvr": {"expiration": 60}})
    assert world.kept()["ort"] == {"dvr": {"expiration": 60}}
    again = World(world.archive)
    assert again.config.streams == world.config.streams and again.streams.entry("new/one") is not None
    assert again.config.streams["new/one"].dvr.expiration_s == 5  # type: ignore[union-attr]
    again.delete("new/one")
    again.delete("ort")
    assert again.kept() == {} and again.config.streams == parse_config(FILE).streams
    assert again.streams.entry("new/one") is None and again.archive.policies["ort"].expiration_s == 7 * 86_400


def test_what_can_not_be_changes_nothing(world: World) -> None:
    config = world.config
    for name, patch in (
        ("ort", {"x": 1}),
        ("a.mp4", {}),
        ("ort/2026", {}),
        ("ort", {"inputs": [{"url": "fake://?x"}]}),
    ):
        with pytest.raises(DvrError):
            world.put(name, patch)
    for name in ("old", "none"):
        with pytest.raises(DvrError):
            world.delete(name)
    assert world.config is config and world.kept() == {}


def test_it_is_said_which_input_can_not_be(world: World) -> None:
    with pytest.raises(DvrError) as raised:
        world.put("ort", {"inputs": [{"url": "publish://"}, {"url": "fake://?size=0x0"}]})
    assert raised.value.source == {"pointer": "/inputs/1/url"}


def test_a_catalog_that_fails_changes_nothing(world: World) -> None:
    config, before = world.config, world.streams.entry("ort")
    now(world.archive.catalog.close())
    with pytest.raises(DvrError, match="catalog_closed"):
        world.put("ort", {"password": "x"})
    assert world.config is config and world.streams.entry("ort") is before


def test_the_file_may_change_under_the_patches(world: World) -> None:
    world.put("ort", {"dvr": {"expiration": 60}})
    now(world.administration.reload(parse_config(FILE.replace("/storage", "/moved"))))
    dvr = world.config.streams["ort"].dvr
    assert dvr is not None and (dvr.root, dvr.expiration_s) == ("/moved", 60)
    now(world.administration.reload(parse_config("stream other { input publish://; }")))
    assert "ort" not in world.config.streams and world.streams.names() == ["other", "recorded"]


def test_storages_change_what_refers_to_them(world: World) -> None:
    """Without interruption, where the root is the same; what a stream says itself stays."""
    administration, ort = world.administration, world.streams.entry("ort")
    world.put("own", {"inputs": [{"url": "publish://"}], "dvr": {"reference": "main", "expiration": 5}})
    assert ort is not None
    recorder = ort.recorder
    now(administration.put_storage("main", {"dvr_limit": 60, "storage_limit": 10**9}))
    assert ort.recorder is recorder and world.archive.policies["ort"].expiration_s == 60
    assert world.archive.policies["own"].expiration_s == 5 and world.archive.policies["own"].storage_limit == 10**9
    assert world.config.stream_for("cams/1").dvr == ort.settings.dvr == world.config.dvrs["main"]  # type: ignore
    now(administration.put_storage("main", {"root": "/other"}))
    assert recorder.closed and ort.recorder.settings.root == "/other"  # type: ignore[union-attr]
    assert world.config.streams["own"].dvr.root == "/other" and "/storage" not in world.config.roots  # type: ignore
    again = World(world.archive)
    assert again.config == world.config
    now(again.administration.delete_storage("main"))
    assert again.config.dvrs == parse_config(FILE).dvrs and again.config.streams["ort"] == ort_of(FILE)
    with pytest.raises(DvrError, match="configured_in_file"):
        now(again.administration.delete_storage("main"))
    assert World(world.archive).config.dvrs == parse_config(FILE).dvrs


def ort_of(file: str) -> Any:
    return parse_config(file).streams["ort"]


def test_storages_come_and_go(world: World) -> None:
    administration = world.administration
    with pytest.raises(DvrError, match="dvr_not_found"):
        now(administration.delete_storage("new"))
    now(administration.put_storage("new", {"root": "/new"}))
    world.put("ort", {"dvr": {"reference": "new"}})
    with pytest.raises(DvrError, match="dvr_in_use: ort: recorded to new"):
        now(administration.delete_storage("new"))
    again = World(world.archive)
    assert again.config.streams["ort"].dvr == DvrSettings("/new", name="new")
    again.delete("ort")
    now(again.administration.delete_storage("new"))
    assert again.config == parse_config(FILE)


def test_a_storage_that_can_not_be_changes_nothing(world: World) -> None:
    config = world.config
    for name, patch in (("main", {"root": "x"}), ("main", {"root": None}), ("new", {}), ("a/b", {"root": "/a"})):
        with pytest.raises(DvrError):
            now(world.administration.put_storage(name, patch))
    now(world.archive.catalog.close())
    with pytest.raises(DvrError, match="catalog_closed"):
        now(world.administration.put_storage("main", {"root": "/b"}))
    assert world.config is config and world.administration.storage_patches == {}


def test_the_schema_knows_what_is_read() -> None:
    schemas = Schema().document["components"]["schemas"]
    assert {*STREAM_FIELDS, "dvr", "template"} <= set(schemas["stream_config"]["properties"])
    assert set(STORAGE_FIELDS) <= set(schemas["dvr_config"]["properties"])


def test_streams_tell_how_much_comes_in_and_goes_out(world: World, event_schema: Any) -> None:
    world.streams.startService()
    world.streams.bytes_out = {"ort": 17, "old": 0}.__getitem__
    world.clock.advance(59)
    del world.events[:]
    world.clock.advance(1)
    assert sorted((e["event"], e["media"], e["reason"], e["bytes_out"]) for e in world.events) == [
        ("stream_updated", "old", "interval", 0),
        ("stream_updated", "ort", "interval", 17),
    ]
    del world.events[:]
    world.put("ort", {"title": "x"})
    world.put("ort", {"password": "y"})
    world.put("old", {"disabled": True})
    event_schema.check_own(world.events)
    told = [(e["event"], e["media"], e.get("reason")) for e in world.events if e["event"].startswith("stream_")]
    assert told == [
        ("stream_updated", "ort", "reconfigured"),
        ("stream_closed", "ort", "reconfigured"),
        ("stream_opened", "ort", None),
        ("stream_closed", "old", "disabled"),
    ]
    world.wants = False
    del world.events[:]
    world.clock.advance(600)
    assert world.events == []
    now(world.streams.stopService())
    assert [(e["event"], e["reason"]) for e in world.events] == [("stream_closed", "stopped")]
    assert not world.clock.getDelayedCalls()


TEMPLATES = """
template cams { prefix cams; password s3cret; }
template guests { prefix guests; on_publish http://127.0.0.1:1/; }
template pulled { prefix pulled; input tshttp://127.0.0.1:1/; }
"""


def test_who_may_not_publish_has_no_streams_of_a_template_run() -> None:
    world = World(file=TEMPLATES)
    asked: list[Deferred[str | None]] = []

    def permit(*about: object) -> Awaitable[str | None]:
        asked.append(Deferred())
        return asked[-1]

    world.streams.permit = permit
    publish = world.streams.points.publish
    for name, password, code in (("cams/1", "guess", WRONG_PASSWORD), ("pulled/1", None, UNKNOWN_STREAM)):
        with pytest.raises(PublishRefused) as refused:
            publish(name, "rtmp", "192.0.2.1:1", password)
        assert refused.value.code == code
    published = [publish("guests/1", "rtmp", f"192.0.2.{n}:1", None) for n in (1, 2, 3, 4)]
    published[3].source_lost("has gone")
    asked[0].callback("no")
    assert not world.streams.entry("guests/1") and not world.events
    for one in (3, 1, 2):
        asked[one].callback(None)
    assert [one.active for one in published] == [False, True, False, False]
    assert world.streams.points.publisher("guests/1") is published[1]
    assert [event["media"] for event in world.events if event["event"] == "stream_opened"] == ["guests/1"]
    assert publish("cams/1", "rtmp", "192.0.2.1:1", "s3cret").active and world.streams.entry("cams/1")


def test_a_stream_of_a_template_that_changed_meanwhile_is_not_made() -> None:
    world = World(file=TEMPLATES)
    asked: Deferred[str | None] = Deferred()
    world.streams.permit = lambda *about: asked
    published = world.streams.points.publish("guests/1", "rtmp", "192.0.2.1:1", None)
    reasons: list[str] = []
    published.on_kicked = reasons.append
    now(world.administration.reload(parse_config(TEMPLATES.replace("guests", "friends"))))
    asked.callback(None)
    assert reasons == ["guests/1 can't be published now."] and published.refused
    assert world.streams.entry("guests/1") is None


def test_nobody_publishes_into_the_recordings_of_another() -> None:
    world = World(file="template any { prefix cams recorded; }\nstream cams/1 { input publish://; }")
    publish = world.streams.points.publish
    for name in ("cams/1/2026/11/21/17", "cams/1/2026", "recorded/2026"):
        with pytest.raises(PublishRefused, match="would record into each other") as refused:
            publish(name, "rtmp", "192.0.2.1:1", None)
        assert refused.value.code == NOT_PUBLISHABLE and world.streams.entry(name) is None
    assert publish("cams/2/2026", "rtmp", "192.0.2.1:1", None).active
    with pytest.raises(PublishRefused, match="would record into each other"):
        publish("cams/2", "rtmp", "192.0.2.1:1", None)
