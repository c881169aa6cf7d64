# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Usage: one `web_request` event per HTTP request, after its last byte (docs/events.md).

    bytes_from_ram          playlists, heads of MP4s, pictures, the API; everything of what is live
    bytes_from_dvr_cache    MPEG-TS segments of the archive that were made for an earlier request; = bytes_from_cache
    bytes_from_dvr_disk     sent from a file of the archive, or read from there for this answer and sent as MPEG-TS
    bytes_from_dvr_remote   0: there are no remote sources
                            their sum: the bytes of the body that left the server
    dvr_utc_ms              the moment of the archive that was asked for, null for what is live
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flussdvr.config.model import IPNetwork
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.viewers import WebRequest
from flussdvr.logs.redaction import LONGEST, redact_request, redact_url
from flussdvr.urls.values import (
    ArchivePlaylist,
    MediaPath,
    Mp4Export,
    Picture,
    RewindPlaylist,
    Segment,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
    TimeshiftRelPlaylist,
    TimeshiftRelTs,
    TsExport,
)
from flussdvr.web.http.address import client_address
from flussdvr.web.http.facts import CACHE, DISK
from flussdvr.web.http.site import DvrRequest


def dvr_utc_ms(parsed: MediaPath | None, live: bool, now_ms: int) -> int | None:
    """Where in the archive a URL begins; `None` for what is not in the archive."""
    match parsed:
        case ArchivePlaylist() | TimeshiftAbsPlaylist() | Mp4Export() | TsExport() | TimeshiftAbsTs():
            return parsed.from_ms
        case RewindPlaylist():
            return now_ms - parsed.back_ms
        case TimeshiftRelPlaylist() | TimeshiftRelTs():
            return now_ms - parsed.delay_ms if parsed.delay_ms else None
        case Segment():
            return None if live else parsed.begin_ms
        case Picture():
            return parsed.utc_ms
    return None


def bytes_by_source(request: DvrRequest) -> dict[str, int]:
    """How much of the body has left, by where it came from. What was lost on the way is the end of it."""
    facts = request.facts
    sent = request.sentLength - facts.unsent
    head = request.sentLength - facts.sent.disk  # what is not from a file stands in front of it
    disk = max(0, sent - head)
    rest = sent - disk
    return {
        "ram": 0 if facts.source in (CACHE, DISK) else rest,
        "cache": rest if facts.source == CACHE else 0,
        "disk": disk + (rest if facts.source == DISK else 0),
        "remote": 0,
    }


class WebRequests:
    """
    `Site`'s `on_access`. `emit` gets the events; `totals` are the bytes of all requests by source since the start.
    """

    def __init__(
        self,
        emit: OnEvent,
        now_ms: Callable[[], int],
        trusted: Callable[[], tuple[IPNetwork, ...]] = lambda: (),
    ) -> None:
        self.totals = dict.fromkeys(("ram", "cache", "disk", "remote"), 0)
        self.requests: dict[int, int] = {}
        self._emit = emit
        self._now_ms = now_ms
        self._trusted = trusted

    def __call__(self, request: DvrRequest, aborted: bool) -> None:
        sent = bytes_by_source(request)
        for source, count in sent.items():
            self.totals[source] += count
        self.requests[request.code] = self.requests.get(request.code, 0) + 1
        self._emit(self.event(request, aborted, sent))

    def event(self, request: DvrRequest, aborted: bool, sent: Mapping[str, int]) -> WebRequest:
        facts = request.facts
        duration_ms = max(0, int((request.finished_s - request.begun) * 1000))
        begun_ms = self._now_ms() - duration_ms
        referer = request.getHeader("referer")  # may be a page with a token in its URL
        path, _, query = redact_request(request.uri).partition("?")
        return WebRequest(
            media=facts.parsed.name if facts.parsed is not None else None,
            method=request.method.decode("latin-1"),
            path=path,
            query_string=query or None,
            status=request.code,
            ip=client_address(request, self._trusted()),
            country=facts.country or None,
            id=facts.session_id or None,
            user_agent=request.getHeader("user-agent"),
            referer=None if referer is None else redact_url(referer[:LONGEST]),
            range=request.getHeader("range"),
            opened_at=begun_ms,
            duration=duration_ms,
            aborted=aborted,
            bytes=sum(sent.values()),
            bytes_from_ram=sent["ram"],
            bytes_from_dvr_cache=sent["cache"],
            bytes_from_cache=sent["cache"],
            bytes_from_dvr_disk=sent["disk"],
            bytes_from_dvr_remote=0,
            dvr_utc_ms=dvr_utc_ms(facts.parsed, facts.live, begun_ms),
        )
