"""
The running streams: of each, its inputs, its live window and its recorder, as the configuration wants them.

    StreamSettings -> Running:  Inputs -> Stream -> Recorder
                                publish:// inputs are open to publishers through `points`

`apply` is given what should run and changes only what differs: a stream whose settings are equal is not touched, and
one whose inputs and segments are the same is not interrupted: only its recorder is exchanged if the dvr is another,
and nothing at all happens to it if only the retention is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from flussdvr.archive.misdated import FUTURE_MS
from flussdvr.archive.ports import ClosingRecorder, Fragment, Recordings, StreamArchive
from flussdvr.archive.schedule import ScheduledRecorder
from flussdvr.archive.streams.numbering import first_discontinuity
from flussdvr.clock.utc import Step
from flussdvr.config.model import AuthSettings, DvrSettings, StreamSettings
from flussdvr.config.overrides import check_neighbours
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.streams import (
    CloseReason,
    SourceUpdated,
    StreamClosed,
    StreamOpened,
    StreamUpdated,
    UpdateReason,
)
from flussdvr.ingest.inputs import Inputs
from flussdvr.ingest.publish.publications import (
    NOT_PUBLISHABLE,
    Offer,
    Permit,
    PublishPoint,
    PublishPoints,
    PublishRefused,
)
from flussdvr.ingest.source import program_of
from flussdvr.live.stream import Recorder, Stream
from flussdvr.live.window import Deleted, LiveWindow
from flussdvr.media import TimeAndDate
from flussdvr.process.callbacks import Periodic
from flussdvr.process.reactors import IReactorAll
from flussdvr.process.time_limits import TooSlow, begun, within
from flussdvr.timeline import Range

NEVER_S = 365 * 86_400.0
STOP_S = 8.0
"""How long the end of a stream or of its recording is waited for."""
UPDATE_S = 60
REMEMBERED = 10_000
"""Stopped streams whose number of discontinuities is kept, should they start again."""
"""So often it is told how much comes in and goes out."""

PermitPublisher = Callable[[AuthSettings, str, str, str, str | None], Awaitable[str | None]]
"""Of `on_publish`, the stream's name, protocol, peer, password: why not, or `None`."""


