# -*- test-case-name: tests.events.test_event_schema -*-
"""Events of the server: its start and end, its configuration, its clock, its event sinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flussdvr.events.types.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarting(Event):
    """The process has begun; the archive is opened next."""

    event: ClassVar[str] = "server_starting"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """Everything is there, listeners are open."""

    event: ClassVar[str] = "server_started"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """Nothing comes in or goes out any more."""

    event: ClassVar[str] = "server_stopped"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded(Event):
    """The configuration was read again. `path`: the file; `streams`: how many it has."""

    event: ClassVar[str] = "config_reloaded"
    path: str
    streams: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloadFailed(Event):
    """The configuration could not be used; everything is as before. `error`: the first one, with file and line."""

    event: ClassVar[str] = "config_reload_failed"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockHeld(Event):
    """
    The machine's clock has stepped and is not followed (yet), or that is over.

    `shift_ms`: how far it is from the server's time; None: it is back.
    """

    event: ClassVar[str] = "clock_held"
    shift_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockContradicted(Event):
    """
    Several sources that state UTC agree that the server's time is wrong, or that is over.

    `difference_ms`: what they state minus the server's time; None: they contradict it no more.
    """

    event: ClassVar[str] = "clock_contradicted"
    difference_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStepped(Event):
    """
    The server's time has stepped with the machine's clock.

    `from_ms`, `to_ms`: the same moment in the old and in the new time. `doubtful_ms`: what was recorded from then, in
    the old time, on is misdated; None: it is not.
    """

    event: ClassVar[str] = "clock_stepped"
    from_ms: int
    to_ms: int
    doubtful_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsDropped(Event):
    """`count` events of the sink `sink` are lost: it did not take them."""

    event: ClassVar[str] = "events_dropped"
    sink: str
    count: int
