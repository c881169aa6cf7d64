# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Links at the gate: the query parameter `link` opens its span of its stream, and nothing else.

    mp4   archive-F-D.mp4                                   inside the span
    ts    archive-F-D.ts, archive/F/D/mpegts                inside
    hls   playlists of F-D inside, segments that overlap, init segments
    jpg   pictures of a moment inside, sprites and image playlists inside

Live, timeshift, `now`, what is recorded and of what it consists: not for a link. A kind of URL that is not told here
is refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from flussdvr.access.grant import Grant
from flussdvr.access.links import PARAMETER, Links, grant_key
from flussdvr.config.model import Config
from flussdvr.database.rows import LinkRow
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import Range
from flussdvr.urls.values import (
    ArchivePlaylist,
    ImagePlaylist,
    InitSegment,
    MediaPath,
    Mp4Export,
    Picture,
    Segment,
    SpritePicture,
    TsExport,
)
from flussdvr.web.http.address import client_address
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.media.passes import Foreign

FORMAT: dict[type[MediaPath], str] = {
    **dict.fromkeys((ArchivePlaylist, Segment, InitSegment), "hls"),
    **dict.fromkeys((Picture, SpritePicture, ImagePlaylist), "jpg"),
    Mp4Export: "mp4",
    TsExport: "ts",
}
"""By name, not by descent: a new kind that descends from one of these is another question."""


class LinkPass:
    """`key`: 32 bytes, by which viewers are remembered without their addresses."""

    def __init__(self, links: Links, key: bytes, config: Callable[[], Config]) -> None:
        self._links = links
        self.key = key
        self._config = config

    async def grant(self, request: DvrRequest, parsed: MediaPath) -> Grant | None:
        """DvrError DENIED `link_not_valid`, `_revoked`, `_expired`, `_not_for_this`, `_used_up`."""
        token = parsed.parameter(PARAMETER)
        if not token:
            return None
        link = self._links.find(token, parsed.name)
        if link is None:
            if self._config().auth_token == PARAMETER:
                return None  # it is the name of tokens here: one for the stream's authority
            raise Foreign("link_not_valid", "this link is not valid here")
        self._check(link)
        if not opens(link, parsed):
            raise DvrError(Kind.DENIED, "link_not_for_this", "this link is for something else")
        if not await self._links.use(link, self._viewer(request), count=request.method != b"HEAD"):
            raise DvrError(Kind.DENIED, "link_used_up", "as many as may use this link have used it")
        self._check(link)
        request.facts.private = True  # a cache that kept it would give it away after the link's end
        span = link.begin_ms, link.end_ms
        return Grant(grant_key(link.id), f"link {link.id}", link.expires_ms, (span,))

    def _check(self, link: LinkRow) -> None:
        if link.revoked:
            raise DvrError(Kind.DENIED, "link_revoked", "this link has been revoked")
        if self._links.now_ms() >= link.expires_ms:
            raise DvrError(Kind.DENIED, "link_expired", "this link has expired")

    def _viewer(self, request: DvrRequest) -> bytes:
        address = client_address(request, self._config().trusted_proxies)
        program = program_of((request.getHeader(b"user-agent") or b"").decode("utf-8", "replace"))
        return hmac.digest(self.key, f"{household_of(address)}\0{program}".encode(), "sha256")[:16]


def opens(link: LinkRow, parsed: MediaPath) -> bool:
    """Whether a URL of the link's stream is part of what it is for."""
    if FORMAT.get(type(parsed)) not in link.formats:
        return False
    span = Range(link.begin_ms, link.end_ms)
    match parsed:
        case InitSegment():
            return True
        case Segment():
            return span.overlaps(Range(parsed.begin_ms, parsed.begin_ms + parsed.duration_ms))
        case ArchivePlaylist() | Mp4Export() | TsExport() | SpritePicture() | ImagePlaylist():
            end_ms = None if parsed.duration_ms is None else parsed.from_ms + parsed.duration_ms
            return end_ms is not None and span.begin_ms <= parsed.from_ms and end_ms <= span.end_ms
        case Picture(utc_ms=int(utc_ms)):
            # a whole second is the name of the first picture in it; which that is, is checked when it is found
            return span.overlaps(Range(utc_ms, utc_ms + (1 if utc_ms % 1000 else 1000)))
    return False


def household_of(address: str) -> str:
    """An address; of IPv6 its network, as hosts change the rest from day to day (RFC 8981)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def program_of(user_agent: str) -> str:
    """A program by its `User-Agent`. Safari has the system fetch what it plays: these two are one."""
    is_safari = "Safari/" in user_agent and "Chrome/" not in user_agent
    return "Safari" if is_safari or "AppleCoreMedia/" in user_agent else user_agent
