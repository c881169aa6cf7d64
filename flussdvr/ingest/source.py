"""
What every input of a stream shares: it is opened, delivers media, is lost, and is opened again.

              open()                opened()              media
    STOPPED ---------> CONNECTING ------------> CONNECTED ------> RECEIVING
                        ^     |                     |                 |
              back-off  |     +------------- lost(reason) -----------+
              1..60 s   +------------- WAITING <---'

Nobody outside opens an input twice: a service that has been started keeps trying by itself, never in a tight loop,
and an input that is open and silent for its timeout counts as lost, however healthy its socket looks.

An exception that nobody foresaw, in a parser or in what takes the samples, is a loss like any other: it is logged with
the place in the stream, counted, and the input opened anew. Every callback of an input goes through `guarded`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypedDict
from urllib.parse import parse_qsl, urlsplit

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from flussdvr.events.types.event import Event, OnEvent
from flussdvr.events.types.streams import SourceClosed, SourceConnected, SourceOpened, SourceStarted
from flussdvr.logs.redaction import redact_url
from flussdvr.logs.repeated import Repeated
from flussdvr.media import (
    DataLost,
    LeftOut,
    MediaEvent,
    PictureTrouble,
    Sample,
    SamplesReceived,
    TimeAndDate,
    Track,
    TracksChanged,
    TracksLeftOut,
)
from flussdvr.process.reactors import IReactorAll

DEFAULT_TIMEOUT_S = 10.0
"""Without media for this long an input is lost."""
LONGEST_WAIT_S = 59.0
"""Twisted's policy adds up to one second of jitter to this."""
LONGEST_CRASH_WAIT_S = 9.0
"""Between attempts of a source that makes us fail again and again."""
TOLD_S = 600.0
"""So long an internal error is an alarm."""
CALM_S = 120.0
"""After so long without an internal error, the next one is waited for as briefly as the first."""


class Sink(Protocol):
    """Whom an input delivers to: a stream, or a publisher's stream. All methods are called in the reactor."""

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        """The source's tracks are now these; called before the first samples and at every change."""

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        """Samples of one track in decoding order; times in one epoch per source."""

    def data_lost(self, reason: str, count: int) -> None:
        """Packets were missing or damaged; what follows is whole again."""

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        """All that the source has now and that is not recorded; nothing more is, once this is empty."""

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        """The source itself says that its media time `dts` (ticks of `timescale`) is `utc_ms`."""

    def source_lost(self, reason: str) -> None:
        """The source ended. What comes next has another epoch and begins with `tracks_received`."""


@dataclass(frozen=True, slots=True)
class UtcReceived:
    """The source says that its media time `dts` (ticks of `timescale`) is `utc_ms`."""

    utc_ms: int
    dts: int
    timescale: int


InputEvent = MediaEvent | UtcReceived


class _About(TypedDict):
    """What all events of a source have."""

    media: str
    url: str
    priority: int


class State(StrEnum):
    """What an input is doing, in the word that the statistics show."""

    STOPPED = "stopped"
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECEIVING = "receiving"


