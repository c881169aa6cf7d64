# -*- test-case-name: tests.events.test_sink -*-
# mypy: allow-untyped-calls
# (treq is annotated only in part)
"""
A sink over HTTP: JSON arrays by POST, strictly in order, each at least once.

    offer -> Queue -> batch --POST--> 2xx: taken, the next batch
                        ^------------ anything else: again after `resend_timeout`

The next batch goes out when the one before it is acknowledged. A sink that fails, hangs or answers nonsense holds one
connection, a bounded part of RAM and a bounded part of the spool; what is beyond that is dropped, counted, and told to
the sink itself by `events_dropped` in the place where it would have stood.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import treq
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool

from flussdvr import __version__
from flussdvr.config.model import EventSinkSettings
from flussdvr.errors import DvrError
from flussdvr.events.filter import may_want, wanted
from flussdvr.events.queue import Queue
from flussdvr.events.types.event import Document, Event
from flussdvr.events.types.server import EventsDropped
from flussdvr.logs.redaction import redact_url
from flussdvr.process.callbacks import background
from flussdvr.process.reactors import IReactorClient

BATCH = 100
BATCH_BYTES = 1 << 20
CAPACITY = 1_000_000
"""Events that wait for a sink at most; `resend_limit` lowers it while the sink fails."""
TRY_S = 5
"""A try takes at least so long before it is given up, and as long as `resend_timeout` if that is longer."""
FLUSH_S = 1.0
"""So often what waits is written to the spool: what a kill loses is younger than this and was not delivered."""
RESTART_S = 10.0
"""After an exception that nobody foresaw, the sink goes on so much later."""
FAREWELL_S = 2.0
"""How long a sink that works is given what is left when the server stops."""

Post = Callable[[bytes], "Deferred[int]"]
Make = Callable[[Event], Document]


class Sink(Protocol):
    """Whom events are told."""

    settings: EventSinkSettings
    sent: int
    resent: int
    dropped: int
    error: str | None

    def offer(self, event: Mapping[str, Any], data: bytes) -> None:
        """An event and its JSON. Returns at once, raises nothing."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...

    def __len__(self) -> int:
        """How many wait."""


