# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
A question to an authorization backend: one GET, about a publisher one POST.

    URL of the configuration, its own query kept  +  name proto ip token request_type ...

Connections are kept. At most `AT_ONCE` questions are asked at the same time; waiting for its turn is part of the time
that a question has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, _HTTP11ClientFactory
from twisted.web.http import PotentialDataLoss

from flussdvr import __version__
from flussdvr.access.verdict import BackendFailed, Reply
from flussdvr.process.reactors import IReactorClient

TIMEOUT_S = 5.0
AT_ONCE = 64
MAX_BODY = 64 << 10
HEADERS = ("x-authduration", "x-userid", "x-max-sessions", "x-unique", "location")

Parameters = Sequence[tuple[str, str]]


class _QuietFactory(_HTTP11ClientFactory):
    noisy = False


class HttpBackend:
    """Asks backends. `client`: a treq client, or what looks like one."""

    def __init__(self, reactor: IReactorClient, client: Any = None) -> None:
        self._reactor = reactor
        if client is None:
            pool = HTTPConnectionPool(reactor)
            pool.maxPersistentPerHost = AT_ONCE
            pool._factory = _QuietFactory
            client = HTTPClient(Agent(reactor, connectTimeout=TIMEOUT_S, pool=pool))
        self._client = client
        self._turns = DeferredSemaphore(AT_ONCE)

    async def ask(self, url: str, parameters: Parameters) -> Reply:
        """By GET. Raises `BackendFailed`."""
        return await self._in_time(url, parameters, None)

    async def post(self, url: str, parameters: Parameters) -> Reply:
        """By POST of a JSON object. Raises `BackendFailed`."""
        return await self._in_time(url, (), json.dumps(dict(parameters)).encode())

    async def _in_time(self, url: str, parameters: Parameters, body: bytes | None) -> Reply:
        asking = Deferred.fromCoroutine(self._ask(url, parameters, body))
        try:
            return await asking.addTimeout(TIMEOUT_S, self._reactor)
        except BackendFailed:
            raise
        except Exception as error:  # whatever a network, a name server or a peer may come up with
            raise BackendFailed(type(error).__name__) from None

    async def _ask(self, url: str, parameters: Parameters, content: bytes | None) -> Reply:
        await self._turns.acquire()
        try:
            address, auth = question_url(url, parameters)
            headers = {"user-agent": [f"flussdvr/{__version__}"]}
            if content is None:
                response = await self._client.get(address, auth=auth, allow_redirects=False, headers=headers)
            else:
                headers["content-type"] = ["application/json"]
                response = await self._client.post(
                    address, data=content, auth=auth, allow_redirects=False, headers=headers
                )
            received = _Body()
            response.deliverBody(received)
            body = await received.whole
        finally:
            self._turns.release()
        found = ((name, response.headers.getRawHeaders(name.encode())) for name in HEADERS)
        return Reply(response.code, {name: _text(values[-1]) for name, values in found if values}, body)


class _Body(Protocol):
    def __init__(self) -> None:
        self._data = bytearray()
        self.whole: Deferred[bytes] = Deferred(lambda _: self._drop())

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > MAX_BODY and not self.whole.called:
            self.whole.errback(BackendFailed("its answer is too long"))
            self._drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(reason)

    def _drop(self) -> None:
        abort = getattr(self.transport, "abortConnection", None) or getattr(self.transport, "loseConnection", None)
        if abort is not None:
            abort()


def question_url(url: str, parameters: Parameters) -> tuple[str, tuple[str, str] | None]:
    """The address to ask at, and the user and password that stood in it."""
    parts = urlsplit(url)
    query = "&".join(text for text in (parts.query, urlencode(parameters)) if text)
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", query, ""))
    if parts.username is None:
        return address, None
    return address, (unquote(parts.username), unquote(parts.password or ""))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
