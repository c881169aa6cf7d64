# -*- test-case-name: tests.events.test_event_service -*-
"""
What happens in the server, told to the sinks of the configuration.

    emit(event) -> common fields -> each sink that wants it: HttpSink -> Queue -> Spool
                                                             FileSink -> a thread and a file
                          -> History: the last ones, for the API

    {"event", "event_id", "utc_ms", "server", ["media"], ... the event's own}          docs/events.md
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from flussdvr.config.model import EventSinkSettings
from flussdvr.database.subjects import Spool
from flussdvr.errors import DvrError
from flussdvr.events.history import History, is_kept
from flussdvr.events.log_file import FileSink
from flussdvr.events.queue import Queue
from flussdvr.events.sink import HttpSink, Post, Sink, encode, gets, may_get, poster
from flussdvr.events.types.event import Document, Event
from flussdvr.process.reactors import IReactorClient
from flussdvr.threads import ThreadWorker, Worker

EARLY = 1000
"""Events of the time before the sinks are known are kept, at most so many."""


class Events:
    """
    `emit` may be called from the beginning; `apply` says who is told, after the database is open.

    `poster(url, reactor)` and `worker(name)` have stand-ins in tests.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorClient,
        utc_ms: Callable[[], int],
        spool: Spool,
        poster: Callable[[str, Any], Post] = poster,
        worker: Callable[[str], Worker] | None = None,
    ) -> None:
        self.sinks: dict[str, Sink] = {}
        self.history = History()
        self.server = socket.gethostname()
        self.started_ms = utc_ms()
        self._reactor = reactor
        self._utc_ms = utc_ms
        self._spool = spool
        self._poster = poster
        self._worker = worker or (lambda name: ThreadWorker(reactor, f"events {name}"))
        self._early: deque[Document] | None = deque(maxlen=EARLY)
        self._queues: dict[str, Queue] = {}
        self._spooled: dict[str, tuple[int, int]] | None = None
        self._wanted: dict[str, bool] = {}

    # -- what happens -----------------------------------------------------------------------------------------

    def wants(self, event: str) -> bool:
        """Whether anybody may want events of this name: what costs something to make need not be made."""
        if event not in self._wanted:
            by_sinks = (may_get(sink.settings, event) for sink in self.sinks.values())
            self._wanted[event] = is_kept(event) or any(by_sinks)
        return self._early is not None or self._wanted[event]

    def emit(self, event: Event) -> None:
        """Tell it to whom it concerns. Returns at once, raises nothing."""
        if not self.wants(event.event):
            return
        with self.log.failuresHandled("event {event}", event=event.event):
            whole = self.make(event)
            self.history.add(whole)
            if self._early is not None:
                self._early.append(whole)
            else:
                self._tell(whole)

    def make(self, event: Event) -> Document:
        """The JSON object of an event, with the common fields."""
        common = {"event": event.event, "event_id": str(uuid4()), "utc_ms": self._utc_ms(), "server": self.server}
        return common | event.document()

    def _tell(self, event: Document) -> None:
        data = None
        for sink in self.sinks.values():
            if gets(sink.settings, event):
                if sink.settings.extra or data is None:
                    encoded = encode(event, sink.settings)
                    data = data if sink.settings.extra else encoded
                else:
                    encoded = data
                sink.offer(event, encoded)

    # -- whom it concerns -------------------------------------------------------------------------------------

    async def apply(self, wanted: Mapping[str, EventSinkSettings]) -> None:
        """
        These are the sinks from now on. One whose settings are equal is not touched; what waits for one that changes
        goes where it leads now, what waits for one that is gone is forgotten, once the spool can be read.
        """
        if self._spooled is None:
            await self._open()
        for name, sink in list(self.sinks.items()):
            if wanted.get(name) != sink.settings:
                del self.sinks[name]
                self._wanted.clear()
                await self._end(sink)
        for name, settings in wanted.items():
            if name not in self.sinks:
                sink = self.sinks[name] = self._make_sink(settings)
                sink.start()
                self._wanted.clear()
        for name in [name for name in self._spooled or () if not isinstance(self.sinks.get(name), HttpSink)]:
            assert self._spooled is not None
            del self._spooled[name]
            await self._forget(name)
        for name in [name for name in self._queues if not isinstance(self.sinks.get(name), HttpSink)]:
            del self._queues[name]
        early, self._early = self._early, None
        for event in early or ():
            self._tell(event)

    async def stop(self) -> None:
        """Deliver or keep what waits; nothing is told any more."""
        sinks, self.sinks = self.sinks, {}
        self._wanted.clear()
        self._early = None
        ending = [Deferred.fromCoroutine(self._end(sink)) for sink in sinks.values()]
        for one in ending:
            await one

    async def _end(self, sink: Sink) -> None:
        try:
            await sink.stop()
        except Exception:
            self.log.failure("event sink {name}", name=sink.settings.name)

    async def _open(self) -> None:
        """Of a spool that can't be read, nothing is known: the queues try again."""
        try:
            self._spooled = await self._spool.open()
            for queue in self._queues.values():
                await queue.open()
        except DvrError as error:
            self.log.error("events that were left can't be read now: {error}", error=error)

    async def _forget(self, name: str) -> None:
        try:
            await self._spool.forget(name)
        except DvrError as error:
            self.log.error("events of {name} are still kept: {error}", name=name, error=error)

    def _make_sink(self, settings: EventSinkSettings) -> Sink:
        if not settings.url.startswith(("http://", "https://")):
            return FileSink(settings, self._reactor, self._worker(settings.name), self.make)
        queue = self._queues.get(settings.name)
        if queue is None:
            known = self._spooled is not None
            first, last = (self._spooled or {}).get(settings.name, (1, 0))
            queue = self._queues[settings.name] = Queue(settings.name, self._spool, first, last, known)
        if self._spooled is not None:
            self._spooled.setdefault(settings.name, (1, 0))
        return HttpSink(settings, self._reactor, queue, self._poster(settings.url, self._reactor), self.make)
