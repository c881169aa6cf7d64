# -*- test-case-name: tests.events.test_event_schema -*-
"""Events of those who watch: sessions, requests, exports, links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flussdvr.events.types.event import Event

ExportStatus = Literal["succeeded", "failed", "canceled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayEvent(Event):
    """
    What happens to one viewer's playback of one stream.

    `type`: "dvr" once the archive is watched. `proto`: hls, mp4, mpegts and so on. `user_agent`, `referer`,
    `query_string`: of the first request, values of queries hidden. `bytes`: of content, sent so far.
    `dropped_fragments`: of live MPEG-TS, as it was read too slowly. `opened_at`, `started_at`, `updated_at` (ms): the
    first request, the first bytes, the latest request.
    """

    media: str
    id: str
    type: Literal["play", "dvr"]
    proto: str
    ip: str
    country: str | None
    user_id: str | None
    max_sessions: int | None
    user_agent: str
    referer: str
    bytes: int
    dropped_fragments: int
    opened_at: int
    started_at: int
    updated_at: int
    dvr: bool
    query_string: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOpened(PlayEvent):
    """A viewer is let in."""

    event: ClassVar[str] = "play_opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayStarted(PlayEvent):
    """The first bytes are sent."""

    event: ClassVar[str] = "play_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayUpdated(PlayEvent):
    """Each minute while more is asked for, and when it is decided anew who may watch."""

    event: ClassVar[str] = "play_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayClosed(PlayEvent):
    """The viewer has gone. `closed_at`: ms. `duration`: ms since `opened_at`."""

    event: ClassVar[str] = "play_closed"
    closed_at: int
    duration: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest(Event):
    """
    One per HTTP request, after the last byte of its answer has left. docs/events.md says what each field means.

    `media`: None for what is about no stream.
    """

    event: ClassVar[str] = "web_request"
    media: str | None
    method: str
    path: str
    query_string: str | None
    status: int
    ip: str | None
    country: str | None
    id: str | None
    user_agent: str | None
    referer: str | None
    range: str | None
    opened_at: int
    duration: int
    aborted: bool
    bytes: int
    bytes_from_ram: int
    bytes_from_dvr_cache: int
    bytes_from_cache: int
    bytes_from_dvr_disk: int
    bytes_from_dvr_remote: Literal[0]
    dvr_utc_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrExportFinished(Event):
    """
    An export is over.

    `path`: the file, or the URL of the object. `error`: a word, where it failed. `size`: bytes, where it succeeded.
    """

    event: ClassVar[str] = "dvr_export_finished"
    media: str
    path: str
    begin_ms: int
    duration_ms: int
    status: ExportStatus
    error: str | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrLinkMade(Event):
    """
    Somebody may give away a span of a stream.

    `link`: its id. `formats`: of mp4, hls, ts, jpg. `expires_at`: ms. `max_uses`: how many viewers may use it; None:
    any number. `author`: the account.
    """

    event: ClassVar[str] = "dvr_link_made"
    media: str
    link: str
    begin_ms: int
    duration_ms: int
    formats: tuple[str, ...]
    expires_at: int
    max_uses: int | None
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrLinkRevoked(Event):
    """A link opens nothing any more. `uses`: how many viewers have used it; `author`: the account."""

    event: ClassVar[str] = "dvr_link_revoked"
    media: str
    link: str
    uses: int
    author: str
