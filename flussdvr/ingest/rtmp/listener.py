"""
RTMP listener: connections that publish.

    dataReceived -> RtmpServer -> Connected         -
                                  PublishRequested  Publishers.publish -> accept | reject
                                  MediaTag          FlvDemuxer -> PublishedInput
                                  Unpublished       PublishedInput.source_lost

A client has `ADMISSION_S` from connecting to publishing; after that, silence for the stream's input timeout ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import singledispatchmethod
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.errors import FormatError
from flussdvr.formats.flv.demuxer import FlvDemuxer
from flussdvr.formats.flv.tag import UnsupportedCodec
from flussdvr.formats.rtmp.session import Connected, Event, MediaTag, PublishRequested, RtmpServer, State, Unpublished
from flussdvr.ingest.failures import why
from flussdvr.ingest.publish.publications import UNKNOWN_STREAM, PublishedInput, Publishers, PublishRefused
from flussdvr.logs.repeated import Repeated
from flussdvr.process.descriptors import is_spare

__all__ = ["ADMISSION_S", "Publisher", "PublisherFactory", "password_of", "stream_names"]

ADMISSION_S = 10.0
MAX_CONNECTIONS = 1000
SHARE = 4
"""One address may hold at most 1/SHARE of the connections without publishing, so it cannot lock encoders out."""
SCRIPT_DATA = 18


class Publisher(Protocol):
    """One connection."""

    log = Logger()
    transport: Any

    def __init__(
        self, publishers: Publishers, clock: IReactorTime, peer: str, closed: Callable[[Publisher], None]
    ) -> None:
        self._publishers = publishers
        self._clock = clock
        self._peer = peer
        self._rtmp = RtmpServer()
        self._demuxer = FlvDemuxer()
        self._input: PublishedInput | None = None
        self._deadline = clock.seconds() + ADMISSION_S
        self._timer: IDelayedCall | None = None
        self._closing = False
        self._closed = closed

    @property
    def host(self) -> str:
        return self._peer.rpartition(":")[0]

    @property
    def publishes(self) -> bool:
        """Whether it has been admitted."""
        return self._input is not None and not self._input.held

    def connectionMade(self) -> None:
        fileno = getattr(self.transport, "fileno", None)
        if fileno is not None and not is_spare(fileno()):
            self.log.warn("RTMP {peer} is dropped: too many connections", peer=self._peer)
            self.transport.abortConnection()
            return
        self._watch()
        # A client that asks and never reads the answers: when our side of the socket is full, it is not read either.
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        if self._rtmp.state is State.DONE:
            return
        self._rtmp.receive_data(data)
        try:
            for event in self._rtmp.events():
                self._on(event)
        except UnsupportedCodec as error:
            self._rtmp.close("NetStream.Publish.BadName", str(error))
            self._drop(str(error))
            return
        except FormatError as error:
            self._drop(str(error))
            return
        except Exception:
            self._crashed(Failure())  # type: ignore[no-untyped-call]
            return
        self._send()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._cancel_timer()
        self._release(why(reason))
        self._closed(self)

    def _crashed(self, failure: Failure) -> None:
        published = self._input
        if published is None:
            self.log.failure("RTMP {peer}: internal error", failure, peer=self._peer)
            self._drop("internal error")
        else:
            published.crashed(failure)  # which has us close by `on_kicked`

    # events

    @singledispatchmethod
    def _on(self, event: Event) -> None:
        raise AssertionError(event)

    @_on.register
    def _(self, event: Connected) -> None:
        pass  # the name of the stream decides, not the application

    @_on.register
    def _(self, event: PublishRequested) -> None:
        try:
            self._input = self._publish(event)
        except PublishRefused as refusal:
            self.log.info("RTMP {peer} was refused: {title}", peer=self._peer, title=refusal.title, code=refusal.code)
            self._rtmp.reject_publish(description=refusal.title)
            return
        self._input.on_kicked = self._kicked
        self._demuxer = FlvDemuxer()
        self._media_arrived()
        self._rtmp.accept_publish()

    @_on.register
    def _(self, event: MediaTag) -> None:
        if self._input is None:
            return
        if event.type != SCRIPT_DATA:
            self._media_arrived()
        self._input.counters.bytes += len(event.body)
        self._input.received(self._demuxer.feed_tag(event.type, event.timestamp, event.body))

    @_on.register
    def _(self, event: Unpublished) -> None:
        self._release(event.reason)
        self._deadline = self._clock.seconds() + ADMISSION_S

    # inside

    def _publish(self, event: PublishRequested) -> PublishedInput:
        """Ask for each name that the address may mean; the first that exists decides."""
        password = password_of(event.stream_key, event.app, event.tc_url)
        unknown: PublishRefused | None = None
        for name in stream_names(event.app, event.stream_key):
            try:
                return self._publishers.publish(name, "rtmp", self._peer, password)
            except PublishRefused as refusal:
                if refusal.code != UNKNOWN_STREAM:
                    raise
                unknown = unknown or refusal
        raise unknown or PublishRefused(UNKNOWN_STREAM, "The address names no stream.")

    def _media_arrived(self) -> None:
        assert self._input is not None
        self._deadline = self._clock.seconds() + self._input.timeout_s

    def _watch(self) -> None:
        """Once in a timeout, not once in a packet."""
        left = self._deadline - self._clock.seconds()
        if left > 0.001:
            self._timer = self._clock.callLater(min(left, ADMISSION_S), self._watch)
            return
        reason = f"published nothing within {ADMISSION_S:g} s"
        if self._input is not None:
            reason = f"no media for {self._input.timeout_s:g} s"
        self._rtmp.close("NetConnection.Connect.IdleTimeOut", reason)
        self._drop(reason)

    def _kicked(self, reason: str) -> None:
        self._input = None
        self._rtmp.close("NetStream.Unpublish.Success", reason)
        self._send()

    def _drop(self, reason: str) -> None:
        self.log.info("RTMP {peer} is dropped: {reason}", peer=self._peer, reason=reason)
        self._release(reason)
        self._rtmp.close(description=reason)
        self._send()

    def _release(self, reason: str) -> None:
        published, self._input = self._input, None
        if published is not None:
            published.on_kicked = None
            try:
                published.received(self._demuxer.flush())
            except Exception:
                published.crashed(Failure())  # type: ignore[no-untyped-call]
            published.source_lost(reason)

    def _send(self) -> None:
        data = self._rtmp.data_to_send()
        if data:
            self.transport.write(data)
        if self._rtmp.state is State.DONE and not self._closing:
            self._closing = True
            self.transport.unregisterProducer()
            self._cancel_timer()
            self._timer = self._clock.callLater(ADMISSION_S, self.transport.abortConnection)
            self.transport.loseConnection()

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class PublisherFactory(Factory):
    """Makes a `Publisher` of each connection; `publishers` says who may."""

    log = Logger()
    noisy = False

    def __init__(self, publishers: Publishers, clock: IReactorTime, max_connections: int = MAX_CONNECTIONS) -> None:
        self._publishers = publishers
        self._clock = clock
        self._max_connections = max_connections
        self.connections: set[Publisher] = set()
        self._troubles = Repeated(self.log, clock.seconds)

    def buildProtocol(self, addr: IAddress | None) -> Publisher | None:
        peer = f"{getattr(addr, 'host', '?')}:{getattr(addr, 'port', '?')}"
        if len(self.connections) >= self._max_connections:
            self._troubles.warn(
                "all", "RTMP {peer} is dropped: {count} connections", peer=peer, count=len(self.connections)
            )
            return None
        host = peer.rpartition(":")[0]
        idle = sum(1 for one in self.connections if one.host == host and not one.publishes)
        if idle >= max(1, self._max_connections // SHARE):
            self._troubles.warn(
                host, "RTMP {peer} is dropped: {count} from there publish nothing", peer=peer, count=idle
            )
            return None
        publisher = Publisher(self._publishers, self._clock, peer, self.connections.discard)
        self.connections.add(publisher)
        return publisher


def stream_names(app: str, stream_key: str) -> Iterator[str]:
    """
    The streams that an address may mean, likeliest first: the whole path, and what follows its first component.

    FFmpeg takes two components for the application when there are three or more, hence the one in between.
    """
    components = [part for half in (app, stream_key) for part in unquote(half.partition("?")[0]).split("/") if part]
    key = [part for part in unquote(stream_key.partition("?")[0]).split("/") if part]
    seen = set()
    for parts in (components, components[1:], key):
        name = "/".join(parts)
        if name and name not in seen:
            seen.add(name)
            yield name


def password_of(stream_key: str, app: str, tc_url: str) -> str | None:
    """`password` or `token` of the query of the stream key, the application or the URL, or the URL's own password."""
    for text in (stream_key, app, tc_url):
        query = parse_qs(text.partition("?")[2], max_num_fields=100) if text.count("&") < 100 else {}
        for key in ("password", "token"):
            if key in query:
                return query[key][0]
    try:
        password = urlsplit(tc_url).password
    except ValueError:
        return None
    return None if password is None else unquote(password)
