from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from flussdvr.ingest.publish.publications import PublishPoint, PublishPoints
from flussdvr.web.http.site import Site
from flussdvr.web.media.publishing import HttpPublishers


class Sink:
    def __init__(self) -> None:
        self.lost: list[str] = []

    def tracks_left_out(self, left_out: Any) -> None: ...

    def source_lost(self, reason: str) -> None:
        self.lost.append(reason)


class Publisher:
    def __init__(self, points: PublishPoints, clock: Clock, url: bytes = b"/ort/mpegts?password=s") -> None:
        site = Site(Resource(), clock, HttpPublishers(points, clock))
        self.protocol = site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 5))
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(b"PUT " + url + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    @property
    def status(self) -> int | None:
        value = self.transport.value()
        return int(value.split()[1]) if value else None


@pytest.fixture
def points() -> PublishPoints:
    result = PublishPoints()
    result.add(PublishPoint("ort", Sink(), "s"))  # type: ignore[arg-type]
    return result


def test_one_publisher_at_a_time(points: PublishPoints) -> None:
    clock = Clock()
    first = Publisher(points, clock)
    assert first.status is None
    assert points.publisher("ort").peer == "192.0.2.1:5"  # type: ignore[union-attr]
    assert Publisher(points, clock).status == 409
    first.protocol.dataReceived(b"0\r\n\r\n")
    assert first.status == 204
    assert points.publisher("ort") is None
    assert Publisher(points, clock).status is None


def test_refusals(points: PublishPoints) -> None:
    assert Publisher(points, Clock(), b"/ort/mpegts?password=t").status == 403
    assert Publisher(points, Clock(), b"/ort/mpegts").status == 403
    assert Publisher(points, Clock(), b"/none/mpegts").status == 404


def test_a_silent_publisher_is_sent_away(points: PublishPoints) -> None:
    clock = Clock()
    publisher = Publisher(points, clock)
    clock.advance(60)
    assert publisher.status == 409
    assert points.publisher("ort") is None
