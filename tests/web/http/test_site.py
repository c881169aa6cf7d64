from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from flussdvr.errors import DvrError, Kind
from flussdvr.web.http.site import MAX_BODY, SMALL_BODY, DvrRequest, Site


class Echo(Resource):
    isLeaf = True

    def render(self, request: Any) -> bytes:
        if request.path == b"/boom":
            raise RuntimeError("boom")
        data = request.content.read()
        request.setHeader(b"content-length", str(len(data)).encode())
        return data


class FakePublication:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.end: str | None = None

    def data_received(self, data: bytes) -> None:
        if data == b"bad":
            raise DvrError(Kind.BAD_REQUEST, "not_mpegts", "this is no MPEG-TS")
        self.data.append(data)

    def finished(self, reason: str) -> None:
        self.end = reason


class FakePublishers:
    def __init__(self) -> None:
        self.publication = FakePublication()
        self.refusal: DvrError | None = None
        self.names: list[str] = []

    def publish(self, name: str, request: Any, password: str | None, transport: Any) -> FakePublication:
        self.names.append(name)
        self.password = password
        if self.refusal is not None:
            raise self.refusal
        return self.publication


class Transport(StringTransport):
    half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True


class Connection:
    def __init__(self, site: Site | None = None) -> None:
        self.clock = Clock()
        self.publishers = FakePublishers()
        self.accessed: list[tuple[DvrRequest, bool]] = []
        self.site = site or Site(
            Echo(), self.clock, self.publishers, lambda request, aborted: self.accessed.append((request, aborted))
        )
        self.site.callLater = self.clock.callLater
        self.protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        self.transport = Transport()
        self.protocol.makeConnection(self.transport)

    def another(self) -> Connection:
        """To the same site."""
        return Connection(self.site)

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def received(self) -> tuple[int, dict[str, str], bytes]:
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
def test_a_published_body_is_handed_on_while_it_arrives(method: bytes) -> None:
    connection = Connection()
    connection.send(method + b" /a/b/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert connection.publishers.names == ["a/b"]
    connection.send(b"3\r\nabc\r\n")
    assert connection.publishers.publication.data == [b"abc"]
    connection.send(b"2\r\nde\r\n")
    assert connection.publishers.publication.data == [b"abc", b"de"]
    assert connection.transport.value() == b""
    connection.send(b"0\r\n\r\n")
    assert connection.publishers.publication.end is not None
    status, headers, _ = connection.received()
    assert status == 204
    assert headers["server"].startswith("flussdvr/")
    connection.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.received()[0] == 200


def test_a_published_body_with_length() -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert connection.publishers.publication.data == [b"ab"]
    connection.send(b"cde")
    assert connection.received()[0] == 204


@pytest.mark.parametrize(
    ("kind", "status"), [(Kind.NOT_FOUND, 404), (Kind.DENIED, 403), (Kind.CONFLICT, 409), (Kind.UNAVAILABLE, 503)]
)
def test_a_publisher_is_refused_before_its_body_ends(kind: Kind, status: int) -> None:
    connection = Connection()
    connection.publishers.refusal = DvrError(kind, "no", "not now")
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    answered, headers, body = connection.received()
    assert answered == status
    assert headers["connection"] == "close"
    assert headers["access-control-allow-origin"] == "*"
    assert json.loads(body)["errors"][0] == {"status": str(status), "code": "no", "title": "not now"}
    assert connection.transport.half_closed
    connection.send(b"3\r\nabc\r\n")
    assert connection.transport.value() == b""
    connection.clock.advance(3)
    assert connection.transport.disconnected or connection.transport.aborting


def test_a_publisher_that_sends_rubbish_is_told_so() -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n")
    assert connection.received()[0] == 400


def test_a_publisher_that_vanishes() -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    connection.protocol.connectionLost(Failure(ConnectionLost()))
    assert connection.publishers.publication.end == "the publisher has gone"
    assert [aborted for _, aborted in connection.accessed] == [True]


def test_other_bodies_are_bounded() -> None:
    connection = Connection()
    connection.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert connection.received()[2] == b"abc"
    connection.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1))
    assert connection.received()[0] == 413
    connection = Connection()
    connection.send(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(MAX_BODY // 65536 + 1):
        connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert connection.received()[0] == 413


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /%ff/index.m3u8 HTTP/1.1\r\nHost: x",
        b"GET x HTTP/1.1\r\nHost: x",
        b"GET /x HTTP/1.1\r\nHost: \xff",
    ],
)
def test_unreadable_requests_get_json(request_line: bytes) -> None:
    connection = Connection()
    connection.send(request_line + b"\r\n\r\n")
    status, headers, body = connection.received()
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["error"] == "bad_request"


def test_a_crash_is_json_without_a_traceback() -> None:
    connection = Connection()
    connection.send(b"GET /boom HTTP/1.1\r\nHost: x\r\n\r\n")
    status, headers, body = connection.received()
    assert (status, headers["content-type"]) == (500, "application/json")
    assert json.loads(body)["error"] == "internal_error"
    assert b"boom" not in body


def test_every_request_is_told_once() -> None:
    connection = Connection()
    connection.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.send(b"GET /y HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [request.uri for request, _ in connection.accessed] == [b"/x", b"/y"]


@pytest.mark.parametrize(
    ("query", "header"), [(b"?password=s3cret", b""), (b"", b"Authorization: Basic dTpzM2NyZXQ=\r\n")]
)
def test_a_publishers_password(query: bytes, header: bytes) -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts" + query + b" HTTP/1.1\r\nHost: x\r\n" + header + b"Content-Length: 5\r\n\r\n")
    assert connection.publishers.password == "s3cret"


def test_a_publisher_that_is_kicked() -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    request = connection.protocol.requests[0]
    request.kicked("silence")
    assert connection.received()[0] == 409
    request.kicked("again")
    connection.send(b"3\r\nabc\r\n0\r\n\r\n")
    assert connection.transport.value() == b""


def test_a_header_may_be_any_bytes() -> None:
    connection = Connection()
    connection.send(b"GET /x HTTP/1.1\r\nHost: x\r\nReferer: \xff/\xc3\xa9\r\n\r\n")
    request, _ = connection.accessed[0]
    assert request.getHeader("referer") == "\ufffd/é"
    assert request.getHeader(b"referer") == b"\xff/\xc3\xa9"
    assert request.getHeader("range") is None is request.getHeader(b"range")


def test_bodies_of_all_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.web.http.site.MAX_BODIES", 100_000)
    connection, head = Connection(), b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
    first, second, third = connection, connection.another(), connection.another()
    first.send(head + b"x" * 60_000)
    second.send(head + b"x" * 60_000)
    assert connection.site.bodies == 2 * (60_000 - SMALL_BODY)
    third.send(head + b"x" * 60_000)
    assert third.received()[0] == 503 and third.transport.half_closed
    assert connection.site.bodies == 2 * (60_000 - SMALL_BODY)
    third = connection.another()
    third.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SMALL_BODY + b"x" * SMALL_BODY)
    assert third.received()[0] == 200, "a small one always comes in"
    first.send(b"x" * 10_000)
    assert first.received()[0] == 200
    assert connection.site.bodies == 60_000 - SMALL_BODY
    second.protocol.connectionLost(Failure(ConnectionLost()))
    assert connection.site.bodies == 0


def test_one_host_is_asked_for() -> None:
    connection = Connection()
    connection.send(b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert connection.received()[0] == 400