class HttpSink:
    """
    `post(body)` gives the status of a POST. `make(event)` is its JSON object, with the common fields.

    `sent`, `resent`, `dropped` count events; `error` says why the last try failed, or is `None`.
    """

    log = Logger()

    def __init__(
        self, settings: EventSinkSettings, reactor: IReactorClient, queue: Queue, post: Post, make: Make
    ) -> None:
        self.settings = settings
        self.queue = queue
        self.sent = self.resent = self.dropped = 0
        self.error: str | None = None
        self._reactor = reactor
        self._post = post
        self._make = make
        self._unannounced = 0
        self._stopping = False
        self._wake: Deferred[None] | None = None
        self._running: Deferred[None] | None = None
        self._timer: Any = None
        self._unspooled = False

    def __len__(self) -> int:
        return len(self.queue)

    @property
    def limit(self) -> int:
        limit = self.settings.resend_limit
        return CAPACITY if limit is None or self.error is None else min(limit, CAPACITY)

    def offer(self, event: Mapping[str, Any], data: bytes) -> None:
        if len(self.queue) >= self.limit or self.queue.full:
            self.dropped += 1
            self._unannounced += 1
            return
        self.queue.append(data)
        if self._timer is None:
            self._flush_later()
        self._awake()

    def start(self) -> None:
        if len(self.queue):
            self.log.info("event sink {name}: {count} are left", name=self.settings.name, count=len(self.queue))
        if not self.queue.known:
            self._flush_later()
        self._begin()

    def _begin(self) -> None:
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._ended)

    def _ended(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._failed(f"internal error: {type(failure.value).__name__}: {failure.getErrorMessage()}")
            self.log.failure("event sink {name}", failure, name=self.settings.name)
            if not self._stopping:
                self._reactor.callLater(RESTART_S, self._restart)

    def _restart(self) -> None:
        if not self._stopping:
            self._begin()

    async def stop(self) -> None:
        """A sink that works is given what is left; then what is left is in the spool."""
        self._stopping = True
        self._announce()
        self._awake()
        running, self._running = self._running, None
        if running is not None:
            ending = self._reactor.callLater(FAREWELL_S if self.error is None else 0, running.cancel)
            await running
            if ending.active():
                ending.cancel()
        self.queue.put_back()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._flush()

    # -- delivering -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not (self._stopping and (self.error is not None or not len(self.queue))):
            if not len(self.queue):
                await self._sleep(None)
            elif self.error is None and self.settings.throttle_delay_s and len(self.queue) < BATCH:
                await self._throttle()
                await self._deliver()
            else:
                await self._deliver()
            if self.error is not None and not self._stopping:
                await self._pause(self.settings.resend_timeout_s)

    async def _throttle(self) -> None:
        end = self._reactor.seconds() + self.settings.throttle_delay_s
        while len(self.queue) < BATCH and not self._stopping and (left := end - self._reactor.seconds()) > 0:
            await self._sleep(left)

    async def _pause(self, seconds: float) -> None:
        end = self._reactor.seconds() + max(0.1, seconds)
        while not self._stopping and (left := end - self._reactor.seconds()) > 0:
            await self._sleep(left)

    async def _deliver(self) -> None:
        again = self.error is not None
        try:
            batch = await self.queue.batch(BATCH, BATCH_BYTES)
        except DvrError as error:
            self._failed(f"the spool can't be read: {error}")
            return
        if not batch:
            return
        if again:
            self.resent += len(batch)
        trying = self._post(b"[" + b",".join(batch) + b"]")
        trying.addTimeout(max(TRY_S, self.settings.resend_timeout_s), self._reactor)
        try:
            status = await trying
        except Exception as error:
            self._failed(str(error) or type(error).__name__)
            return
        if not 200 <= status < 300:
            self._failed(f"it answers {status}")
            return
        self.queue.take(len(batch))
        self.sent += len(batch)
        if again:
            self.error = None
            self.log.info("event sink {name} answers again", name=self.settings.name)
        self._announce()
        self._flush_later()

    def _failed(self, problem: str) -> None:
        if self.error is None:
            fields = {"name": self.settings.name, "url": redact_url(self.settings.url), "count": len(self.queue)}
            self.log.warn("event sink {name} ({url}): {problem}; {count} wait", problem=problem, **fields)
        self.error = problem

    def _announce(self) -> None:
        count, self._unannounced = self._unannounced, 0
        if count:
            self.log.warn("event sink {name}: {count} were dropped", name=self.settings.name, count=count)
            self.queue.append(encode(self._make(EventsDropped(sink=self.settings.name, count=count)), self.settings))

    # -- the spool --------------------------------------------------------------------------------------------

    def _flush_later(self) -> None:
        if self._timer is None and not self._stopping:
            self._timer = self._reactor.callLater(FLUSH_S, self._flush_now)

    def _flush_now(self) -> None:
        self._timer = None
        background(self._flush(), self.log, f"spooling what waits for the event sink {self.settings.name}")

    async def _flush(self) -> None:
        known = self.queue.known
        try:
            await self.queue.flush()
        except DvrError as error:
            if not self._unspooled:
                self.log.error("event sink {name}: {error}", name=self.settings.name, error=error)
            self._unspooled = True
            self._flush_later()
            return
        if self._unspooled:
            self.log.info("event sink {name}: what waits is kept again", name=self.settings.name)
            self._unspooled = False
        if not self.queue.known:
            self._flush_later()
        elif not known:
            self._awake()

    # -- waiting ----------------------------------------------------------------------------------------------

    async def _sleep(self, seconds: float | None) -> None:
        """Until something is offered, or the sink stops, or for so long."""
        wake: Deferred[None] = Deferred()
        self._wake = wake
        timer = None if seconds is None else self._reactor.callLater(seconds, self._awake)
        try:
            await wake
        finally:
            self._wake = None
            if timer is not None and timer.active():
                timer.cancel()

    def _awake(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.callback(None)


def encode(event: Mapping[str, Any], settings: EventSinkSettings) -> bytes:
    """An event as JSON; a sink's own settings that are not flussdvr's go along with it."""
    value = {**settings.extra, **event}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def gets(settings: EventSinkSettings, event: Mapping[str, Any]) -> bool:
    return wanted(event, settings.only, settings.except_, settings.level)


def may_get(settings: EventSinkSettings, name: str) -> bool:
    return may_want(name, settings.only, settings.except_, settings.level)


def poster(url: str, reactor: IReactorClient) -> Post:
    """POSTs to a URL, over one connection that is kept. The body of the answer is read and forgotten."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit(parts._replace(netloc=host))
    auth = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 1
    pool.retryAutomatically = False
    pool._factory.noisy = False  # two lines in the log for every try of a sink that is down
    agent = Agent(reactor, pool=pool, connectTimeout=TRY_S)
    headers: Any = {b"content-type": [b"application/json"], b"user-agent": [f"flussdvr/{__version__}".encode()]}

    async def post(body: bytes) -> int:
        response = await treq.request(
            "POST", bare, data=body, headers=headers, auth=auth, agent=agent, allow_redirects=False
        )
        await treq.collect(response, lambda data: None)
        return int(response.code)

    return lambda body: Deferred.fromCoroutine(post(body))
