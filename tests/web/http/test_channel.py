"""Connections of those who mean no good."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from flussdvr.web.http import channel, site
from tests.web.http.test_site import Connection

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(connection: Connection) -> int:
    return connection.transport.value().count(b"HTTP/1.1 200 ")


def turn(connection: Connection) -> None:
    """One of the reactor: what is asked for meanwhile is for the next."""
    clock = connection.clock
    for call in [call for call in clock.getDelayedCalls() if call.getTime() <= clock.seconds()]:
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)


def test_of_many_requests_at_once_each_takes_a_turn_of_the_reactor() -> None:
    connection = Connection()
    connection.send(GET * 1000)
    assert answers(connection) == 1, "whoever else waits is next"
    turn(connection)
    assert answers(connection) == 2
    for _ in range(998):
        turn(connection)
    assert answers(connection) == len(connection.accessed) == 1000
    connection.send(GET)
    assert answers(connection) == 1001


def test_a_connection_that_ends_among_many_requests() -> None:
    connection = Connection()
    connection.send(GET * 3)
    connection.protocol.stopProducing()
    connection.protocol.connectionLost(Failure(ConnectionLost()))
    connection.clock.advance(1)
    assert answers(connection) == 1
    assert [aborted for _, aborted in connection.accessed] == [False]


@pytest.mark.parametrize("begin", [b"", b"GET /x HTTP/1.1\r\nHo", b"POST /x HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"])
def test_a_request_has_to_come_in_time(begin: bytes) -> None:
    connection = Connection()
    connection.send(begin or b"G")
    for _ in range(11):
        connection.clock.advance(5)
        connection.send(b"a")
        assert not connection.transport.disconnecting
    connection.clock.advance(5)
    assert connection.transport.disconnecting


def test_who_publishes_has_all_the_time() -> None:
    connection = Connection()
    connection.send(b"PUT /ort/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        connection.clock.advance(50)
        connection.send(b"3\r\nabc\r\n")
    assert not connection.transport.disconnecting
    connection.clock.advance(60)
    assert connection.transport.disconnecting


def test_who_asks_now_and_then_keeps_his_connection() -> None:
    connection = Connection()
    for _ in range(10):
        connection.send(GET)
        connection.clock.advance(50)
    assert answers(connection) == 10 and not connection.transport.disconnecting


def test_connections_without_room_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(channel, "is_spare", lambda descriptor: False)
    monkeypatch.setattr(site.log, "warn", lambda text, **fields: told.append(fields))
    connection = Connection()
    assert connection.transport.disconnected or connection.transport.aborting
    connection.send(GET)
    connection.protocol.connectionLost(Failure(ConnectionLost()))
    assert connection.transport.value() == b"" and not connection.accessed
    for passed in (1, 58, 1):
        connection.site.refused_connection(connection.transport.getPeer())
        connection.clock.advance(passed)
    assert len(told) == 1, "the log is not filled by it"
    connection.site.refused_connection(connection.transport.getPeer())
    assert len(told) == 2


@pytest.mark.parametrize("length", [b"9" * 5000, b"+5", b"1_0", b"-1"])
def test_a_length_that_is_none(length: bytes) -> None:
    connection = Connection()
    connection.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n" % length)
    assert connection.transport.value().startswith(b"HTTP/1.1 400 ") and connection.transport.disconnecting