@dataclass(slots=True)
class Running:
    """One stream and what belongs to it while it runs."""

    settings: StreamSettings
    stream: Stream
    inputs: Inputs
    recorder: ClosingRecorder[Fragment] | None

    @property
    def recording(self) -> Recorder | None:
        """What the stream writes to: its recorder, within the hours of its schedule."""
        return self.stream.recorder

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
    `permit` is asked about publishers of streams with `on_publish`; while it is `None` nobody may publish to them.
    `wants` says of an event that comes again and again whether anybody wants it; `bytes_out(name)` is what viewers have
    been sent.
    """

    log = Logger()

    def __init__(
        self,
        archive: Recordings,
        reactor: IReactorAll,
        utc_ms: Callable[[], int],
        find: Callable[[str], StreamSettings | None] = lambda name: None,
        on_event: OnEvent = lambda event: None,
        wants: Callable[[str], bool] = lambda event: True,
    ) -> None:
        self.points = PublishPoints(self._offer_for)
        self.bytes_out: Callable[[str], int] = lambda name: 0
        self.on_time_and_date: Callable[[str, TimeAndDate], None] = lambda origin, time: None
        """Called with what the sources of the streams state of the time, see `Inputs.on_time_and_date`."""
        self.find = find
        self.permit: PermitPublisher | None = None
        self._archive = archive
        self._reactor = reactor
        self._utc_ms = utc_ms
        self._on_event = on_event
        self._wants = wants
        self._updates = Periodic(reactor, self._tell_updates, self.log, "telling how much comes and goes")
        self._streams: dict[str, Running] = {}
        self._stopping: dict[str, Deferred[None]] = {}
        self._closing: dict[str, Deferred[None]] = {}
        self._next: dict[str, StreamSettings] = {}
        self.stuck: dict[str, DvrError] = {}
        """Streams of which something does not end, and on which disk: it is finished when that answers."""
        self._discontinuities: dict[str, int] = {}

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
        """The names of all streams, running or only recorded, in order."""
        return sorted({*self._streams, *self._archive.streams()})

    # -- what should run --------------------------------------------------------------------------------------

    async def apply(self, wanted: Mapping[str, StreamSettings]) -> None:
        """Start, stop and restart streams until these run, and those that a template made on demand."""
        names = {*self._streams, *wanted}
        await self._all(self.put(name, self._wanted(name, wanted)) for name in names)

    async def put(self, name: str, settings: StreamSettings | None) -> None:
        """
        Make one stream run with `settings`, or not at all for `None`.

        What need not be interrupted is not. A stream whose input can't be made does not run, and that is logged.
        """
        running = self._streams.get(name)
        if settings is None or settings.disabled:
            await self.remove(name, "removed" if settings is None else "disabled")
            return
        if running is not None and what_interrupts(running.settings) == what_interrupts(settings):
            await self._change(running, settings)
            return
        await self.remove(name, "reconfigured")
        try:
            await self.start(settings)
        except ValueError as error:  # a bad option of one stream must not stop the others
            self.log.error("{stream} does not start: {error}", stream=name, error=str(error))

    def check(self, settings: StreamSettings) -> None:
        """Whether the inputs can be made. Raises `ValueError` with a sentence for the operator."""
        nobody: Any = None
        Inputs(settings.inputs, nobody, self._reactor, settings.input_timeout_s, settings.name)

    async def restart(self, name: str) -> bool:
        """Stop a stream and start it again; publishers have to come back. Whether it was running."""
        running = self._streams.get(name)
        if running is None:
            return False
        await self.remove(name, "restarted")
        await self.start(running.settings)
        return True

    async def _change(self, running: Running, settings: StreamSettings) -> None:
        """Other settings for a stream that goes on."""
        before, running.settings = running.settings, settings
        if before != settings:
            self._tell_update(running, "reconfigured")
        if what_is_recorded(before) == what_is_recorded(settings):
            return
        old, running.recorder, running.stream.recorder = running.recorder, None, None
        if old is not None:
            self._closing[settings.name] = Deferred()
            await self._patiently(settings.name, before, begun(self._exchange(running, old)))
        elif settings.name not in self._closing:  # else what is wanted by then comes after it
            self._attach(running)

    async def _exchange(self, running: Running, old: ClosingRecorder[Fragment]) -> None:
        """Another recorder, once the old one is closed."""
        name = running.settings.name
        try:
            await old.close()
        finally:
            self._closing.pop(name).callback(None)
        if self._streams.get(name) is running:
            self._attach(running)

    def _attach(self, running: Running) -> None:
        if running.recorder is None:
            running.recorder = self._recorder(running.settings)
            running.stream.recorder = self._scheduled(running.recorder, running.settings)

    async def _patiently(self, name: str, settings: StreamSettings, work: Deferred[None]) -> bool:
        """Wait for the end of a recording, but not for ever: whether it has come. If not, it goes on."""
        try:
            await within(STOP_S, work, self._reactor)
            return True
        except TooSlow:
            root = settings.dvr.root if settings.dvr is not None else "an input"
            title = f"{root} has not closed the recording of {name} within {STOP_S:.0f} s; the rest follows"
            self.stuck[name] = DvrError(Kind.UNAVAILABLE, "disk_slow", title)
            self.log.error("{title}", title=title)
            work.addErrback(lambda failure: self.log.failure("stopping {stream}", failure, stream=name))
            work.addBoth(lambda _: self._unstuck(name))
            return False

    def _unstuck(self, name: str) -> None:
        if self.stuck.pop(name, None) is not None:
            self.log.info("{stream}: what could not be stopped has stopped", stream=name)

    def _recorder(self, settings: StreamSettings) -> ClosingRecorder[Fragment] | None:
        dvr = settings.dvr
        return self._archive.recorder(settings.name, dvr) if dvr is not None and not dvr.offline else None

    def _scheduled(self, recorder: ClosingRecorder[Fragment] | None, settings: StreamSettings) -> Recorder | None:
        schedule = settings.dvr.schedule if settings.dvr is not None else ()
        return ScheduledRecorder(recorder, schedule) if recorder is not None and schedule else recorder

    def _wanted(self, name: str, wanted: Mapping[str, StreamSettings]) -> StreamSettings | None:
        settings = wanted.get(name) or self.find(name)
        return None if settings is None or settings.disabled else settings

    async def start(self, settings: StreamSettings) -> None:
        """
        Run a stream, if it does not run yet; where an earlier one of that name is still stopping, after that. Raises
        `ValueError` for an input that can't be made.
        """
        name = settings.name
        if name in self._stopping:
            self._next[name] = settings
        elif name not in self._streams:
            self._start(settings)

    def _start(self, settings: StreamSettings) -> Running:
        name = settings.name
        recorded = self._archive.stream(name)
        stream = Stream(
            name,
            settings.segment_duration_ms,
            settings.segment_count,
            None,
            self._utc_ms,
            recorded.end_ms if recorded is not None else 0,
            self._on_event,
        )
        stream.window.discontinuity_sequence = self._next_discontinuity(name)
        stream.floor_ms = lambda: self._floor_ms(name)
        stream.window.is_recorded = lambda range: self._is_recorded(name, range)
        inputs = Inputs(settings.inputs, stream, self._reactor, settings.input_timeout_s, name, on_event=self._on_event)
        inputs.on_time_and_date = lambda origin, time: self.on_time_and_date(origin, time)
        recorder = self._recorder(settings)  # not before the inputs: they may turn out to be impossible
        stream.recorder = self._scheduled(recorder, settings)
        running = self._streams[name] = Running(settings, stream, inputs, recorder)
        if inputs.publish is not None:
            self.points.add(self._point(running))
        self._on_event(StreamOpened(media=name))
        inputs.startService()
        self.log.info("{stream} is started", stream=name)
        return running

    def _next_discontinuity(self, name: str) -> int:
        """For the live list of a stream that begins: players may know its recordings, and how it ran before."""
        archive, before = self._archive.stream(name), self._discontinuities.get(name, 0)
        recorded = archive.discontinuity + 1 if archive is not None and archive.discontinuity else 0
        return max(before, recorded) or first_discontinuity(self._utc_ms())

    def _floor_ms(self, name: str) -> int:
        """The end of what is recorded. One far in the future is a fault that is set aside, and no floor."""
        archive = self._archive.stream(name)
        if archive is None:
            return 0
        if archive.end_ms > self._utc_ms() + FUTURE_MS:
            self._archive.set_aside_future(name)
        return archive.end_ms

    def clock_stepped(self, step: Step) -> None:
        """The server's time has stepped."""
        for running in self._streams.values():
            running.stream.clock_stepped(step.shift_ms)

    def _is_recorded(self, name: str, range: Range) -> bool:
        archive = self._archive.stream(name)
        return archive is not None and archive.ranges(range).covers(range)

    def deleted(self, name: str, spans: tuple[Range, ...], touching: bool) -> None:
        """Somebody has deleted these ranges: the live window forgets them. See `live.window.Deleted`."""
        running = self._streams.get(name)
        if running is not None:
            running.stream.window.delete(Deleted(spans, touching))

    def _point(self, running: Running) -> PublishPoint:
        settings, sink = running.settings, running.inputs.publish
        assert sink is not None
        permit = self._permit(lambda: running.settings)
        return PublishPoint(
            settings.name,
            sink,
            settings.password,
            silence_s(settings),
            permit=permit,
            on_published=sink.published_by,
            program=program_of(sink.options, sink.url),
        )

    def _permit(self, settings: Callable[[], StreamSettings]) -> Permit:
        def permit(proto: str, peer: str, password: str | None) -> Awaitable[str | None] | None:
            now = settings()
            if now.on_publish is None:
                return None
            if self.permit is None:
                raise PublishRefused(NOT_PUBLISHABLE, "Nobody can be asked who may publish.")
            return self.permit(now.on_publish, now.name, proto, peer, password)

        return permit

    def _offer_for(self, name: str) -> Offer | None:
        """A name that nobody has opened for publishing: another stream's, a template's, or nobody's."""
        if name in self._streams:
            raise PublishRefused(NOT_PUBLISHABLE, f"{name} has no publish:// input.")
        settings = self._publishable(name)
        if settings is None:
            return None

        def begin() -> PublishPoint:
            point = self.points.point(name)
            if point is None and name not in self._streams and self._publishable(name) == settings:
                try:
                    check_neighbours(name, set(self.names()))
                    self._start(settings)
                except DvrError as error:
                    raise PublishRefused(NOT_PUBLISHABLE, error.title) from None
                except ValueError as error:
                    self.log.error("{stream} does not start: {error}", stream=name, error=str(error))
                point = self.points.point(name)
            if point is None:
                raise PublishRefused(NOT_PUBLISHABLE, f"{name} can't be published now.")
            return point

        permit = self._permit(lambda: settings)
        program = next((program_of(one.options) for one in settings.inputs if one.url.startswith("publish://")), None)
        return Offer(name, settings.password, silence_s(settings), permit, begin, program)

    def _publishable(self, name: str) -> StreamSettings | None:
        """The settings that a template has for publishers of this name, if a stream can be made of them now."""
        settings = self.find(name)
        if settings is None or settings.disabled or name in self._stopping:
            return None
        return settings if any(one.url.startswith("publish://") for one in settings.inputs) else None

    async def remove(self, name: str, reason: CloseReason = "removed") -> None:
        """
        Stop a stream; its recordings stay. `reason`: one word for the event. Returns after `STOP_S` at the latest: what
        takes longer goes on, and is in `stuck`.
        """
        self._next.pop(name, None)
        running = self._streams.pop(name, None)
        if running is None:
            return
        self.points.remove(name)
        self._stopping[name] = Deferred()
        await self._patiently(name, running.settings, begun(self._stop(name, running, reason)))

    async def _stop(self, name: str, running: Running, reason: CloseReason) -> None:
        try:
            await running.stop()
            if name in self._closing:
                waiter: Deferred[None] = Deferred()
                self._closing[name].chainDeferred(waiter)
                await waiter
        finally:
            self._remember_discontinuities(name, running.stream.window)
            self._stopping.pop(name).callback(None)
            self.log.info("{stream} is stopped", stream=name)
            self._tell_closed(running, reason)
            self._start_next(name)

    def _start_next(self, name: str) -> None:
        """What was wanted while the stream before was stopping."""
        settings = self._next.pop(name, None)
        if settings is not None and name not in self._streams:
            try:
                self._start(settings)
            except (ValueError, DvrError) as error:
                self.log.error("{stream} does not start: {error}", stream=name, error=str(error))

    def _remember_discontinuities(self, name: str, window: LiveWindow) -> None:
        self._discontinuities.pop(name, None)
        self._discontinuities[name] = window.next_discontinuity_sequence
        while len(self._discontinuities) > REMEMBERED:
            del self._discontinuities[next(iter(self._discontinuities))]

    # -- what is told about them ------------------------------------------------------------------------------

    def _tell_closed(self, running: Running, reason: CloseReason) -> None:
        stream = running.stream
        closed = StreamClosed(
            media=stream.name,
            reason=reason,
            opened_at=stream.opened_at_ms,
            bytes_in=stream.bytes_in,
            bytes_out=self.bytes_out(stream.name),
        )
        self._on_event(closed)

    def _tell_update(self, running: Running, reason: UpdateReason) -> None:
        stream = running.stream
        if self._wants(StreamUpdated.event):
            updated = StreamUpdated(
                media=stream.name,
                reason=reason,
                alive=stream.alive,
                opened_at=stream.opened_at_ms,
                bytes_in=stream.bytes_in,
                bytes_out=self.bytes_out(stream.name),
            )
            self._on_event(updated)

    def _tell_updates(self) -> None:
        with self.log.failuresHandled("telling how much comes in"):
            if self._wants(SourceUpdated.event):
                for running in self._streams.values():
                    running.inputs.tell_updates(UPDATE_S)
            if self._wants(StreamUpdated.event):
                for running in self._streams.values():
                    self._tell_update(running, "interval")

    @staticmethod
    async def _all(work: Iterable[Awaitable[None]]) -> None:
        await gatherResults([Deferred.fromCoroutine(one) for one in work], consumeErrors=True)  # type: ignore[arg-type]

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._updates.start(UPDATE_S, now=False)

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        self._updates.stop()
        return Deferred.fromCoroutine(self._all([self.remove(name, "stopped") for name in list(self._streams)]))


def silence_s(settings: StreamSettings) -> float:
    """So long a publisher may send nothing."""
    return NEVER_S if settings.input_timeout_s is None else settings.input_timeout_s


def what_interrupts(settings: StreamSettings) -> tuple[object, ...]:
    """What of a stream's settings can't change while it runs."""
    return (
        settings.inputs,
        settings.segment_duration_ms,
        settings.segment_count,
        settings.input_timeout_s,
        settings.password,
    )


def what_is_recorded(settings: StreamSettings) -> DvrSettings | None:
    """The dvr without what may change under a recorder: how much of the recordings to keep."""
    dvr = settings.dvr
    if dvr is None:
        return None
    return replace(dvr, expiration_s=None, storage_limit=None, disk_usage_limit=None, copy=None, name=None)
