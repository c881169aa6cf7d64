"""Publishers whom somebody else has to permit."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from flussdvr.ingest.publish.publications import PublishedInput, PublishPoint, PublishPoints, PublishRefused
from flussdvr.media import Codec, Sample, Track

TRACK = Track(1, Codec.AAC, 48_000)


class Sink:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        self.calls.append(tuple(tracks))

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.calls.append(len(samples))

    def data_lost(self, reason: str, count: int) -> None:
        self.calls.append(reason)

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        self.calls.append(utc_ms)

    def tracks_left_out(self, left_out: Any) -> None: ...

    def source_lost(self, reason: str) -> None:
        self.calls.append(reason)


class Doorman:
    def __init__(self) -> None:
        self.sink = Sink()
        self.points = PublishPoints()
        self.asked: list[tuple[str, str, str | None]] = []
        self.waiting: list[Deferred[str | None]] = []
        self.points.add(PublishPoint("x", self.sink, None, permit=self.permit))

    def permit(self, proto: str, peer: str, password: str | None) -> Awaitable[str | None]:
        self.asked.append((proto, peer, password))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def publish(self, peer: str = "192.0.2.1:1") -> tuple[PublishedInput, list[str]]:
        kicked: list[str] = []
        published = self.points.publish("x", "rtmp", peer, "secret")
        published.on_kicked = kicked.append
        return published, kicked


def test_nothing_passes_before_it_is_permitted() -> None:
    door = Doorman()
    published, kicked = door.publish()
    published.tracks_received((TRACK,))
    published.samples_received(1, [Sample(0, b"a")])
    published.data_lost("x", 1)
    published.utc_received(1, 2, 3)
    assert door.sink.calls == [] and door.points.publisher("x") is None
    door.waiting[0].callback(None)
    published.samples_received(1, [Sample(0, b"a")])
    assert door.sink.calls == [(TRACK,), 1] and door.points.publisher("x") is published
    assert door.asked == [("rtmp", "192.0.2.1:1", "secret")] and not kicked


def test_who_is_refused_has_to_go() -> None:
    door = Doorman()
    published, kicked = door.publish()
    door.waiting[0].callback("no")
    assert kicked == ["no"] and published.refused and not published.active
    assert door.sink.calls == [], "the stream never heard of it"


def test_a_question_that_fails_is_a_no() -> None:
    door = Doorman()
    _, kicked = door.publish()
    door.waiting[0].errback(RuntimeError("x"))
    assert kicked == ["nobody can be asked now"]


def test_who_waits_keeps_nobody_out_and_the_first_permitted_publishes() -> None:
    door = Doorman()
    first, first_kicked = door.publish()
    second, second_kicked = door.publish("192.0.2.2:1")
    door.waiting[1].callback(None)
    door.waiting[0].callback(None)
    assert door.points.publisher("x") is second
    assert first_kicked and not second_kicked and not first.active


def test_who_has_gone_while_it_was_decided() -> None:
    door = Doorman()
    published, kicked = door.publish()
    published.source_lost("gone")
    door.waiting[0].callback(None)
    assert door.points.publisher("x") is None and not kicked and door.sink.calls == []


def test_a_stream_that_is_removed_while_it_is_decided() -> None:
    door = Doorman()
    _, kicked = door.publish()
    door.points.remove("x")
    door.waiting[0].callback(None)
    assert len(kicked) == 1 and door.sink.calls == []


def test_a_no_at_once_is_a_refusal() -> None:
    points = PublishPoints()

    async def no(proto: str, peer: str, password: str | None) -> str | None:
        return "no"

    points.add(PublishPoint("x", Sink(), None, permit=no))
    with pytest.raises(PublishRefused):
        points.publish("x", "rtmp", "192.0.2.1:1", None)
