# -*- test-case-name: tests.monitoring.test_alarms -*-
# mypy: allow-untyped-calls
# (Service is not annotated)
"""
What is wrong now, as sentences for those who are on duty.

    state of streams, roots, sinks, reactor --look, each 5 s--> findings --hysteresis--> alarms

    recording_stopped  gap  source_lost  source_crashed  track_left_out  writes_dropped      of a stream
    root_failed  root_joining  root_full  root_soon_full  root_short  writes_slow      of a disk
    deletion_failed  deletion_left  deletion_pending  change_pending  stream_in_use
    catalog_failed  catalog_rebuilt  catalog_nonsense  sink_failed  server_busy  clock_stepped  clock_unproven
    clock_contradicted  recordings_misdated

A finding becomes an alarm when it has been there for its `after_s`, and is one until it has not been for its `hold_s`:
what comes and goes is one alarm. One trouble is one alarm: a stream whose source is lost is not recorded, and that it
is not recorded, and why, is what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.root import Root
from flussdvr.archive.forecast import Forecast, forecast
from flussdvr.archive.ports import StreamArchive
from flussdvr.archive.schedule import scheduled_since
from flussdvr.clock.utc import UtcClock
from flussdvr.control.streams import Running, Streams
from flussdvr.database.catalog import CatalogState
from flussdvr.errors import Kind
from flussdvr.events.events import Events
from flussdvr.logs.redaction import redact_url
from flussdvr.monitoring.metrics import ReactorLatency
from flussdvr.process.callbacks import Periodic

CRITICAL, WARNING = "critical", "warning"
LOOK_S = 5.0
FORECAST_S = 30.0
GAP_MS = 10_000
"""Fragments have about a second: so much later than the last one, something is missing."""
STOPPED_MS = 30_000
SOON_S = 24 * 3600
MEASURED_S = 600
"""Rates of less than this are not worth an alarm."""
SLOW_SHARE = 4
"""So much of the write queue may be taken."""
SLOW_DELETION_S = 60.0
"""A disk that takes so long for a deletion hangs."""
BUSY_S = 1.0
PUBLISHED_MS = 24 * 3600 * 1000
"""So long it is news that a stream which others publish is not published any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with a stream (`media`), a storage root, an event sink, or the server."""

    code: str
    severity: str
    title: str
    media: str | None = None
    root: str | None = None
    sink: str | None = None
    since_ms: int | None = None
    after_s: float = 0.0
    hold_s: float = 0.0

    @property
    def id(self) -> str:
        subject = self.media or self.root or self.sink
        return self.code if subject is None else f"{self.code}:{subject}"


@dataclass(slots=True)
class Alarm:
    """`since_ms`: when it began, as far as is known; `found_ms`, `seen_ms`: when it was first and last found."""

    finding: Finding
    found_ms: int
    seen_ms: int

    @property
    def since_ms(self) -> int:
        return self.found_ms if self.finding.since_ms is None else self.finding.since_ms

    def document(self) -> dict[str, Any]:
        finding = self.finding
        names = {"media": finding.media, "root": finding.root, "sink": finding.sink}
        return {
            "id": finding.id,
            "severity": finding.severity,
            "code": finding.code,
            **names,
            "since": self.since_ms,
            "title": finding.title,
        }


@dataclass(slots=True)
class Hysteresis:
    """Findings on their way to alarms."""

    alarms: dict[str, Alarm] = field(default_factory=dict)

    def look(self, findings: Iterable[Finding], now_ms: int) -> list[Alarm]:
        """What is found now; the alarms that there are, the worst and then the oldest first."""
        found = {finding.id: finding for finding in findings}
        for alarm in self.alarms.values():  # after a clock that was put back nothing has been found in the future
            alarm.found_ms, alarm.seen_ms = min(alarm.found_ms, now_ms), min(alarm.seen_ms, now_ms)
        for finding in found.values():
            alarm = self.alarms.setdefault(finding.id, Alarm(finding, now_ms, now_ms))
            alarm.finding, alarm.seen_ms = finding, now_ms
        for id, alarm in list(self.alarms.items()):
            began = alarm.seen_ms - alarm.found_ms >= alarm.finding.after_s * 1000
            hold_ms = alarm.finding.hold_s * 1000 if began else 0
            if id not in found and now_ms - alarm.seen_ms >= hold_ms:
                del self.alarms[id]
        there = [alarm for alarm in self.alarms.values() if now_ms - alarm.found_ms >= alarm.finding.after_s * 1000]
        return sorted(there, key=lambda alarm: (alarm.finding.severity != CRITICAL, alarm.since_ms, alarm.finding.id))


class Alarms(Service):
    """`now()` is what is wrong. As a service it looks by itself, so that it knows since when."""

    log = Logger()

    def __init__(
        self,
        streams: Streams,
        archive: Archive,
        events: Events,
        latency: ReactorLatency,
        reactor: IReactorTime,
        now_ms: Callable[[], int],
        clock: UtcClock | None = None,
    ) -> None:
        self._streams = streams
        self._archive = archive
        self._events = events
        self._latency = latency
        self._reactor = reactor
        self._now_ms = now_ms
        self._clock = clock
        self._hysteresis = Hysteresis()
        self._forecasts: dict[str, Forecast | None] = {}
        self._dropped: dict[str, tuple[int, int]] = {}
        self._look = Periodic(reactor, self._look_by_itself, self.log, "looking for what is wrong")
        self._ask = Periodic(reactor, self._ask_by_itself, self.log, "asking the disks for their space")

    def startService(self) -> None:
        super().startService()
        self._look.start(LOOK_S, now=False)
        self._ask.start(FORECAST_S, now=False)

    def stopService(self) -> None:
        super().stopService()
        self._look.stop()
        self._ask.stop()

    def now(self) -> list[Alarm]:
        return self._hysteresis.look(self._findings(), self._now_ms())

    async def ask_disks(self) -> None:
        """How much space there is; the disks are asked in their threads."""
        for root in list(self._archive.roots.values()):
            archives = self._archive.streams_of(root.path)
            self._forecasts[root.path] = await forecast(root, archives, self._now_ms(), self._reactor)

    def _ask_by_itself(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.ask_disks())

    def _look_by_itself(self) -> None:
        self.now()

    def _findings(self) -> Iterator[Finding]:
        now_ms = self._now_ms()
        for root in self._archive.roots.values():
            yield from self._of_root(root)
        yield from _of_catalog(self._archive.catalog.state())
        yield from self._of_range_deletions()
        for name, error in self._streams.stuck.items():
            yield Finding("change_pending", WARNING, error.title, media=name)
        for name in self._streams.names():
            if (entry := self._streams.entry(name)) is not None:
                yield from self._of_stream(name, entry, now_ms)
        for archive in self._archive.streams_of():  # whether or not they run, or are configured still
            if archive.misdated:
                yield _of_misdated(archive.name, archive)
        for name, sink in self._events.sinks.items():
            if sink.error is not None:
                url = redact_url(sink.settings.url)
                lost = f", {sink.dropped} are lost" if sink.dropped else ""
                title = f"The event sink {name} ({url}) takes nothing: {sink.error}; {len(sink)} events wait{lost}"
                yield Finding("sink_failed", WARNING, title, sink=name, hold_s=10)
        if self._clock is not None:
            yield from _of_clock(self._clock)
        if (late_s := self._latency.worst_s) > BUSY_S:
            title = f"The server is too busy: it was {late_s:.1f} s late within the last minute"
            yield Finding("server_busy", WARNING, title)

    # -- streams ----------------------------------------------------------------------------------------------

    def _of_stream(self, name: str, entry: Running, now_ms: int) -> Iterator[Finding]:
        settings, stream = entry.settings, entry.stream
        for branch in entry.inputs.branches:
            if (crash := branch.input.crash) is not None:
                title = f"{name}: {branch.input.shown_url} was opened anew after an {crash}"
                yield Finding("source_crashed", WARNING, title, media=name)
                break
        if serious := [str(one) for one in stream.left_out if one.serious]:
            yield Finding("track_left_out", WARNING, f"{name}: {'; '.join(serious)}", media=name, hold_s=10)
        if is_unpublished(entry):
            archive = self._archive.stream(name)
            since_ms = max(stream.last_fragment_ms or 0, archive.end_ms if archive is not None else 0)
            if GAP_MS < now_ms - since_ms < PUBLISHED_MS:
                title = f"{name} has not been published for {span(now_ms - since_ms)}"
                yield Finding("source_lost", WARNING, title, media=name, since_ms=since_ms)
            return
        opened_ms = scheduled_since(settings.dvr.schedule, now_ms) if settings.dvr is not None else None
        if entry.recorder is None or opened_ms is None:
            if (
                not stream.alive
                and now_ms - (since_ms := max(stream.opened_at_ms, stream.last_fragment_ms or 0)) > GAP_MS
            ):
                title = f"{name} has had no source for {span(now_ms - since_ms)}: {why_silent(entry)}"
                yield Finding("source_lost", WARNING, title, media=name, since_ms=since_ms)
                return
        else:
            archive = self._archive.stream(name)
            recorded_ms = archive.end_ms if archive is not None else 0
            since_ms = max(stream.opened_at_ms, opened_ms, recorded_ms)
            age_ms, why = now_ms - since_ms, self._why_not_recorded(name, entry)
            if age_ms > STOPPED_MS:
                title = f"{name} has not been recorded for {span(age_ms)}: {why}"
                yield Finding("recording_stopped", CRITICAL, title, media=name, since_ms=since_ms)
                return
            if age_ms > GAP_MS:
                title = f"{name} has a gap of {span(age_ms)} so far: {why}"
                yield Finding("gap", WARNING, title, media=name, since_ms=since_ms)
                return
            yield from self._drops(name)
        active = entry.inputs.active
        better = [one for one in entry.inputs.branches if active is not None and one.index < active.index]
        if active is not None and better:
            lost = better[0].input
            title = (
                f"{name} is fed by {active.input.shown_url}: {lost.shown_url} fails, {lost.reason or 'is not steady'}"
            )
            yield Finding("source_lost", WARNING, title, media=name, hold_s=10)

    def _why_not_recorded(self, name: str, entry: Running) -> str:
        recorder = self._archive.recorders.get(name)
        if recorder is not None:
            error = recorder.error or recorder.root.error
            if error is not None:
                return error.title
        return "what arrives is not written" if entry.stream.alive else why_silent(entry)

    def _drops(self, name: str) -> Iterator[Finding]:
        recorder = self._archive.recorders.get(name)
        if recorder is None:
            return
        count = recorder.fragments_dropped
        before, base = self._dropped.get(name, (count, count))
        if base > count:  # another recorder
            before = base = 0
        code = "writes_dropped"
        if f"{code}:{name}" not in self._hysteresis.alarms:
            base = before
        self._dropped[name] = count, base
        if count > before:
            lost = "fragment was" if count - base == 1 else "fragments were"
            path, error = recorder.root.path, recorder.error or recorder.root.error
            is_full = self._is_full(path) or (error is not None and error.kind is Kind.NO_SPACE)
            why = "is full" if is_full else "is too slow, or fails"
            title = f"{count - base} {lost} not written of {name}: the disk of {path} {why}"
            yield Finding(code, WARNING, title, media=name, hold_s=60)

    # -- disks ------------------------------------------------------------------------------------------------

    def _of_root(self, root: Root) -> Iterator[Finding]:
        path = root.path
        if root.uuid is None or root.error is not None:
            why = "it does not answer" if root.error is None else root.error.title
            yield Finding("root_failed", CRITICAL, f"Nothing can be recorded on {path}: {why}", root=path, after_s=10)
            return
        if root.step is not None:
            title = f"Not all that is recorded on {path} is listed yet: {root.step}"
            yield Finding("root_joining", WARNING, title, root=path, after_s=10)
        yield from self._of_deletion(path)
        if root.queued_bytes > root.limit_bytes // SLOW_SHARE and not self._is_full(path):
            title = f"The disk of {path} is too slow: {size(root.queued_bytes)} wait to be written"
            yield Finding("writes_slow", WARNING, title, root=path, hold_s=10)
        found = self._forecasts.get(path)
        if found is None:
            return
        if self._is_full(path):
            other = max(0, found.usage.used - found.recorded)
            eaten = f"recordings have {size(found.recorded)}, other files {size(other)}"
            title = f"{path} is full: {size(found.usage.free)} are free, {eaten}; the oldest recordings have to go"
            yield Finding("root_full", CRITICAL, title, root=path, after_s=60, hold_s=60)
        else:
            yield from self._of_future(path, found)

    def _is_full(self, path: str) -> bool:
        """Whether less than the reserve is free; what does not get onto such a disk is not the disk's slowness."""
        found = self._forecasts.get(path)
        return found is not None and found.usage.free < found.usage.reserve * 9 // 10

    def _of_deletion(self, path: str) -> Iterator[Finding]:
        deletion = self._archive.deletion
        waiting_s = deletion.waiting_s(path)
        if (trouble := deletion.trouble(path)) is not None:
            title = f"Nothing can be deleted on {path}, so that it will be full: {trouble.title}"
            yield Finding("deletion_failed", CRITICAL, title, root=path)
        elif waiting_s > SLOW_DELETION_S:
            title = f"The disk of {path} has not answered to a deletion for {span(int(waiting_s * 1000))}"
            yield Finding("deletion_failed", CRITICAL, title, root=path)
        if (count := deletion.left(path)) > 0:
            what = "a deleted recording is" if count == 1 else f"{count} deleted recordings are"
            title = f"Files of {what} still on {path}: they can't be removed"
            yield Finding("deletion_left", WARNING, title, root=path)

        for stream, error in deletion.taken(path):
            title = f"Nothing of {stream} is deleted on {path}, whatever the limits say: {error.title}"
            yield Finding("stream_in_use", WARNING, title, media=stream, root=path)

    def _of_range_deletions(self) -> Iterator[Finding]:
        for stream, within, pending in self._archive.range_deletions.pending():
            if pending:
                why = "; ".join(error.title for error in pending.values())
                title = f"{span(within.duration_ms)} of {stream} are still to be deleted: {why}"
                yield Finding("deletion_pending", WARNING, title, media=stream)

    def _of_future(self, path: str, found: Forecast) -> Iterator[Finding]:
        wanted_s = self._wanted_s(path)
        depth_s, full_s = found.depth_s, found.full_s
        if wanted_s == 0 or depth_s is None or full_s is None or found.measured_s < MEASURED_S:
            return
        if wanted_s is not None and depth_s >= wanted_s * 0.95:
            return
        days = f"keeps {depth_s / 86_400:.1f}" + ("" if wanted_s is None else f" of {wanted_s / 86_400:.1f}") + " days"
        hold_s = 600.0
        if full_s < SOON_S:
            title = f"{path} will be full in {span(int(full_s * 1000))}: at {size(int(found.rate))}/s it {days}"
            yield Finding("root_soon_full", WARNING, title, root=path, hold_s=hold_s)
        elif wanted_s is not None:
            title = f"{path} is too small: at {size(int(found.rate))}/s it {days}"
            yield Finding("root_short", WARNING, title, root=path, hold_s=hold_s)

    def _wanted_s(self, path: str) -> int | None:
        """How far back a root should reach; `None` without end, 0 if limits say how much may be there."""
        longest = 0
        for archive in self._archive.streams_of(path):
            policy = self._archive.retention.policies.get(archive.name)
            if policy is None or policy.root != path:
                continue
            if policy.expiration_s:
                longest = max(longest, policy.expiration_s)
            elif not policy.storage_limit and not policy.disk_usage_limit:
                return None
        return longest


