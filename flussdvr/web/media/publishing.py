# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
`POST|PUT {name}/mpegts`: a publisher's request becomes a publication.

    DvrRequest --name, password--> PublishPoints --PublishedInput--> MpegTsPush <-- chunks of the body

The password is `?password=`, or that of HTTP Basic.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime

from flussdvr.errors import DvrError, Kind
from flussdvr.ingest.http.push import MpegTsPush
from flussdvr.ingest.publish.publications import ALREADY_PUBLISHED, UNKNOWN_STREAM, PublishRefused
from flussdvr.ingest.publish.publications import Publishers as PublishPoints
from flussdvr.web.http.site import DvrRequest, Publication

KINDS = {UNKNOWN_STREAM: Kind.NOT_FOUND, ALREADY_PUBLISHED: Kind.CONFLICT}
"""Every other refusal is DENIED."""


class HttpPublishers:
    def __init__(self, points: PublishPoints, clock: IReactorTime) -> None:
        self._points = points
        self._clock = clock

    def publish(self, name: str, request: DvrRequest, password: str | None, transport: IPushProducer) -> Publication:
        try:
            published = self._points.publish(name, "mpegts", _peer(request), password)
        except PublishRefused as refusal:
            kind = KINDS.get(refusal.code, Kind.DENIED)
            raise DvrError(kind, refusal.code, refusal.title) from None

        def kicked(reason: str) -> None:
            error = DvrError(Kind.DENIED, "access_denied", reason) if published.refused else None
            request.kicked(reason, error)

        published.on_kicked = kicked
        return MpegTsPush(published, self._clock)


def _peer(request: DvrRequest) -> str:
    address: Any = request.getClientAddress()
    host, port = getattr(address, "host", "?"), getattr(address, "port", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
