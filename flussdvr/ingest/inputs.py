"""
The inputs of one stream: the best that delivers feeds the stream, one at a time.

    priority 1   udp://...        ---+  running, probed
    priority 2   tshttp://...     ---+-> feeding --> sink        source_lost lies between any two that feed
    priority 3   file://...          |  not needed, stopped

An input that is lost opens the one behind it and goes on trying by itself (see `source`). One better than the feeding
one takes over when it has delivered for `STEADY_S` without a break; what is behind the feeding one is stopped. An
input that took over and was soon lost again has to be steady for longer the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from flussdvr.events.types.event import Event, OnEvent
from flussdvr.events.types.streams import SourceOpened, SourceUpdated
from flussdvr.ingest.publish.input import PublishInput
from flussdvr.ingest.registry import InputFactory, make_input
from flussdvr.ingest.source import DEFAULT_TIMEOUT_S, Input, Sink, State, UtcReceived
from flussdvr.media import LeftOut, Sample, TimeAndDate, Track
from flussdvr.process.reactors import IReactorAll

STEADY_S = 10.0
"""So long a better input must have delivered before it takes over."""
STEADY_MAX_S = 320.0
SOON_S = 120.0
"""An input that is lost again within this time after taking over has to be steady for twice as long."""


class InputSettings(Protocol):
    """What the configuration says of one input (`config.InputSettings`)."""

    @property
    def url(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def options(self) -> Mapping[str, str]: ...


class Branch:
    """One input on its way to the sink: what it delivers passes only while it feeds."""

    def __init__(self, inputs: Inputs, index: int, priority: int) -> None:
        self.index = index
        self.priority = priority
        self.input: Input
        self.started = False
        self.steady_s = STEADY_S
        self.delivering_since: float | None = None
        self.fed_at: float | None = None
        self.bytes_told = 0
        self._inputs = inputs
        self._tracks: tuple[Track, ...] = ()
        self._left_out: tuple[LeftOut, ...] = ()
        self._utc: UtcReceived | None = None

    @property
    def feeding(self) -> bool:
        return self._inputs.active is self

    # -- Sink of the input ------------------------------------------------------------------------------------

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        self._tracks = tuple(tracks)
        if self.feeding:
            self._inputs.sink.tracks_received(tracks)

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        if self.feeding or self._inputs.media_arrived(self):
            self._inputs.sink.samples_received(track_id, samples)

    def data_lost(self, reason: str, count: int) -> None:
        if self.feeding:
            self._inputs.sink.data_lost(reason, count)

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        self._left_out = tuple(left_out)
        if self.feeding:
            self._inputs.sink.tracks_left_out(left_out)

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        self._utc = UtcReceived(utc_ms, dts, timescale)
        if self.feeding:
            self._inputs.sink.utc_received(utc_ms, dts, timescale)

    def time_and_date_received(self, time: TimeAndDate) -> None:
        if self.feeding:
            self._inputs.on_time_and_date(self.input.origin, time)

    def source_lost(self, reason: str) -> None:
        self.forget()
        self._inputs.input_lost(self, reason)

    def told(self, event: Event) -> None:
        """What becomes of the source."""
        if isinstance(event, SourceOpened):
            self.bytes_told = self.input.counters.bytes
        self._inputs.on_event(event)

    # -- for Inputs -------------------------------------------------------------------------------------------

    def tell_update(self, seconds: float) -> None:
        """How much has come in the last `seconds`."""
        source = self.input
        count, self.bytes_told = source.counters.bytes - self.bytes_told, source.counters.bytes
        if source.state is State.RECEIVING:
            updated = SourceUpdated(
                media=self._inputs.stream,
                url=source.shown_url,
                priority=self.priority,
                active=self.feeding,
                bitrate=round(count * 8 / 1000 / seconds),
                bytes=count,
                lost_packets=source.counters.lost,
            )
            self.told(updated)

    def forget(self) -> None:
        """What it was delivering is over."""
        self._tracks = ()
        self._left_out = ()
        self._utc = None
        self.delivering_since = None

    def introduce(self) -> None:
        """Tell the sink what it has missed while another was feeding it."""
        if self._tracks:
            self._inputs.sink.tracks_received(self._tracks)
        if self._left_out:
            self._inputs.sink.tracks_left_out(self._left_out)
        if self._utc is not None:
            self._inputs.sink.utc_received(self._utc.utc_ms, self._utc.dts, self._utc.timescale)


class Inputs(Service):
    """
    Runs the inputs of the stream `stream` for `sink`.

    `settings` in any order; a lower priority number is better, the order decides between equals. `timeout_s`: the
    stream's `input_timeout`, None for never. Raises `ValueError` for a URL that makes no input.
    """

    log = Logger()

    def __init__(
        self,
        settings: Sequence[InputSettings],
        sink: Sink,
        reactor: IReactorAll,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        stream: str = "",
        make: InputFactory = make_input,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self.on_event = on_event
        self.on_time_and_date: Callable[[str, TimeAndDate], None] = lambda origin, time: None
        """Called with what the source that feeds states of the time, and its `Input.origin`."""
        self.stream = stream
        self.sink = sink
        self.active: Branch | None = None
        self.branches: list[Branch] = []
        self._reactor = reactor
        for index, item in enumerate(sorted(settings, key=lambda item: item.priority)):
            branch = Branch(self, index, item.priority)
            branch.input = make(item.url, branch, reactor, item.options, _timeout(item.options, timeout_s), stream)
            branch.input.priority = item.priority
            branch.input.on_event = branch.told
            branch.input.on_time_and_date = branch.time_and_date_received
            self.branches.append(branch)

    @property
    def publish(self) -> PublishInput | None:
        """The `publish://` input: the sink that a publisher delivers to, if the stream has one."""
        for branch in self.branches:
            if isinstance(branch.input, PublishInput):
                return branch.input
        return None

    def stats(self) -> list[dict[str, Any]]:
        """Of each input, the best first, what it does and has done; JSON-able, no passwords."""
        now = self._reactor.seconds()
        return [_stats(branch, now) for branch in self.branches]

    def tell_updates(self, seconds: float) -> None:
        """`source_updated` of each input that delivers, for the last `seconds`."""
        for branch in self.branches:
            branch.tell_update(seconds)

    # -- the service ------------------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        for branch in self.branches:
            if isinstance(branch.input, PublishInput):  # publishers come when they like, whichever input feeds
                self._start(branch)
        self._start_next()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        stopped = _all([self._stop(branch) for branch in self.branches])
        self._release("stopped")  # only now: what an input still had of its last picture is the stream's
        return stopped

    # -- what the branches report -----------------------------------------------------------------------------

    def media_arrived(self, branch: Branch) -> bool:
        """`branch` delivers and does not feed; whether it does from now on."""
        if not self.running:
            return False
        now = self._reactor.seconds()
        if branch.delivering_since is None:
            branch.delivering_since = now
        active = self.active
        if active is not None:
            if branch.index > active.index or now - branch.delivering_since < branch.steady_s:
                return False
            self._release(f"back to {branch.input.shown_url}")
        self._feed(branch, now)
        return True

    def input_lost(self, branch: Branch, reason: str) -> None:
        """`branch` lost its source, or could not open it."""
        if self.active is branch:
            self._punish(branch)
            self._release(reason)
        if self.running and self.active is None:
            self._start_next()

    # -- inside -----------------------------------------------------------------------------------------------

    def _feed(self, branch: Branch, now: float) -> None:
        self.active = branch
        branch.fed_at = now
        self.log.info("{stream} is fed by {url}", stream=self.stream, url=branch.input.shown_url)
        branch.introduce()
        for other in self.branches[branch.index + 1 :]:
            if not isinstance(other.input, PublishInput):
                self._stop(other)

    def _release(self, reason: str) -> None:
        active, self.active = self.active, None
        if active is not None:
            self.sink.source_lost(reason)

    def _punish(self, branch: Branch) -> None:
        soon = branch.fed_at is not None and self._reactor.seconds() - branch.fed_at < SOON_S
        branch.steady_s = min(branch.steady_s * 2, STEADY_MAX_S) if soon else STEADY_S

    def _start_next(self) -> None:
        """Open the best one that is not running yet. If there is none, they all go on trying by themselves."""
        for branch in self.branches:
            if not branch.started:
                self._start(branch)
                return

    def _start(self, branch: Branch) -> None:
        if not branch.started:
            branch.started = True
            branch.input.startService()

    def _stop(self, branch: Branch) -> Deferred[None] | None:
        if not branch.started:
            return None
        branch.started = False
        branch.forget()
        return branch.input.stopService()


def _all(waits: Sequence[Deferred[None] | None]) -> Deferred[None]:
    pending: Deferred[Any] = gatherResults([wait for wait in waits if wait is not None], consumeErrors=True)
    return pending.addCallback(lambda results: None)


def _timeout(options: Mapping[str, str], default: float | None) -> float | None:
    """An input's own `source_timeout` in seconds, `false` for never; raises `ValueError`."""
    text = options.get("source_timeout") or options.get("input_timeout")
    if text is None:
        return default
    if text == "false":
        return None
    try:
        timeout_s = float(text.removesuffix("s"))
    except ValueError:
        raise ValueError(f"source_timeout={text} is no number of seconds") from None
    if not 0.1 <= timeout_s <= 86_400:
        raise ValueError(f"source_timeout={text} is not between 0.1 and 86400 seconds")
    return timeout_s


def _stats(branch: Branch, now: float) -> dict[str, Any]:
    source, counters = branch.input, branch.input.counters
    silent = None if source.last_media is None else round(now - source.last_media, 3)
    return {
        "url": source.shown_url,
        "priority": branch.priority,
        "active": branch.feeding,
        "state": str(source.state),
        "reason": source.reason,
        "last_media_ago": silent,
        "bytes": counters.bytes,
        "samples": counters.samples,
        "lost_packets": counters.lost,
        "lost_pictures": counters.lost_pictures,
        "dropped_packets": counters.dropped,
        "lost_reasons": dict(counters.reasons),
        "opened": counters.opened,
        "failed": counters.failed,
        "crashed": counters.crashed,
        "last_error": source.last_error,
        "left_out": [str(one) for one in source.left_out],
    }
