# -*- test-case-name: tests.integration.test_metrics -*-
# mypy: allow-untyped-calls
# (twisted and prometheus_client are annotated only in part)
"""
What Prometheus asks: figures that the parts of the server have anyway, gathered when they are asked for.

    flussdvr_stream_*    viewers, recording, age of the newest fragment, gaps by reason, fragments written and dropped
    flussdvr_root_*      write queue, sync, space, how far back the disk will reach
    flussdvr_http_*      bytes sent by source, requests by status
    flussdvr_events_*    of each sink: waiting, sent, dropped
    flussdvr_reactor_*   how late the reactor is

docs/events.md lists them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr import __version__
from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.root import Root
from flussdvr.archive.forecast import Forecast, forecast
from flussdvr.control.streams import Streams
from flussdvr.events.events import Events
from flussdvr.process.callbacks import Periodic
from flussdvr.timeline import HOUR_MS, Range

DAY_MS = 24 * HOUR_MS
LATENCY_S = 0.25
LATEST = 240
"""Measurements of latency that are kept: the last minute."""
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Usage(Protocol):
    """What HTTP has sent: bytes of bodies by source, requests that are over by status."""

    totals: dict[str, int]
    requests: dict[int, int]


class ReactorLatency:
    """How much later than it should a timer of the reactor is called."""

    log = Logger()

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._due = 0.0
        self._latest: deque[float] = deque(maxlen=LATEST)
        self._loop = Periodic(reactor, self._measure, self.log, "measuring how late the reactor is")
        self.histogram = Histogram(
            "flussdvr_reactor_latency_seconds", "How late the reactor calls.", registry=None, buckets=BUCKETS
        )

    def start(self) -> None:
        self._due = self._reactor.seconds() + LATENCY_S
        self._loop.start(LATENCY_S, now=False)

    def stop(self) -> None:
        self._loop.stop()

    @property
    def worst_s(self) -> float:
        """The worst of the last minute."""
        return max(self._latest, default=0.0)

    def _measure(self) -> None:
        now = self._reactor.seconds()
        late = max(0.0, now - self._due)
        self.histogram.observe(late)
        self._latest.append(late)
        self._due = now + LATENCY_S


class Gathered:
    """What was gathered, as prometheus_client wants it; may be written in another thread."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> list[Metric]:
        return self._metrics

    def registry(self) -> CollectorRegistry:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry


class Viewers(Protocol):
    """Sessions by stream and protocol, and bytes that were sent by stream."""

    @property
    def counts(self) -> Mapping[tuple[str, str], int]: ...

    def bytes_out(self, name: str) -> int: ...