def _of_misdated(name: str, archive: StreamArchive) -> Finding:
    count, shifts = len(archive.misdated), {aside.shift_ms for aside in archive.misdated.values()}
    seconds = sum(blob.end_ms - blob.begin_ms for blob in archive.misdated) // 1000
    shift_ms = shifts.pop() if len(shifts) == 1 else None
    by = "" if shift_ms is None else f" by {span(abs(shift_ms))}"
    files = "1 file" if count == 1 else f"{count} files"
    verb = "is" if count == 1 else "are"
    title = f"{files} of {name} ({span(seconds * 1000)}) {verb} misdated{by}: see flussdvr redate"
    return Finding("recordings_misdated", WARNING, title, media=name)


def _of_clock(clock: UtcClock) -> Iterator[Finding]:
    shift_ms = clock.shift_ms
    if shift_ms is not None:
        way = "ahead" if shift_ms > 0 else "behind"
        title = f"The machine's clock has stepped {span(abs(shift_ms))} {way}: the server does not follow it"
        yield Finding("clock_stepped", CRITICAL, title)
    difference_ms = clock.contradicted_ms
    if difference_ms is not None:
        way = "behind" if difference_ms > 0 else "ahead"
        title = (
            f"The server's time is {span(abs(difference_ms))} {way} of what several sources state: nothing is deleted"
            " for its age until they agree, NTP proves the clock or somebody confirms it"
        )
        yield Finding("clock_contradicted", CRITICAL, title)
    elif not clock.trusted_for_expiry:
        title = "The clock has stepped: nothing is deleted for its age until the clock is proven or confirmed"
        yield Finding("clock_unproven", WARNING, title)


