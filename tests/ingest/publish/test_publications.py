"""Who may publish, and that only one does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from flussdvr.ingest.publish.publications import (
    ALREADY_PUBLISHED,
    UNKNOWN_STREAM,
    WRONG_PASSWORD,
    Offer,
    PublishPoint,
    PublishPoints,
    PublishRefused,
)
from flussdvr.media import Codec, DataLost, Sample, SamplesReceived, Track, TracksChanged

TRACK = Track(1, Codec.AAC, 48_000)


class MemorySink:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        self.calls.append(("tracks", tuple(tracks)))

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.calls.append(("samples", track_id, len(samples)))

    def data_lost(self, reason: str, count: int) -> None:
        self.calls.append(("data_lost", reason, count))

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        self.calls.append(("utc", utc_ms, dts, timescale))

    def tracks_left_out(self, left_out: Any) -> None: ...

    def source_lost(self, reason: str) -> None:
        self.calls.append(("lost", reason))


def points_of(sink: MemorySink, password: str | None = None) -> PublishPoints:
    points = PublishPoints()
    points.add(PublishPoint("x", sink, password))
    return points


def refusal(points: PublishPoints, name: str, password: str | None = None) -> str:
    with pytest.raises(PublishRefused) as caught:
        points.publish(name, "rtmp", "192.0.2.1:1", password)
    return caught.value.code


def test_what_a_publisher_delivers_reaches_the_stream_until_it_ends() -> None:
    sink = MemorySink()
    points = points_of(sink)
    published = points.publish("x", "rtmp", "192.0.2.1:1", None)
    assert points.publisher("x") is published
    published.received([TracksChanged((TRACK,)), SamplesReceived(1, [Sample(0, b"a")]), DataLost("bent", 2)])
    published.utc_received(1, 2, 3)
    published.source_lost("went home")
    published.source_lost("twice")
    published.samples_received(1, [Sample(0, b"a")])
    published.data_lost("late", 1)
    assert sink.calls == [
        ("tracks", (TRACK,)),
        ("samples", 1, 1),
        ("data_lost", "bent", 2),
        ("utc", 1, 2, 3),
        ("lost", "went home"),
    ]
    assert (published.counters.samples, published.counters.lost) == (1, 2)
    assert points.publisher("x") is None
    points.publish("x", "rtmp", "192.0.2.1:2", None)


def test_refusals() -> None:
    points = points_of(MemorySink(), "s3cret")
    assert refusal(points, "y") == UNKNOWN_STREAM
    assert refusal(points, "x") == WRONG_PASSWORD
    assert refusal(points, "x", "s3cre") == WRONG_PASSWORD
    assert refusal(points, "x", "\ud800") == WRONG_PASSWORD
    points.publish("x", "rtmp", "192.0.2.1:1", "s3cret")
    assert refusal(points, "x") == WRONG_PASSWORD
    assert refusal(points, "x", "s3cret") == ALREADY_PUBLISHED


def test_a_removed_stream_sends_its_publisher_away() -> None:
    sink, reasons = MemorySink(), []
    points = points_of(sink)
    published = points.publish("x", "rtmp", "192.0.2.1:1", None)
    published.on_kicked = reasons.append
    points.remove("x")
    published.kick("twice")
    assert reasons == ["the stream has been removed"]
    assert sink.calls == [("lost", "the stream has been removed")]
    assert refusal(points, "x") == UNKNOWN_STREAM
    points.remove("x")


def test_streams_on_demand() -> None:
    points, begun = PublishPoints(), []

    def begin(name: str) -> PublishPoint:
        begun.append(name)
        points.add(point := PublishPoint(name, MemorySink(), "s3cret"))
        return point

    def offer(name: str) -> Offer | None:
        return Offer(name, "s3cret", 10, None, lambda: begin(name)) if name.startswith("cams/") else None

    points = PublishPoints(offer)
    assert refusal(points, "x") == UNKNOWN_STREAM
    assert refusal(points, "cams/1") == refusal(points, "cams/1", "guess") == WRONG_PASSWORD
    assert not begun, "who may not publish has no streams run"
    published = points.publish("cams/1", "rtmp", "192.0.2.1:1", "s3cret")
    assert published.active and points.publisher("cams/1") is published and begun == ["cams/1"]
    assert refusal(points, "cams/1", "s3cret") == ALREADY_PUBLISHED


def test_a_name_that_is_none_upsets_no_log() -> None:
    with pytest.raises(PublishRefused) as caught:
        PublishPoints().publish("x\r\nFAKE \x1b[2J" + "a" * 60_000, "rtmp", "192.0.2.1:1", None)
    assert caught.value.title.isprintable() and len(caught.value.title) < 200
