"""
The whole server as one service: the only place that names everything.

    start   catalog and archive (recovery of open blobs) -> streams -> listeners -> READY=1
    stop    listeners -> streams (what came in is recorded, blobs closed) -> archive -> threads
    reload  the file is read again; a broken one leaves everything as it is, equal streams are not touched
"""
# mypy: allow-untyped-calls
# (twisted.application and twisted.internet.endpoints are not fully annotated)

from __future__ import annotations

import os
import signal
from threading import Event
from types import FrameType
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from flussdvr import __version__
from flussdvr.access.backend import HttpBackend
from flussdvr.access.geoip import Countries
from flussdvr.access.links import Links
from flussdvr.access.publishers import PublishersGate
from flussdvr.access.sessions import Sessions
from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.hold import Hold, hold_made
from flussdvr.clock.utc import Step, UtcClock
from flussdvr.clock.watch import ClockWatch
from flussdvr.config.errors import ConfigErrors
from flussdvr.config.load import load_config
from flussdvr.config.model import Bucket, Config, Listener
from flussdvr.control.administration import Administration
from flussdvr.control.reloads import Reloads
from flussdvr.control.streams import Streams
from flussdvr.database.thread import OPEN_S
from flussdvr.errors import DvrError
from flussdvr.events.events import Events
from flussdvr.events.types.server import (
    ConfigReloaded,
    ConfigReloadFailed,
    ServerStarted,
    ServerStarting,
    ServerStopped,
)
from flussdvr.export.exporter import Exporter
from flussdvr.export.file import ArchiveRoot, Place, PrivateRoot
from flussdvr.ingest.rtmp.listener import PublisherFactory
from flussdvr.monitoring.alarms import Alarms
from flussdvr.monitoring.metrics import Metrics
from flussdvr.playback.pictures.pictures import Pictures
from flussdvr.playback.playback import make_playback
from flussdvr.process.memory import TRIM_INTERVAL_S, settle, trim
from flussdvr.process.reactors import IReactorAll
from flussdvr.process.secret import Secret
from flussdvr.process.systemd import notify, watchdog_interval_s
from flussdvr.process.time_limits import TooSlow, within
from flussdvr.threads import Pool, ThreadWorker
from flussdvr.timeline import Range
from flussdvr.web.api.site import make_api
from flussdvr.web.http.auth import Gate, password_worker
from flussdvr.web.http.listeners import BACKLOG, Listeners
from flussdvr.web.http.sender import Sender
from flussdvr.web.http.site import Site
from flussdvr.web.media.gate import ViewersGate
from flussdvr.web.media.link_passes import LinkPass
from flussdvr.web.media.pictures import PictureSite
from flussdvr.web.media.publishing import HttpPublishers
from flussdvr.web.media.routes import MediaSite
from flussdvr.web.media.usage import WebRequests
from flussdvr.web.metrics import metrics_resource, openmetrics
from flussdvr.web.root import Root
from flussdvr.web.ui.files import BUILT, read_files
from flussdvr.web.ui.pages import Pages
from flussdvr.web.ui.session import session_resource
from flussdvr.web.ui.signin import SignedIn, SignIns

