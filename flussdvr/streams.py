"""
The running streams: of each, its inputs, its live window and its recorder, as the configuration wants them.

    StreamSettings -> Running:  Inputs -> Stream -> Recorder
                                publish:// inputs are open to publishers through `points`

`apply` is given what should run and changes only what differs: a stream whose settings are equal is not touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from flussdvr.archive.stream_archive import StreamArchive
from flussdvr.config.model import DvrSettings, StreamSettings
from flussdvr.ingest.inputs import Inputs
from flussdvr.ingest.publish import NOT_PUBLISHABLE, PublishPoint, PublishPoints, PublishRefused
from flussdvr.live.stream import Recorder, Stream

NEVER_S = 365 * 86_400.0


class ClosingRecorder(Recorder, Protocol):
    """A recorder as its owner sees it."""

    async def close(self) -> None: ...


class Archive(Protocol):
    """What the streams need of the archive service."""

    def stream(self, name: str) -> StreamArchive | None: ...

    def streams(self) -> Iterable[str]: ...

    def recorder(self, name: str, settings: DvrSettings) -> ClosingRecorder: ...


@dataclass(slots=True)
class Running:
    """One stream and what belongs to it while it runs."""

    settings: StreamSettings
    stream: Stream
    inputs: Inputs
    recorder: ClosingRecorder | None

    async def stop(self) -> None:
        """Take nothing in any more; what came in is recorded when this returns."""
        await self.inputs.stopService()
        self.stream.source_lost("stopped")
        if self.recorder is not None:
            await self.recorder.close()


class Streams(Service):
    """
    Every stream that runs or is recorded.

    `find(name)` makes settings of a name that a template's prefix knows, or is `None`. `utc_ms` is the wall clock.
    """

    log = Logger()

    def __init__(
        self,
        archive: Archive,
        reactor: Any,
        utc_ms: Callable[[], int],
        find: Callable[[str], StreamSettings | None] = lambda name: None,
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> None:
        self.points = PublishPoints(self._point_for)
        self.find = find
        self._archive = archive
        self._reactor = reactor
        self._utc_ms = utc_ms
        self._on_event = on_event
        self._streams: dict[str, Running] = {}
        self._stopping: dict[str, Deferred[None]] = {}

    # -- what playback and the API ask ------------------------------------------------------------------------

    def live(self, name: str) -> Stream | None:
        running = self._streams.get(name)
        return None if running is None else running.stream

    def archive(self, name: str) -> StreamArchive | None:
        return self._archive.stream(name)

    def settings(self, name: str) -> StreamSettings | None:
        running = self._streams.get(name)
        return None if running is None else running.settings

    def entry(self, name: str) -> Running | None:
        return self._streams.get(name)

    def names(self) -> list[str]:
        """Of all streams, running or only recorded, in order."""
        return sorted({*self._streams, *self._archive.streams()})

    # -- what should run --------------------------------------------------------------------------------------

    async def apply(self, wanted: Mapping[str, StreamSettings]) -> None:
        """Start, stop and restart streams until these run, and those that a template made on demand."""
        stale = [name for name, running in self._streams.items() if running.settings != self._wanted(name, wanted)]
        await self._all(self.remove(name) for name in stale)
        for name, settings in wanted.items():
            if not settings.disabled:
                try:
                    await self.start(settings)
                except ValueError as error:  # one stream's bad option is not the others' misfortune
                    self.log.error("{stream} does not start: {error}", stream=name, error=str(error))

    def _wanted(self, name: str, wanted: Mapping[str, StreamSettings]) -> StreamSettings | None:
        settings = wanted.get(name) or self.find(name)
        return None if settings is None or settings.disabled else settings

    async def start(self, settings: StreamSettings) -> None:
        """Run a stream, if it does not run yet. Raises `ValueError` for an input that can't be made."""
        name = settings.name
        if name in self._stopping:
            waiter: Deferred[None] = Deferred()
            self._stopping[name].chainDeferred(waiter)
            await waiter
        if name not in self._streams:
            self._start(settings)

    def _start(self, settings: StreamSettings) -> Running:
        name = settings.name
        dvr = settings.dvr
        recorder = self._archive.recorder(name, dvr) if dvr is not None and not dvr.offline else None
        recorded = self._archive.stream(name)
        stream = Stream(
            name,
            settings.segment_duration_ms,
            settings.segment_count,
            recorder,
            self._utc_ms,
            recorded.end_ms if recorded is not None else 0,
            self._on_event,
        )
        inputs = Inputs(settings.inputs, stream, self._reactor, settings.input_timeout_s, name)
        running = self._streams[name] = Running(settings, stream, inputs, recorder)
        if inputs.publish is not None:
            self.points.add(self._point(running))
        inputs.startService()
        self.log.info("{stream} is started", stream=name)
        return running

    def _point(self, running: Running) -> PublishPoint:
        settings, sink = running.settings, running.inputs.publish
        assert sink is not None
        timeout_s = settings.input_timeout_s
        return PublishPoint(settings.name, sink, settings.password, NEVER_S if timeout_s is None else timeout_s)

    def _point_for(self, name: str) -> PublishPoint | None:
        """A name that nobody has opened for publishing: another stream's, a template's, or nobody's."""
        if name in self._streams:
            raise PublishRefused(NOT_PUBLISHABLE, f"{name} has no publish:// input.")
        settings = self.find(name)
        if settings is None or settings.disabled or name in self._stopping:
            return None
        running = self._start(settings)
        return self._point(running) if running.inputs.publish is not None else None

    async def remove(self, name: str) -> None:
        """Stop a stream; its recordings stay."""
        running = self._streams.pop(name, None)
        if running is None:
            return
        self.points.remove(name)
        stopped = self._stopping[name] = Deferred()
        try:
            await running.stop()
        finally:
            del self._stopping[name]
            stopped.callback(None)
        self.log.info("{stream} is stopped", stream=name)

    @staticmethod
    async def _all(work: Iterable[Awaitable[None]]) -> None:
        await gatherResults([Deferred.fromCoroutine(one) for one in work], consumeErrors=True)  # type: ignore[arg-type]

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._all([self.remove(name) for name in list(self._streams)]))


def without_retention(settings: StreamSettings) -> StreamSettings:
    """`settings` without what may change under a running stream: how much of its recordings to keep."""
    if settings.dvr is None:
        return settings
    dvr = replace(settings.dvr, expiration_s=None, storage_limit=None, disk_usage_limit=None)
    return replace(settings, dvr=dvr)
