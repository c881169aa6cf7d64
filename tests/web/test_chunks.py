"""Answers that are written piece by piece, to clients that go away while they are full."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, globalLogPublisher
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from flussdvr.web.http.sender import write_chunks
from flussdvr.web.http.site import Site


class Endless(Resource):
    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.written += 1
                yield b"x" * 100_000
        finally:
            self.closed = True

    def render(self, request: Any) -> int:
        async def answer() -> None:
            await write_chunks(self.chunks(), request)
            if not request._disconnected:
                request.finish()

        self.answering = Deferred.fromCoroutine(answer())
        return NOT_DONE_YET


@pytest_twisted.ensureDeferred
async def test_a_client_that_stops_reading_and_goes() -> None:
    from twisted.internet import reactor

    resource, accesses, failures = Endless(), [], []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    site = Site(resource, reactor, None, lambda request, aborted: accesses.append(aborted))
    port = reactor.listenTCP(0, site, interface="127.0.0.1")  # type: ignore[attr-defined]
    try:
        with socket.create_connection(("127.0.0.1", port.getHost().port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            before = -1
            while not resource.written or before != resource.written:
                before = resource.written
                await deferToThread(time.sleep, 0.05)
        await resource.answering
        for _ in range(1000):
            if accesses:
                break
            await deferToThread(time.sleep, 0.001)
    finally:
        await port.stopListening()
        globalLogPublisher.removeObserver(observe)
    assert accesses == [True]
    assert resource.closed
    assert resource.written < 200
    assert not failures