CPU_THREADS = max(1, (os.cpu_count() or 2) // 2)
SENDERS = 4
"""Threads that write to sockets what is in RAM; what is on a disk is sent by that disk's readers."""
EXPORTERS = 2
"""Threads that write exports to files."""
UPLOADERS = 4
"""Threads that send exports to object stores."""
UPLOADS_END_S = 3.0
"""How long the end of the server waits for stores to take back what is half sent."""
STOP_TIMEOUT_S = 20.0
"""A disk that hangs must not keep the process from ending; what is lost then is what a crash would lose."""
STATE_S = 3.0
"""How long the start waits for each of the files in `state_dir` besides the catalog."""
SILENT_S = 0.5
"""How long it waits for more of them, and for the catalog, where the first has not been there in time."""


class Server(MultiService):
    """flussdvr as `config` says it, read from `path` and again at every SIGHUP."""

    log = Logger()

    def __init__(self, reactor: IReactorAll, path: str, config: Config) -> None:
        super().__init__()
        self._reactor = reactor
        self._path = path
        self._ports: list[IListeningPort] = []
        self.listeners = Listeners()
        self._starting: Deferred[None] | None = None
        self._held: Hold | None = None
        self._passing = False
        """Whether what is signed by this server is worth nothing after it."""
        self._silent = False
        """Whether `state_dir` has not answered at the start."""
        self._reloads = Reloads(self.reload)
        self._sessions: Sessions | None = None
        self.clock = UtcClock()
        self.clock_watch = ClockWatch(self.clock, config.state_dir, reactor, lambda event: self.events.emit(event))
        self.cpu = Pool(reactor, "cpu", CPU_THREADS)
        self._state = ThreadWorker(reactor, "state", 100)
        """For the files in `state_dir`: its disk may hang, and others must not wait for it."""
        self._senders = Pool(reactor, "send", SENDERS)
        self._writers = Pool(reactor, "export", EXPORTERS)
        self._passwords = password_worker(reactor)
        self._uploaders = Pool(reactor, "upload", UPLOADERS)
        self._ending = Event()
        self.archive = Archive(
            config.state_dir,
            reactor,
            config.roots,
            lambda event: self.events.emit(event),
            self.clock.now_ms,
            wants=lambda event: self.events.wants(event),
            trusts_clock=lambda: self.clock.trusted_for_expiry,
        )
        self.events: Events = Events(reactor, self.clock.now_ms, self.archive.catalog.spool)
        self.usage = WebRequests(self.events.emit, self.clock.now_ms, lambda: self.config.trusted_proxies)
        self.clock_watch.subscribers.append(self._clock_stepped)
        self.administration = Administration(config, self.archive)
        self.streams = Streams(
            self.archive,
            reactor,
            self.clock.now_ms,
            lambda name: self.config.stream_for(name),
            self.events.emit,
            self.events.wants,
        )
        self.streams.on_time_and_date = lambda origin, time: self.clock.testify(origin, time.utc_ms, time.media_ms)
        self.administration.streams = self.streams
        self.countries = Countries(self.cpu)
        self.metrics = Metrics(self.streams, self.archive, self.events, self.usage, reactor, self.clock.now_ms)
        self.alarms = Alarms(
            *(self.streams, self.archive, self.events, self.metrics.latency, reactor, self.clock.now_ms),
            clock=self.clock,
        )
        self.addService(self.alarms)
        self.playback = make_playback(self.cpu, reactor, self.clock.now_ms)
        self.archive.range_deletions.on_delete = self._deleted
        self.pictures = Pictures(
            *(self.streams, self.archive.root, reactor, self.clock.now_ms),
            on_event=self.events.emit,
        )
        self.addService(self.pictures)
        self.addService(TimerService(TRIM_INTERVAL_S, lambda: self.cpu.do(trim)))
        if (interval_s := watchdog_interval_s()) is not None:
            self.addService(TimerService(interval_s, notify, "WATCHDOG=1"))

    def _deleted(self, name: str, spans: tuple[Range, ...], touching: bool) -> None:
        self.streams.deleted(name, spans, touching)
        self.playback.deletions.delete(name, spans, touching)

    def _clock_stepped(self, step: Step) -> None:
        self.archive.clock_stepped(step, proven=not self.clock.doubtful)
        self.streams.clock_stepped(step)

    @property
    def config(self) -> Config:
        """What the file says and the API has changed."""
        return self.administration.config

    # -- start ------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        previous = signal.getsignal(signal.SIGHUP)
        signal.signal(signal.SIGHUP, self._hangup)
        self._previous_hangup = previous
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._start_failed)

    async def _start(self) -> None:
        self._warn(self.config)
        self.events.emit(ServerStarting(version=__version__))
        holding = self._state.do(hold_made, self.config.state_dir, "a server")
        until = self._reactor.seconds() + STATE_S
        await self.clock_watch.load()
        await self._hold_state(holding, max(0.0, until - self._reactor.seconds()))
        await self.archive.open(SILENT_S if self._silent else OPEN_S)
        await self.events.apply(self.config.told)
        await self.countries.apply(self.config.geoip)
        self.archive.startService()
        await self.administration.load()
        self.streams.startService()
        await self._listen(self.config)
        settle()
        self.log.info(
            "flussdvr is ready: {streams} streams, {recorded} with recordings",
            streams=len(self.config.streams),
            recorded=len(list(self.archive.streams())),
        )
        self.metrics.latency.start()
        self.events.emit(ServerStarted(version=__version__))
        notify("READY=1")
        self._reloads.started()

    async def _hold_state(self, holding: Deferred[Hold], patience_s: float) -> None:
        """
        No other server uses the same `state_dir`. DvrError CONFLICT.

        Where it can't be held, because the disk is full or read-only or knows no locks, the server starts all the same;
        where the disk does not answer, too, and ends if that says later that another has it.
        """
        try:
            self._holds_state(await within(patience_s, holding, self._reactor))
        except OSError as error:
            self._not_held(error)
        except TooSlow:
            self._silent = True
            self._not_held(TooSlow(f"no answer for {STATE_S:.0f} s"))
            holding.addCallbacks(self._holds_state, self._not_held_later)

    def _holds_state(self, held: Hold) -> None:
        self._silent = False
        self._held = held
        if not held.real:
            self.log.warn("{path} knows no locks: another server may use it too", path=self.config.state_dir)

    def _not_held(self, error: Exception) -> None:
        path = self.config.state_dir
        self.log.error("{path} can't be held, another server may use it too: {error}", path=path, error=error)

    def _not_held_later(self, failure: Failure) -> None:
        if isinstance(failure.value, OSError):
            self._not_held(failure.value)
        else:
            self._start_failed(failure)

    def _start_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, OSError | CannotListenError | DvrError):
            self.log.critical("flussdvr can't start: {error}", error=str(failure.value))
        else:
            self.log.failure("flussdvr can't start", failure)
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    async def _listen(self, config: Config) -> None:
        site = await self._site()
        for listener in config.http:
            await self._open("http", listener, site)
        for listener in config.https:
            await self._open("https", listener, site)
        rtmp = PublisherFactory(self.streams.points, self._reactor)
        for listener in config.rtmp:
            await self._open("rtmp", listener, rtmp)

    async def _open(self, kind: str, listener: Listener, factory: Any) -> None:
        transport = "ssl" if kind == "https" else "tcp"
        port = await serverFromString(self._reactor, endpoint(transport, listener)).listen(factory)
        self._ports.append(port)
        host: Any = port.getHost()
        self.listeners.bound(kind, listener, host.port)
        self.log.info("{protocol} on {host}:{port}", protocol=kind.upper(), host=host.host, port=host.port)

    async def _site(self) -> Site:
        sender = Sender(self._reactor, self._senders)
        self._sessions = sessions = Sessions(
            self._reactor, self.clock.now_ms, self.events.emit, wants=self.events.wants
        )
        backend = HttpBackend(self._reactor)
        self.streams.bytes_out = sessions.bytes_out
        self.metrics.sessions = sessions
        self.streams.permit = PublishersGate(lambda: self.config, backend, self.clock.now_ms, self.countries.of).permit
        secret = await self._secret()
        trusts_clock = lambda: self.clock.trusted_for_expiry
        sign_ins = SignIns(lambda: self.config, secret, self.archive.catalog.sign_outs, self.clock.now_ms, trusts_clock)
        await sign_ins.load()
        gate = Gate(lambda: self.config, self._passwords, sign_ins, self._reactor.seconds, self.listeners)
        links = Links(
            secret.derive("links"), self.archive.catalog.links, self.clock.now_ms, self.events.emit, trusts_clock
        )
        await links.load()
        link_pass = LinkPass(links, secret.derive("viewers of links"), lambda: self.config)
        viewers = ViewersGate(
            *(lambda: self.config, self.streams, sessions, backend, self._reactor, self.clock.now_ms, self.cpu),
            passes=[link_pass, SignedIn(sign_ins, gate)],  # what a URL shows comes before what a browser sends unasked
            country=self.countries.of,
        )
        pictures = PictureSite(
            self.pictures, sender, lambda name: self.streams.settings(name) or self.config.stream_for(name)
        )
        media = MediaSite(
            *(
                self.streams,
                self.playback,
                sender,
                viewers,
                self.clock.now_ms,
                self.cpu,
                self.streams.settings,
                pictures,
            )
        )
        publishers = HttpPublishers(self.streams.points, self._reactor)
        exporter = Exporter(
            *(self.playback.exports, self._writers, self._uploaders),
            *(self._export_roots, self.events.emit, self._ending),
        )
        api, jobs = make_api(
            *(self.administration, self.archive, exporter, gate, self._reactor, self.clock.now_ms),
            viewers=viewers,
            links=links,
            events=self.events,
            alarms=self.alarms,
            utc_clock=self.clock,
            exposition=openmetrics(self.metrics, self.cpu),
            reload=self._reloads.ask,
        )
        await jobs.load()

        async def catalog_back() -> None:
            if self._passing:
                kept = await self._secret()
                sign_ins.use(kept)
                links.use_key(kept.derive("links"))
                link_pass.key = kept.derive("viewers of links")
            await self.administration.load()
            await sign_ins.load()
            await links.load()
            await jobs.load()

        self.archive.on_catalog_back = catalog_back
        metrics = metrics_resource(self.metrics, self.cpu, gate, self._reactor)
        files = await self.cpu.do(read_files, BUILT)
        session = session_resource(
            *(sign_ins, gate, lambda: self.config, self._reactor, self.clock.now_ms),
            on_end=lambda one: viewers.withdraw(one.key),
        )
        root = Root(media.resource(), api, metrics, Pages(files, sender, gate.hides), session)
        return Site(root, self._reactor, publishers, self.usage, lambda: self.config.access_log == "on")

    async def _secret(self) -> Secret:
        try:
            loading = self._state.do(Secret.load, self.config.state_dir)
            secret = await within(SILENT_S if self._silent else STATE_S, loading, self._reactor)
        except (OSError, TooSlow) as error:
            why = "no answer" if isinstance(error, TooSlow) else error
            self.log.error("no secret can be read or kept: sign-ins and links end with this server: {error}", error=why)
            self._passing = True
            return Secret.passing()
        self._passing = False
        return secret

    def _export_roots(self) -> list[Place | Bucket]:
        config = self.config
        # the last decides between equals: an export_root that is a DVR root has the archive's names in it
        return [PrivateRoot(config.state_dir), *config.export_roots, *map(ArchiveRoot, config.roots)]

    def _warn(self, config: Config) -> None:
        for warning in config.warnings:
            self.log.warn("{warning}", warning=str(warning))

    # -- reload -----------------------------------------------------------------------------------------------

    def _hangup(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reloads.ask)

    async def reload(self) -> None:
        """Read the configuration again; nothing changes if it is broken."""
        try:
            config = await self.cpu.do(load_config, self._path)
        except ConfigErrors as errors:
            for error in errors.errors:
                self.log.error("not reloaded: {error}", error=str(error))
            self.events.emit(ConfigReloadFailed(error=str(errors.errors[0])))
        else:
            await self._reload(config)

    async def _reload(self, config: Config) -> None:
        before = self.administration.file
        self._warn(config)
        for field in ("state_dir", "http", "https", "rtmp"):
            if getattr(before, field) != getattr(config, field):
                self.log.warn("{field} has changed: that takes a restart", field=field)
        await self.events.apply(config.told)
        await self.countries.apply(config.geoip)
        await self.administration.reload(config)
        self.events.emit(ConfigReloaded(path=self._path, streams=len(config.streams)))
        self.log.info("reloaded {path}: {streams} streams", path=self._path, streams=len(config.streams))

    # -- stop -------------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        notify("STOPPING=1")
        self._reloads.stop()
        signal.signal(signal.SIGHUP, self._previous_hangup)
        stopped = Deferred.fromCoroutine(self._stop())
        stopped.addTimeout(STOP_TIMEOUT_S, self._reactor)
        return stopped.addErrback(lambda failure: self.log.failure("stopping", failure))

    async def _stop(self) -> None:
        children: Deferred[Any] | None = super().stopService()
        if children is not None:
            await children
        if self._starting is not None:
            self._starting.cancel()
        self.metrics.latency.stop()
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        if self._sessions is not None:
            self._sessions.close_all("stopped")
        self._ending.set()
        await self.streams.stopService()
        uploads = self._uploaders.stop().addTimeout(UPLOADS_END_S, self._reactor)
        await uploads.addErrback(lambda failure: failure.trap(TimeoutError))
        self.events.emit(ServerStopped(version=__version__))
        await self.events.stop()  # before the archive: it closes the database
        await self.clock_watch.stop()
        await self.archive.stopService()
        if self._held is not None:
            await self._state.do(self._held.release).addTimeout(STATE_S, self._reactor).addErrback(lambda _: None)
        await self.cpu.stop()
        await self._senders.stop()
        await self._writers.stop()
        await self._passwords.stop()
        self.log.info("flussdvr has stopped")


def endpoint(kind: str, listener: Listener) -> str:
    """The endpoint description of a listener."""
    parts = [kind, str(listener.port), f"backlog={BACKLOG}"]
    if listener.address:
        parts.append("interface=" + listener.address.replace(":", r"\:"))
    if kind == "ssl":
        parts += [f"privateKey={listener.certificate_key}", f"certKey={listener.certificate}"]
    return ":".join(parts)


__all__ = ["Server", "endpoint"]
