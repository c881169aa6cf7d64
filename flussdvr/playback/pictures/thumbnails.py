# -*- test-case-name: tests.playback.pictures.test_thumbnails -*-
"""
The thumbnails of all streams: whoever is recorded with `thumbnails` has one who takes them.

    each second   streams that run  <-compare->  takers     one that is new gets a taker, one that is gone loses it

A stream with `thumbnails url=` has a `SnapshotPoller`, another a `Thumbnailer`, one with `enabled=ondemand` none.
"""
# mypy: allow-untyped-calls
# (Service is not annotated)

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from flussdvr.archive.disk.root import Root
from flussdvr.archive.ports import StreamArchive
from flussdvr.archive.thumbs import ThumbsRecorder
from flussdvr.events.types.event import OnEvent
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.snapshot import SnapshotPoller
from flussdvr.playback.pictures.thumbnailer import Thumbnailer
from flussdvr.process.callbacks import Periodic
from flussdvr.process.reactors import IReactorClient
from flussdvr.threads import Worker

if TYPE_CHECKING:
    from flussdvr.live.window import LiveWindow

WIDTH, HEIGHT = 320, 1 << 14
"""The bounds of a picture without a configured size; the height follows from the aspect ratio."""
PERIOD_S = 1.0

Taker = Thumbnailer | SnapshotPoller
State = tuple["LiveStream", object, "ThumbnailSettings"]
"""What a taker depends on: the running stream, who records it, what pictures are wanted."""


class ThumbnailSettings(Protocol):
    """`thumbnails` of a stream's configuration."""

    @property
    def enabled(self) -> bool | str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def sizes(self) -> tuple[tuple[int, int], ...]: ...


class StreamSettings(Protocol):
    @property
    def thumbnails(self) -> ThumbnailSettings | None: ...


class LiveStream(Protocol):
    @property
    def window(self) -> LiveWindow: ...


class Running(Protocol):
    """A stream that runs."""

    @property
    def settings(self) -> StreamSettings: ...
    @property
    def stream(self) -> LiveStream: ...
    @property
    def recorder(self) -> object | None: ...


class RunningStreams(Protocol):
    def names(self) -> Iterable[str]: ...

    def entry(self, name: str) -> Running | None: ...

    def archive(self, name: str) -> StreamArchive | None: ...


def default_box(settings: ThumbnailSettings | None) -> Box:
    """How large the pictures of a stream are."""
    return Box(*settings.sizes[0]) if settings is not None and settings.sizes else Box(WIDTH, HEIGHT)


class Thumbnails(Service):
    """`codec` makes the JPEGs, `root(path)` is a storage root. `takers`: by stream."""

    log = Logger()

    def __init__(
        self,
        streams: RunningStreams,
        root: Callable[[str], Root],
        codec: Worker,
        reactor: IReactorClient,
        utc_ms: Callable[[], int],
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self.takers: dict[str, Taker] = {}
        self._of: dict[str, State] = {}
        self._streams = streams
        self._root = root
        self._codec = codec
        self._reactor = reactor
        self._utc_ms = utc_ms
        self._on_event = on_event
        self._loop = Periodic(reactor, self._compare, self.log, "looking whose thumbnails are wanted")

    def startService(self) -> None:
        super().startService()
        self._loop.start(PERIOD_S)

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        self._loop.stop()
        return gatherResults([self._stop(name) for name in list(self.takers)], consumeErrors=True)

    def _compare(self) -> None:
        wanted = {name: state for name in self._streams.names() if (state := self._wanted(name)) is not None}
        for name, state in list(self._of.items()):
            if wanted.get(name) != state:
                self._stop(name).addErrback(lambda failure: self.log.failure("thumbnails", failure))
        for name, state in wanted.items():
            if name not in self._of:
                with self.log.failuresHandled("thumbnails of {stream}", stream=name):
                    self._start(name, *state)

    def _wanted(self, name: str) -> State | None:
        entry = self._streams.entry(name)
        if entry is None or entry.recorder is None:
            return None
        settings = entry.settings.thumbnails
        return None if settings is None or settings.enabled is not True else (entry.stream, entry.recorder, settings)

    def _start(self, name: str, stream: LiveStream, recorded_by: object, settings: ThumbnailSettings) -> None:
        archive = self._streams.archive(name)
        if archive is None:
            return
        recorder, box, window = ThumbsRecorder(archive, self._root), default_box(settings), stream.window
        self._of[name] = stream, recorded_by, settings
        if settings.url is not None:
            self.takers[name] = SnapshotPoller(
                *(name, settings.url, window.segment_ms / 1000, recorder, self._codec, box),
                *(self._reactor, self._utc_ms, self._on_event),
            )
        else:
            self.takers[name] = Thumbnailer(name, window, recorder, self._codec, box, self._on_event)

    def _stop(self, name: str) -> Deferred[None]:
        self._of.pop(name, None)
        taker = self.takers.pop(name)
        return Deferred.fromCoroutine(taker.stop())
