# -*- test-case-name: tests.events.test_event_schema -*-
"""Events of a stream and of the sources that feed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flussdvr.events.types.event import Event

UpdateReason = Literal["interval", "reconfigured"]
CloseReason = Literal["removed", "disabled", "reconfigured", "restarted", "stopped"]
"""Why a stream is stopped; "stopped": with the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened(Event):
    """A stream is started."""

    event: ClassVar[str] = "stream_opened"
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUpdated(Event):
    """
    Each minute, and when a stream's settings change without an interruption.

    `alive`: whether fragments come. `opened_at`: ms. `bytes_in`: of media since then. `bytes_out`: of content to
    viewers, since the server was started.
    """

    event: ClassVar[str] = "stream_updated"
    media: str
    reason: UpdateReason
    alive: bool
    opened_at: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamClosed(Event):
    """A stream is stopped. The counters are those of `StreamUpdated`."""

    event: ClassVar[str] = "stream_closed"
    media: str
    reason: CloseReason
    opened_at: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReady(Event):
    """The stream has media again, whichever input feeds it. `begin_ms`: of the first fragment."""

    event: ClassVar[str] = "source_ready"
    media: str
    begin_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLost(Event):
    """The stream has no media: a gap begins."""

    event: ClassVar[str] = "source_lost"
    media: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent(Event):
    """
    What happens to one input of a stream.

    `url`: without passwords, keys and tokens. `priority`: a lower number is better.
    """

    media: str
    url: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOpened(SourceEvent):
    """An input begins to try. `retry_count`: attempts that failed before."""

    event: ClassVar[str] = "source_opened"
    retry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConnected(SourceEvent):
    """
    There is a connection, or a publisher has been admitted.

    `status`: of HTTP. `redirected_to`: where the answer came from. `proto`: of a publisher. `peer`: address and port of
    a publisher.
    """

    event: ClassVar[str] = "source_connected"
    status: int | None = None
    redirected_to: str | None = None
    proto: str | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStarted(SourceEvent):
    """An input delivers its first media."""

    event: ClassVar[str] = "source_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUpdated(SourceEvent):
    """
    Each minute while media come.

    `active`: whether it feeds the stream, else it is probed. `bitrate` (kbit/s) and `bytes`: since the last time.
    `lost_packets`: since the input was made.
    """

    event: ClassVar[str] = "source_updated"
    active: bool
    bitrate: int
    bytes: int
    lost_packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClosed(SourceEvent):
    """An input is lost, could not be opened, or is not needed any more. `bytes`: since it was opened."""

    event: ClassVar[str] = "source_closed"
    reason: str
    bytes: int