@dataclass(slots=True)
class Counters:
    """What an input has seen since it was made."""

    bytes: int = 0
    samples: int = 0
    lost: int = 0
    """Packets that were missing or damaged, as the demultiplexer counts them."""
    lost_pictures: int = 0
    """Pictures that were left out or decode wrongly for it."""
    dropped: int = 0
    """Packets that the kernel or we ourselves had no room for."""
    opened: int = 0
    """How often it was opened with success."""
    failed: int = 0
    """How often it was lost, or could not be opened."""
    crashed: int = 0
    """How often an exception that nobody foresaw ended it."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why data was lost, counted; at most `MAX_REASONS` kinds."""

    MAX_REASONS: ClassVar[int] = 16

    def data_lost(self, reason: str, count: int) -> None:
        if not isinstance(reason, PictureTrouble):
            self.lost += count
        elif reason is not PictureTrouble.RETIMED:
            self.lost_pictures += count
        if reason in self.reasons or len(self.reasons) < self.MAX_REASONS:
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class Input(Service):
    """
    One source of media for a sink, opened anew whenever it is lost.

    Subclasses write `open` (begin; may raise `OSError` or `ValueError`) and `close` (let go of everything, also of
    what is half open), and report with `opened`, `received`, `lost`. `reactor` needs `IReactorTime` here, more in
    some subclasses. `timeout_s` None: never time out. `stream` is its stream's name, for people.
    """

    log = Logger()
    longest_wait_s: ClassVar[float] = LONGEST_WAIT_S

    def __init__(
        self,
        url: str,
        sink: Sink,
        reactor: IReactorAll,
        options: Mapping[str, str] | None = None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        stream: str = "",
    ) -> None:
        self.url = url
        self.stream = stream
        self.shown_url = redact_url(url)
        self.sink = sink
        self.options = dict(options or {})
        self.timeout_s = timeout_s
        self.state = State.STOPPED
        self.left_out: tuple[LeftOut, ...] = ()
        """What the source has and that is not recorded."""
        self._left_out_before: tuple[LeftOut, ...] = ()
        self.reason: str | None = None
        self.last_error: str | None = None
        """Why it was lost, the last time; stays when it is back."""
        self.counters = Counters()
        self.last_media: float | None = None
        self.troubles = Repeated(self.log, reactor.seconds)
        self.priority = 0
        """Of the input in its stream: a lower number is better. For events."""
        self.on_event: OnEvent = lambda event: None
        self.on_time_and_date: Callable[[TimeAndDate], None] = lambda time: None
        self._reactor = reactor
        self._backoff = backoffPolicy(1.0, self.longest_wait_s, 1.5)
        self._failures = 0
        self._crash_backoff = backoffPolicy(1.0, LONGEST_CRASH_WAIT_S, 1.5)
        self._crashes = 0
        self._crashed_at = 0.0
        self._crash: str | None = None
        self._ending = False
        self._opened_at = 0.0
        self._bytes_before = 0
        self._untold: list[Event] | None = None
        self._timer: IDelayedCall | None = None

    # -- for subclasses ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to receive; `opened` when there is a connection, or nothing if there is no such moment."""
        raise NotImplementedError

    def close(self) -> Deferred[None] | None:
        """Stop receiving. Fires when it is over, or `None` if it is already."""
        raise NotImplementedError

    def drain(self) -> Iterable[InputEvent]:
        """What came in and waits for more that will not come: the end of the last picture."""
        return ()

    def opened(
        self,
        status: int | None = None,
        redirected_to: str | None = None,
        proto: str | None = None,
        peer: str | None = None,
    ) -> None:
        """There is a connection; now its media is awaited. The arguments are those of `SourceConnected`."""
        self.counters.opened += 1
        self._opened_at = self._reactor.seconds()
        if self.state is State.CONNECTING:
            self.state = State.CONNECTED
            found = SourceConnected(**self._about, status=status, redirected_to=redirected_to, proto=proto, peer=peer)
            self.tell(found)

    def received(self, events: Iterable[InputEvent]) -> None:
        """Pass on what a demultiplexer found."""
        for event in events:
            if self.state in (State.STOPPED, State.WAITING):
                return  # the sink's answer to an event may be to stop us
            if isinstance(event, SamplesReceived):
                self._media_arrived(len(event.samples))
                self.sink.samples_received(event.track_id, event.samples)
            elif isinstance(event, TracksChanged):
                self.sink.tracks_received(event.tracks)
            elif isinstance(event, DataLost):
                self.counters.data_lost(event.reason, event.count)
                self.sink.data_lost(event.reason, event.count)
            elif isinstance(event, TracksLeftOut):
                self._tell_left_out(event.left_out)
                self.sink.tracks_left_out(event.left_out)
            elif isinstance(event, UtcReceived):
                self.sink.utc_received(event.utc_ms, event.dts, event.timescale)
            elif isinstance(event, TimeAndDate):
                self.on_time_and_date(event)

    @property
    def origin(self) -> str:
        """Where the media come from: the same for all that may share a clock, as far as that can be known."""
        return urlsplit(self.url).hostname or self.shown_url

    def _tell_left_out(self, left_out: Sequence[LeftOut]) -> None:
        for one in left_out:
            if one not in self._left_out_before:
                level = LogLevel.warn if one.serious else LogLevel.info
                self.log.emit(level, "{stream}: {url}: {what}", stream=self.stream, url=self.shown_url, what=str(one))
        self.left_out = self._left_out_before = tuple(left_out)

    def complaint(self) -> str | None:
        """Why nothing comes of the bytes that arrive, in a clause; `None` if that is not known."""
        return None

    @property
    def silence(self) -> str:
        """The reason why a silent input is lost."""
        complaint = self.complaint() if self.state is not State.RECEIVING else None
        return f"no media for {self.timeout_s or 0:g} s" + (f": {complaint}" if complaint else "")

    def silent(self) -> None:
        """Opened, and without media for `timeout_s`."""
        self.lost(self.silence)

    def lost(self, reason: str, delay: float | None = None) -> None:
        """The source is gone, or of no use: tell the sink, let go, and open it again after a while (or `delay`)."""
        if self._ending or self._is_over():
            return
        self._drain()
        if not self._is_over():  # the sink's answer to what was left may be to stop us
            self._end(reason, self._backoff(self._failures) if delay is None else delay)

    def _is_over(self) -> bool:
        return self.state in (State.STOPPED, State.WAITING)

    def _end(self, reason: str, delay: float) -> None:
        """Let go of the source. The next attempt is scheduled first: nothing that fails here can keep it away."""
        self._failures += 1
        self.counters.failed += 1
        self.state = State.WAITING
        self.left_out = ()
        self._schedule(delay, self._attempt)
        if self._untold is None or reason != self.reason:
            self.tell_closed(reason)
        self._untold = []
        self.reason = self.last_error = reason
        fields = {"stream": self.stream, "url": self.shown_url, "reason": reason, "delay": delay}
        self.troubles.warn(reason, "{stream}: {url} is lost: {reason}; again in {delay:.0f} s", **fields)
        with self.log.failuresHandled("{stream}: closing {url}", stream=self.stream, url=self.shown_url):
            self.close()
        with self.log.failuresHandled("{stream}: ending what {url} sent", stream=self.stream, url=self.shown_url):
            self.sink.source_lost(reason)

    def guarded(self, work: Callable[..., object], *args: Any) -> None:
        """
        Do what takes bytes or events from outside, whatever it raises.

        What nobody foresaw ends this opening of the source and not the source: `crashed`.
        """
        try:
            work(*args)
        except Exception:
            self.crashed(Failure())  # type: ignore[no-untyped-call]

    def crashed(self, failure: Failure) -> None:
        """Lose the source for an internal error; called in an `except`, in the reactor."""
        reason = internal_error(failure, self.position)
        self.note_crash(reason)
        kind = type(failure.value), "crashed"  # the position in its reason is another every time
        fields = {"stream": self.stream, "url": self.shown_url, "reason": reason}
        self.troubles.failure(kind, "{stream}: {url}: {reason}", failure, **fields)
        if self._ending or self._is_over():
            return
        self._end(reason, self._crash_backoff(self._crashes))

    def note_crash(self, reason: str) -> None:
        """Count an internal error, and remember it for `crash`."""
        now = self._reactor.seconds()
        self._crashes = self._crashes + 1 if self._crash is not None and now - self._crashed_at <= CALM_S else 0
        self.counters.crashed += 1
        self._crashed_at, self._crash = now, reason

    @property
    def crash(self) -> str | None:
        """The last internal error, for as long as operators should see it."""
        return self._crash if self._reactor.seconds() - self._crashed_at < TOLD_S else None

    @property
    def position(self) -> int:
        """How many bytes have come since the source was opened."""
        return self.counters.bytes - self._bytes_before

    def _drain(self) -> None:
        """Pass on what is left in the demultiplexer, which may raise like everything of its."""
        self._ending = True
        try:
            self.guarded(lambda: self.received(self.drain()))
        finally:
            self._ending = False

    # -- what is told about it --------------------------------------------------------------------------------

    @property
    def _about(self) -> _About:
        return {"media": self.stream, "url": self.shown_url, "priority": self.priority}

    def tell(self, event: Event) -> None:
        """
        Emit what becomes of the source. An attempt after one that has failed is told when it succeeds, or fails
        for another reason: a source that is still missing is not reported again.
        """
        if self._untold is None:
            self._emit(event)
        else:
            self._untold.append(event)

    def tell_opened(self) -> None:
        self._bytes_before = self.counters.bytes
        if self._untold is not None:
            self._untold = []
        self.tell(SourceOpened(**self._about, retry_count=self._failures))

    def tell_closed(self, reason: str) -> None:
        self._tell_all()
        self.tell(SourceClosed(**self._about, reason=reason, bytes=self.position))

    def _tell_all(self) -> None:
        untold, self._untold = self._untold, None
        for event in untold or ():
            self._emit(event)

    def _emit(self, event: Event) -> None:
        with self.log.failuresHandled("{stream}: telling {event}", stream=self.stream, event=event.event):
            self.on_event(event)

    # -- the service ------------------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._failures = 0
        self._attempt()

    def stopService(self) -> Deferred[None] | None:
        super().stopService()  # type: ignore[no-untyped-call]
        self._drain()
        if self.state not in (State.STOPPED, State.WAITING) and self._untold is None:
            self.tell_closed("stopped")
        self._untold = None
        self.state = State.STOPPED
        self._cancel_timer()
        try:
            return self.close()
        except Exception:
            self.log.failure("{stream}: closing {url}", stream=self.stream, url=self.shown_url)
            return None

    # -- inside -----------------------------------------------------------------------------------------------

    def _attempt(self) -> None:
        self.state = State.CONNECTING
        self._opened_at = self._reactor.seconds()
        self.tell_opened()
        self._cancel_timer()
        if self.timeout_s is not None:
            self._schedule(self.timeout_s, self._watch)
        try:
            self.open()
        except (OSError, ValueError) as error:
            self.lost(str(error))
        except Exception:
            self.crashed(Failure())  # type: ignore[no-untyped-call]

    def _media_arrived(self, count: int) -> None:
        self.counters.samples += count
        self.last_media = self._reactor.seconds()
        if self.state is not State.RECEIVING:
            self.state = State.RECEIVING
            self.reason = None
            self._failures = 0
            self.troubles.over("{stream}: {url} is received again", stream=self.stream, url=self.shown_url)
            self._tell_all()
            self.tell(SourceStarted(**self._about))

    def _watch(self) -> None:
        self.guarded(self._look_for_silence)

    def _look_for_silence(self) -> None:
        """Once in a timeout, not once in a packet: a timer per packet costs more than the packet."""
        assert self.timeout_s is not None
        heard = max(self._opened_at, self.last_media or 0.0)
        left = heard + self.timeout_s - self._reactor.seconds()
        if left > 0.001:
            self._schedule(left, self._watch)
        else:
            self.silent()

    def _schedule(self, delay: float, call: Any) -> None:
        self._cancel_timer()
        self._timer = self._reactor.callLater(delay, call)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def program_of(options: Mapping[str, str], url: str = "") -> int | None:
    """The `program` among an input's options, or in its URL's query; raises `ValueError`."""
    text = options.get("program") or dict(parse_qsl(urlsplit(url).query)).get("program")
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text[:6]) <= 0xFFFF:
        raise ValueError(f"program={text} is no number from 1 to 65535")
    return int(text)


def internal_error(failure: Failure, position: int) -> str:
    """A clause for operators about an exception that nobody foresaw, `position` bytes behind the stream's begin."""
    name = type(failure.value).__name__
    return f"internal error at byte {position} of the stream: {name}: {failure.getErrorMessage()}"
