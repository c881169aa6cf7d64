"""
Streams that are published to: who may, and that only one does at a time.

    RTMP, HTTP push --publish(name, password)--> PublishPoints --one PublishedInput--> Sink of the stream

A publisher asks `Publishers.publish` and gets an input that takes its media until `source_lost`, or a
`PublishRefused` that says why not in words that can be passed on to it.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr.config.errors import shown
from flussdvr.ingest.source import DEFAULT_TIMEOUT_S, Counters, Input, Sink, internal_error
from flussdvr.media import (
    DataLost,
    LeftOut,
    MediaEvent,
    Sample,
    SamplesReceived,
    TimeAndDate,
    Track,
    TracksChanged,
    TracksLeftOut,
)
from flussdvr.process.callbacks import background

UNKNOWN_STREAM = "stream_not_found"
NOT_PUBLISHABLE = "not_publishable"
NOT_PERMITTED = "access_denied"
WRONG_PASSWORD = "wrong_password"
ALREADY_PUBLISHED = "already_published"


Permit = Callable[[str, str, str | None], Awaitable[str | None] | None]


class PublishRefused(Exception):
    """`code`: one of the constants above, or another word; `title`: a sentence for the person who publishes."""

    def __init__(self, code: str, title: str) -> None:
        super().__init__(f"{code}: {title}")
        self.code = code
        self.title = title


class Publishers(Protocol):
    """What a listener that takes publishers needs to know."""

    def publish(self, name: str, proto: str, peer: str, password: str | None) -> PublishedInput:
        """
        Let a publisher deliver to the stream `name`; `proto` and `peer` are for people (`rtmp`, `192.0.2.1:4711`).

        Raises `PublishRefused`.
        """


@dataclass(slots=True, eq=False)
class PublishPoint:
    """
    A stream that may be published to. `password` None: by anybody. `timeout_s`: silence that ends it.

    `permit(proto, peer, password)` has somebody else asked, too: what comes of it is why not, or `None`; `None` in its
    place if nobody need be asked. `on_published(proto, peer)` is told who has been admitted.
    """

    name: str
    sink: Sink
    password: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    publisher: PublishedInput | None = None
    permit: Permit | None = None
    on_published: Callable[[str, str], None] = lambda proto, peer: None
    program: int | None = None
    """The program_number to take of a transport stream that is pushed."""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """
    A stream that would run if somebody published to it: as `PublishPoint`, without a sink until `begin`.

    `begin()` runs it, if nobody was faster, and gives its point; raises `PublishRefused`. It is not called before the
    publisher has been admitted: else whoever knows no password could have any number of streams run.
    """

    name: str
    password: str | None
    timeout_s: float
    permit: Permit | None
    begin: Callable[[], PublishPoint]
    program: int | None = None


class PublishedInput:
    """
    One publisher's media on its way to the stream: a `Sink` until `source_lost`, after that nothing passes.

    While it is `held`, as nobody has permitted it yet, its tracks are remembered and everything else is forgotten.

    The listener sets `on_kicked`; it is called with the reason when the publisher has to go, and then closes its
    connection.
    """

    log = Logger()

    def __init__(self, point: PublishPoint | Offer, proto: str, peer: str) -> None:
        self.name = point.name
        self.proto = proto
        self.peer = peer
        self.timeout_s = point.timeout_s
        self.counters = Counters()
        self.on_kicked: Callable[[str], None] | None = None
        self.held = False
        self.refused = False
        self._tracks: Sequence[Track] | None = None
        self._left_out: Sequence[LeftOut] = ()
        self._point = point if isinstance(point, PublishPoint) else None
        self._offer = point if isinstance(point, Offer) else None

    @property
    def program(self) -> int | None:
        """The program_number that its stream wants of a transport stream."""
        wanted = self._point or self._offer
        return None if wanted is None else wanted.program

    @property
    def active(self) -> bool:
        return self._point is not None or self._offer is not None

    def received(self, events: Sequence[MediaEvent]) -> None:
        """Pass on what a demultiplexer found."""
        for event in events:
            if isinstance(event, SamplesReceived):
                self.samples_received(event.track_id, event.samples)
            elif isinstance(event, TracksChanged):
                self.tracks_received(event.tracks)
            elif isinstance(event, DataLost):
                self.data_lost(event.reason, event.count)
            elif isinstance(event, TracksLeftOut):
                self.tracks_left_out(event.left_out)
            elif isinstance(event, TimeAndDate):
                self._time_and_date_received(event)

    def _time_and_date_received(self, event: TimeAndDate) -> None:
        if self._point is not None and not self.held and isinstance(self._point.sink, Input):
            self._point.sink.received([event])

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        if self.held:
            self._tracks = tracks
        elif self._point is not None:
            self._point.sink.tracks_received(tracks)

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        if self._point is not None and not self.held:
            self.counters.samples += len(samples)
            self._point.sink.samples_received(track_id, samples)

    def data_lost(self, reason: str, count: int) -> None:
        if self._point is not None and not self.held:
            self.counters.data_lost(reason, count)
            self._point.sink.data_lost(reason, count)

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        if self.held:
            self._left_out = left_out
        elif self._point is not None:
            self._point.sink.tracks_left_out(left_out)

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        if self._point is not None and not self.held:
            self._point.sink.utc_received(utc_ms, dts, timescale)

    def source_lost(self, reason: str) -> None:
        """The publisher has gone; the stream may be published to again. Further calls do nothing."""
        point, self._point, self._offer = self._point, None, None
        if point is None or self.held:
            return
        point.publisher = None
        self.log.info(
            "{stream} is no longer published by {proto} {peer}: {reason}"
            " ({samples} samples, {lost} lost, {pictures} pictures damaged)",
            stream=self.name,
            proto=self.proto,
            peer=self.peer,
            reason=reason,
            samples=self.counters.samples,
            lost=self.counters.lost,
            pictures=self.counters.lost_pictures,
        )
        with self.log.failuresHandled("{stream}: ending what {peer} sent", stream=self.name, peer=self.peer):
            point.sink.source_lost(reason)

    def crashed(self, failure: Failure) -> None:
        """An exception that nobody foresaw, below this publisher's bytes: it is sent away, and may come again."""
        self.counters.crashed += 1
        reason = internal_error(failure, self.counters.bytes)
        if self._point is not None and isinstance(self._point.sink, Input):
            self._point.sink.note_crash(reason)
        self.log.failure("{stream}: {peer}: {reason}", failure, stream=self.name, peer=self.peer, reason=reason)
        self.kick(reason)

    def admitted(self) -> None:
        """
        It has been permitted: from now on its media pass, unless somebody else was faster.

        `PublishRefused`: its stream, which did not run before, can't.
        """
        if self._offer is not None:
            self._point, self._offer = self._offer.begin(), None
        point = self._point
        if point is None or not self.held:
            return
        if point.publisher is not None or point.removed:
            self.kick("somebody else publishes it" if point.publisher is not None else "the stream has been removed")
            return
        self.held, point.publisher = False, self
        self.log.info("{stream} is published by {proto} {peer}", stream=self.name, proto=self.proto, peer=self.peer)
        point.on_published(self.proto, self.peer)
        if self._tracks is not None:
            self.tracks_received(self._tracks)
        if self._left_out:
            self.tracks_left_out(self._left_out)

    def kick(self, reason: str) -> None:
        """Send the publisher away."""
        if not self.active:
            return
        on_kicked, self.on_kicked = self.on_kicked, None
        self.source_lost(reason)
        if on_kicked is not None:
            on_kicked(reason)


