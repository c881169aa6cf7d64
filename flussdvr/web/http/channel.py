# mypy: allow-untyped-calls
# (twisted is annotated only in part)
"""
One HTTP connection: twisted.web's, with bounds against abuse.

    too many connections    closed at once: descriptors are kept for what records
    one byte a minute       a request has to come, whole, in the time that an idle connection has; publishers excepted
    GET http://host/path    as GET /path with that host, as for a proxy (RFC 9112 section 3.2.2)
    thousands of requests   in one go (pipelining): one in each turn of the reactor, so that nobody else waits for all
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from flussdvr.process.descriptors import is_spare

QUIET_S = 60.0
"""So seldom it is logged that connections are refused."""


class Channel(HTTPChannel):
    """Tells its requests when the connection ends, while there still is a socket to look at."""

    site: Any
    transport: Any
    _path: bytes
    _lost = False

    def connectionMade(self) -> None:
        if is_spare(_descriptor(self.transport)):
            super().connectionMade()
            return
        self._lost = True
        self.site.refused_connection(self.transport.getPeer())
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if not self._lost:
            super().dataReceived(data)

    def resetTimeout(self) -> None:
        """Bytes restart the timeout between two requests and while a publisher sends, but not inside a request."""
        is_within = self._buffer or self.requests
        if not is_within or getattr(self.requests[-1] if self.requests else None, "is_publishing", False):
            super().resetTimeout()

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a length of more digits than Python reads
            self._respondToBadRequestAndDisconnect()
            return False

    def allHeadersReceived(self) -> None:
        target = origin_form(self._path)
        if target is not None:
            self._path, authority = target
            headers = self.requests[-1].requestHeaders
            if len(headers.getRawHeaders(b"host", [])) <= 1:  # more are refused
                headers.setRawHeaders(b"host", [authority])
        super().allHeadersReceived()

    def requestDone(self, request: Any) -> None:
        if self._buffer:
            self.site.clock.callLater(0, self._next, request)
        else:
            super().requestDone(request)

    def _next(self, request: Any) -> None:
        if not self._lost:
            super().requestDone(request)

    def stopProducing(self) -> None:
        for request in self.requests:
            if not request.finished:
                request.connection_ending()
        super().stopProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        super().connectionLost(reason)


def origin_form(target: bytes) -> tuple[bytes, bytes] | None:
    """
    Path and query of a request target in absolute form, and its authority, which counts instead of `Host` (RFC 9112
    section 3.2.2); `None` for another form, or one that names nothing or a user.
    """
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    rest: bytes = match[2]
    return rest if rest.startswith(b"/") else b"/" + rest, match[1]


_ABSOLUTE = re.compile(rb"https?://([^/?#@\s]+)((?:[/?][^#\s]*)?)", re.IGNORECASE)


def _descriptor(transport: Any) -> int:
    """The file descriptor of its socket; -1 if it has none."""
    fileno = getattr(transport, "fileno", None)
    return int(fileno()) if fileno is not None else -1