class Metrics:
    """`sessions` is given once there are any."""

    def __init__(
        self,
        streams: Streams,
        archive: Archive,
        events: Events,
        usage: Usage,
        reactor: IReactorTime,
        now_ms: Callable[[], int],
    ) -> None:
        self.latency = ReactorLatency(reactor)
        self._streams = streams
        self._archive = archive
        self._events = events
        self._usage = usage
        self._reactor = reactor
        self._now_ms = now_ms
        self.sessions: Viewers | None = None

    async def gather(self, streams_only: bool = False) -> Gathered:
        """In the reactor; only the free space is asked for in the disks' threads."""
        if streams_only:
            return Gathered(self._of_streams())
        asked = [(root, Deferred.fromCoroutine(self._forecast(root))) for root in self._archive.roots.values()]
        forecasts = [(root, await answer) for root, answer in asked]
        return Gathered(
            [
                gauge("flussdvr_info", "The version.", ("version",), [((__version__,), 1)]),
                *self._of_streams(),
                *self._of_roots(forecasts),
                *self._of_requests(),
                *self._of_sinks(),
                *self.latency.histogram.collect(),
            ]
        )

    # -- streams ----------------------------------------------------------------------------------------------

    def _of_streams(self) -> Iterator[Metric]:
        now = self._now_ms()
        names = self._streams.names()
        wanted = {name: entry for name in names if (entry := self._streams.entry(name)) and entry.recorder is not None}
        recorders = self._archive.recorders
        running = [(name, stream) for name in names if (stream := self._streams.live(name)) is not None]
        media = ("media",)
        yield gauge(
            "flussdvr_stream_alive", "Whether fragments come.", media, [((n,), int(s.alive)) for n, s in running]
        )
        yield counter("flussdvr_stream_in_bytes", "Media received.", media, [((n,), s.bytes_in) for n, s in running])
        recording = [
            ((name,), int(name in recorders and recorders[name].error is None and entry.stream.alive))
            for name, entry in wanted.items()
        ]
        yield gauge("flussdvr_stream_recording", "1 if a stream that should be recorded is.", media, recording)
        ages = [
            ((name,), (now - max(entry.stream.opened_at_ms, self._newest_ms(name))) / 1000)
            for name, entry in wanted.items()
        ]
        help_text = "Since the end of the newest recorded fragment, or since the stream was started."
        yield gauge("flussdvr_stream_last_fragment_age_seconds", help_text, media, ages)
        for what, help_text in (
            ("fragments_written", "Fragments written to the disk."),
            ("fragments_dropped", "Fragments that the disk was too slow for, or refused."),
            ("bytes_written", "Bytes written to the disk."),
        ):
            figures = [((name,), getattr(recorder, what)) for name, recorder in recorders.items()]
            yield counter(f"flussdvr_stream_{what}", help_text, media, figures)
        if (sessions := self.sessions) is not None:
            sent = [((name,), sessions.bytes_out(name)) for name in names]
            yield counter("flussdvr_stream_out_bytes", "Content sent to viewers.", media, sent)
            by = ("media", "proto")
            yield gauge("flussdvr_stream_sessions", "Who watches.", by, sessions.counts.items())
        yield self._gaps(now)
        yield from self._kept(now)

    def _newest_ms(self, name: str) -> int:
        archive = self._archive.stream(name)
        return archive.end_ms if archive is not None else 0

    def _gaps(self, now: int) -> Metric:
        day = Range(now - DAY_MS, now)
        figures = []
        for archive in self._archive.streams_of():
            seconds: dict[str, float] = {}
            for gap, reason in archive.gaps():
                if missing := gap.intersection(day):
                    seconds[reason] = seconds.get(reason, 0) + missing.duration_ms / 1000
            figures += [((archive.name, reason), value) for reason, value in seconds.items()]
        help_text = "Missing in the recordings of the last 24 hours."
        return gauge("flussdvr_stream_gap_seconds", help_text, ("media", "reason"), figures)

    def _kept(self, now: int) -> Iterator[Metric]:
        kept, wanted = [], []
        for archive in self._archive.streams_of():
            bounds = archive.bounds
            if bounds is not None:
                kept.append(((archive.name,), (now - bounds.begin_ms) / 1000))
            policy = self._archive.retention.policies.get(archive.name)
            if policy is not None and policy.expiration_s:
                wanted.append(((archive.name,), policy.expiration_s))
        yield gauge("flussdvr_stream_kept_seconds", "How far back the recordings reach.", ("media",), kept)
        yield gauge("flussdvr_stream_expiration_seconds", "How far back they should reach.", ("media",), wanted)

    # -- disks ------------------------------------------------------------------------------------------------

    async def _forecast(self, root: Root) -> Forecast | None:
        return await forecast(root, self._archive.streams_of(root.path), self._now_ms(), self._reactor)

    def _of_roots(self, forecasts: list[tuple[Root, Forecast | None]]) -> Iterator[Metric]:
        path = ("path",)
        roots = [root for root, _ in forecasts]
        yield gauge(
            "flussdvr_root_up",
            "Whether the disk can be written.",
            path,
            [((root.path,), int(root.uuid is not None and root.error is None)) for root in roots],
        )
        for name, help_text, attribute in (
            ("flussdvr_root_queue_bytes", "What waits to be written.", "queued_bytes"),
            ("flussdvr_root_queue_fragments", "Fragments that wait to be written.", "queued_count"),
            ("flussdvr_root_sync_seconds", "How long the last fdatasync of all open blobs took.", "sync_s"),
        ):
            yield gauge(name, help_text, path, [((root.path,), getattr(root, attribute)) for root in roots])
        known = [((root.path,), found) for root, found in forecasts if found is not None]
        yield gauge("flussdvr_root_size_bytes", "The disk.", path, [(p, f.usage.total) for p, f in known])
        yield gauge("flussdvr_root_free_bytes", "Free on it.", path, [(p, f.usage.free) for p, f in known])
        yield gauge("flussdvr_root_recorded_bytes", "Recordings.", path, [(p, f.recorded) for p, f in known])
        rates = [(p, f.rate) for p, f in known]
        yield gauge("flussdvr_root_recording_bytes_per_second", "Recorded in the last hour.", path, rates)
        full = [(p, f.full_s) for p, f in known if f.full_s is not None]
        yield gauge("flussdvr_root_full_seconds", "Until it is full at this rate, if nothing expired.", path, full)
        depth = [(p, f.depth_s) for p, f in known if f.depth_s is not None]
        yield gauge("flussdvr_root_depth_seconds", "How far back it can reach at this rate.", path, depth)

    # -- the rest ---------------------------------------------------------------------------------------------

    def _of_requests(self) -> Iterator[Metric]:
        sent = [((source,), count) for source, count in self._usage.totals.items()]
        yield counter("flussdvr_http_sent_bytes", "Bytes of bodies that left.", ("source",), sent)
        requests = [((str(status),), count) for status, count in sorted(self._usage.requests.items())]
        yield counter("flussdvr_http_requests", "Requests that are over.", ("status",), requests)

    def _of_sinks(self) -> Iterator[Metric]:
        sinks = self._events.sinks
        sink = ("sink",)
        up = [((name,), int(one.error is None)) for name, one in sinks.items()]
        yield gauge("flussdvr_events_up", "Whether the sink takes its events.", sink, up)
        yield gauge("flussdvr_events_waiting", "Not delivered yet.", sink, [((n,), len(s)) for n, s in sinks.items()])
        yield counter("flussdvr_events_sent", "Delivered.", sink, [((n,), s.sent) for n, s in sinks.items()])
        yield counter("flussdvr_events_dropped", "Too many.", sink, [((n,), s.dropped) for n, s in sinks.items()])


Figures = Iterable[tuple[tuple[str, ...], float]]


def gauge(name: str, documentation: str, labels: tuple[str, ...], figures: Figures) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for values, figure in figures:
        family.add_metric(list(values), figure)
    return family


def counter(name: str, documentation: str, labels: tuple[str, ...], figures: Figures) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=labels)
    for values, figure in figures:
        family.add_metric(list(values), figure)
    return family