class PublishPoints:
    """
    Every stream that may be published to: `Publishers` in earnest.

    `find` is asked for names that nobody has added: gives the `Offer` of a template's prefix, answers None, or raises
    `PublishRefused` (a stream that exists and has other inputs).
    """

    log = Logger()

    def __init__(self, find: Callable[[str], PublishPoint | Offer | None] | None = None) -> None:
        self._find = find
        self._points: dict[str, PublishPoint] = {}

    def add(self, point: PublishPoint) -> None:
        """Open a stream for publishing, in place of its earlier point, whose publisher has to go."""
        self.remove(point.name, "the stream's configuration has changed")
        self._points[point.name] = point

    def remove(self, name: str, reason: str = "the stream has been removed") -> None:
        """Nobody may publish to it any more."""
        point = self._points.pop(name, None)
        if point is not None:
            point.removed = True
            if point.publisher is not None:
                point.publisher.kick(reason)

    def point(self, name: str) -> PublishPoint | None:
        return self._points.get(name)

    def publisher(self, name: str) -> PublishedInput | None:
        """Who publishes the stream now."""
        point = self._points.get(name)
        return None if point is None else point.publisher

    def publish(self, name: str, proto: str, peer: str, password: str | None) -> PublishedInput:
        point: PublishPoint | Offer | None = self._points.get(name)
        if point is None and self._find is not None:
            point = self._find(name)
        if point is None:
            raise PublishRefused(UNKNOWN_STREAM, f"There is no stream {shown(name)} to publish to.")
        if point.password is not None and not _same(point.password, password):
            raise PublishRefused(WRONG_PASSWORD, f"Publishing {name} needs its password, as {name}?password=...")
        if isinstance(point, PublishPoint) and point.publisher is not None:
            raise PublishRefused(
                ALREADY_PUBLISHED,
                f"{name} is already being published by {point.publisher.proto} {point.publisher.peer}.",
            )
        published = PublishedInput(point, proto, peer)
        published.held = True
        asked = point.permit(proto, peer, password) if point.permit is not None else None
        if asked is None:
            published.admitted()
        else:
            background(self._permitted(published, asked), self.log, f"admitting a publisher of {name}")
        if published.refused:
            raise PublishRefused(NOT_PERMITTED, f"Publishing {name} is not allowed.")
        return published

    async def _permitted(self, published: PublishedInput, asked: Awaitable[str | None]) -> None:
        try:
            why_not = await asked
        except Exception:
            self.log.failure("asking who may publish {name}", name=published.name)
            why_not = "nobody can be asked now"
        if why_not is None:
            try:
                published.admitted()
                return
            except PublishRefused as refusal:
                why_not = refusal.title
            except Exception:
                self.log.failure("admitting who publishes {name}", name=published.name)
                why_not = "internal error"
        self.log.info(
            "{stream}: {proto} {peer} may not publish: {why}",
            stream=published.name,
            proto=published.proto,
            peer=published.peer,
            why=why_not,
        )
        published.refused = True
        published.kick(why_not)


def _same(password: str, given: str | None) -> bool:
    """Compared in constant time."""
    return given is not None and hmac.compare_digest(password.encode(), given.encode("utf-8", "surrogatepass"))