def _of_catalog(state: CatalogState) -> Iterator[Finding]:
    if state.refused is not None:
        title = (
            f"The catalog can't be written: {state.refused}. Recording and playback go on, what must be kept is refused"
        )
        if state.unreadable:
            title += "; what the API has changed, jobs, links and sign-outs can't be read either, until it answers"
        yield Finding("catalog_failed", CRITICAL, title, hold_s=10)
    elif state.copy_refused is not None:
        title = f"What the API has changed has no copy beside the catalog: {state.copy_refused}"
        yield Finding("catalog_failed", WARNING, title, hold_s=10)
    if state.moved_aside is not None:
        yield Finding(
            "catalog_rebuilt", WARNING, f"The catalog was made anew when the server started: {state.moved_aside}"
        )
    if state.aside:
        parts = [f"{one.count} of {one.source} ({one.reason})" for one in state.aside]
        title = f"Rows of the catalog make no sense and are set aside: {', '.join(parts)}"
        yield Finding("catalog_nonsense", WARNING, title[:1000])


def is_unpublished(entry: Running) -> bool:
    """Whether a stream waits for nothing but somebody to publish it, which need not happen."""
    inputs = entry.settings.inputs
    return not entry.stream.alive and bool(inputs) and all(one.url.startswith("publish://") for one in inputs)


def why_silent(entry: Running) -> str:
    """What the best of a stream's inputs that says something says."""
    branches = entry.inputs.branches
    if not branches:
        return "it has no input"
    for one in branches:
        if why := one.input.reason or one.input.complaint():
            return why
    return "nothing arrives"


def span(ms: int) -> str:
    """A time as people say it."""
    seconds = max(0, ms) // 1000
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def size(count: int) -> str:
    """Bytes as people say them."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:  # what would be rounded to four digits has the next unit
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
