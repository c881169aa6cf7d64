"""Bodies on their way to a handler."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from flussdvr.config.model import Config
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.web.api.router import LARGE, Call, Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Gate
from flussdvr.web.http.site import Site
from tests.web.media.test_routes import Answer


class Put:
    """A PUT of a stream, checked against the schema; what the handler was given is in `given`."""

    def __init__(self, body: bytes) -> None:
        self.worker = MemoryWorker()
        self.given: list[Any] = []
        router = Router(Gate(Config, InlineWorker()), Schema(), Clock(), self.worker)

        @router.route("/streams/<path:name>", "PUT", public=True)
        async def put(call: Call, name: str) -> None:
            self.given.append(call.body)

        protocol: Any = Site(router.resource(), Clock()).buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))
        self.transport = StringTransport()
        protocol.makeConnection(self.transport)
        head = f"PUT /streams/a HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        protocol.dataReceived(head.encode() + body)

    @property
    def status(self) -> int | None:
        return Answer(self.transport.value()).status if self.transport.value() else None


def test_a_small_body_is_checked_at_once() -> None:
    assert Put(b'{"title": "x"}').status == 204
    assert Put(b'{"title": 5}').status == 400


@pytest.mark.parametrize(("title", "status"), [("x" * LARGE, 204), ([0] * LARGE, 400)])
def test_a_large_body_is_read_and_checked_by_the_worker(title: Any, status: int) -> None:
    put = Put(json.dumps({"title": title}).encode())
    assert put.status is None and len(put.worker) == 1 and not put.given
    assert put.worker.step()
    assert put.status == status and bool(put.given) == (status == 204)


def test_a_large_body_that_is_no_json() -> None:
    put = Put(b"[" * 2 * LARGE)
    assert put.worker.step() and put.status == 400
