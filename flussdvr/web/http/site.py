# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The HTTP server: twisted.web's, with bodies that stream and a log with fields.

    Site
      Channel        one connection
      DvrRequest     `POST|PUT {name}/mpegts`: the body goes to the ingest chunk by chunk WHILE it arrives
                     any other body: in RAM, at most `MAX_BODY`, and `MAX_BODIES` all together
                     every answer: Server, CORS; errors as JSON, never a traceback or HTML

A publisher is admitted when its headers have come (`gotLength`): a refusal must not wait for the end of a body that
has none.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, AnyStr, Protocol
from urllib.parse import unquote_to_bytes

from twisted.internet import tcp
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.server import Site as WebSite

from flussdvr import __version__
from flussdvr.errors import DvrError, Kind
from flussdvr.logs.redaction import redact_request
from flussdvr.urls.paths import parse
from flussdvr.urls.values import LiveTs
from flussdvr.web.http.channel import QUIET_S, Channel
from flussdvr.web.http.facts import Facts
from flussdvr.web.http.send_completion import SMALL, SendCompletion, unsent, unwritten

log = Logger()

SERVER = f"flussdvr/{__version__}".encode()
MAX_BODY = 1 << 20
SMALL_BODY = 16 << 10
"""What of a body does not count: as much as a request's head."""
MAX_BODIES = 64 << 20
"""Bytes of the bodies of all requests under way. Credentials are not checked before a body is complete."""
LINGER_S = 2.0
"""How long what a refused publisher still sends is read and forgotten, so that it can read the answer."""
EXPOSED = (
    "Content-Length, Content-Range, Accept-Ranges, Content-Disposition, ETag, Date, Last-Modified, Location, "
    "X-Session, X-Prepare-Time, X-Thumbnail-Utc, X-Thumbnail-Utc-Ms"
)
CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-expose-headers": EXPOSED.encode(),
}
PREFLIGHT = {
    b"access-control-allow-methods": b"GET, HEAD, POST, PUT, DELETE, OPTIONS",
    b"access-control-allow-headers": b"Range, Authorization, Content-Type, If-Range, If-None-Match, X-Originator",
    b"access-control-allow-private-network": b"true",
    b"access-control-max-age": b"86400",
}
GUARDS = frozenset({"x-csrf-token", "x-requested-with"})
"""By these headers the page proves that it is ours: no other origin may send them."""
MAX_ASKED_HEADERS = 20
_FIELD_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
EVERY_PAGE = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"no-referrer"}
"""Headers of pages, and of the files that belong to them."""


def player_preflight(asked: str | None) -> dict[bytes, bytes]:
    """
    The headers of an answer to a player's preflight (Fetch standard, CORS-preflight fetch).

    `asked`: its `Access-Control-Request-Headers`. Players bring headers of their own (the vendor's sends `session`);
    each is allowed by name, since `*` would not mean `Authorization`.
    """
    names = [name.strip().lower() for name in (asked or "").split(",", MAX_ASKED_HEADERS)[:MAX_ASKED_HEADERS]]
    known = PREFLIGHT[b"access-control-allow-headers"].decode()
    fixed = {name.strip().lower() for name in known.split(",")} | GUARDS | {"cookie", "*"}
    more = [name for name in dict.fromkeys(names) if _FIELD_NAME.fullmatch(name) and name not in fixed]
    return {
        **PREFLIGHT,
        b"access-control-allow-headers": ", ".join([known, *more]).encode("ascii"),
        b"vary": b"Access-Control-Request-Headers",
    }


class Publication(Protocol):
    """One publisher's bytes on their way in; the web's side of the ingest."""

    def data_received(self, data: bytes) -> None: ...

    def finished(self, reason: str) -> None: ...


class Publishers(Protocol):
    def publish(self, name: str, request: DvrRequest, password: str | None, transport: IPushProducer) -> Publication:
        """
        Begin to take a stream's bytes. `transport` may be paused while the ingest is full; `request.kicked` sends the
        publisher away.

        Raises `DvrError`: NOT_FOUND, DENIED, CONFLICT.
        """


class NoPublishers:
    """For a site that takes nothing in."""

    def publish(self, name: str, request: DvrRequest, password: str | None, transport: IPushProducer) -> Publication:
        raise DvrError(Kind.NOT_FOUND, "stream_not_found", "nothing can be published here")


def error_body(error: DvrError, status: int | None = None) -> bytes:
    """An error in the product's one form: the old `error` and the new `errors` side by side."""
    entry: dict[str, Any] = {"status": str(status or error.status), "code": error.code, "title": error.title}
    if error.source:
        entry["source"] = error.source
    return json.dumps({"error": error.code, "errors": [entry]}).encode() + b"\n"


def write_error(request: Request, error: DvrError, status: int | None = None) -> bytes:
    """Set status and headers for an error; returns its body (empty for HEAD)."""
    code = status or error.status
    request.setResponseCode(code, HTTPStatus(code).phrase.encode())  # Twisted does not know all of them
    for name in (b"etag", b"content-disposition", b"content-encoding", b"last-modified", b"accept-ranges"):
        request.responseHeaders.removeHeader(name)
    body = error_body(error, status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"content-length", str(len(body)).encode())
    return b"" if request.method == b"HEAD" else body


class DvrRequest(Request):
    """One request. `facts`: what is found out about it on its way."""

    defaultContentType = None
    content: BytesIO
    channel: Any

    def break_off(self) -> None:
        """Break the connection: the only way to say in the middle of a body that the rest will not come."""
        transport = getattr(self.channel, "transport", None)
        if transport is not None:
            transport.abortConnection()

    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        self.facts = Facts()
        self.begun: float = channel.site.clock.seconds()
        self.finished_s = self.begun
        self.answered = False
        self._completion: SendCompletion | None = None
        before: SendCompletion | None = getattr(channel, "completion", None)
        if before is not None:
            before.settle()
        self._publication: Publication | None = None
        self._logged = False
        self._site: Site = channel.site
        self._counted = 0

    @property
    def is_publishing(self) -> bool:
        return self._publication is not None

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """As that of twisted.web, for whatever bytes a client may send."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode("ascii"))
        return None if value is None else value.decode("utf-8", "replace")

    # -- the body on its way in ---------------------------------------------------------------------------------------

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        command = self.channel._command
        if command in (b"POST", b"PUT"):
            self.method, self.uri, self.clientproto = command, self.channel._path, self.channel._version
            self._begin_publishing()
        if length is not None and length > MAX_BODY and self._publication is None and not self.answered:
            self._answer_early(DvrError(Kind.BAD_REQUEST, "body_too_large", f"at most {MAX_BODY} bytes"), 413)

    def handleContentChunk(self, data: bytes) -> None:
        if self._publication is not None:
            try:
                self._publication.data_received(data)
            except DvrError as error:
                self._publication = None
                self._answer_early(error)
        elif not self.answered:
            self.content.write(data)
            self._count_body(self.content.tell())

    def _count_body(self, size: int) -> None:
        if size > MAX_BODY:
            self._answer_early(DvrError(Kind.BAD_REQUEST, "body_too_large", f"at most {MAX_BODY} bytes"), 413)
            return
        before, self._counted = self._counted, max(0, size - SMALL_BODY)
        self._site.bodies += self._counted - before
        if self._site.bodies > MAX_BODIES:
            self._answer_early(DvrError(Kind.UNAVAILABLE, "busy", "too many requests have large bodies just now"))

    def _forget_body(self) -> None:
        self._site.bodies -= self._counted
        self._counted = 0

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            self.method, self.uri, self.clientproto = command, path, version
            publication.finished("the publisher has finished")
            self._common_headers()
            self.setResponseCode(204)
            self.finish()
        elif not self.answered:
            super().requestReceived(command, path, version)

    def connectionLost(self, reason: Failure) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            publication.finished("the publisher has gone")
        self._forget_body()
        if not self.finished:
            self.log_access(aborted=True)
        super().connectionLost(reason)

    def finish(self) -> None:
        self._forget_body()
        super().finish()

    def kicked(self, reason: str, error: DvrError | None = None) -> None:
        """The publisher has to go, in the middle of its body."""
        if self._publication is not None:
            self._publication = None
            self._answer_early(error or DvrError(Kind.CONFLICT, "publisher_kicked", reason))

    def _begin_publishing(self) -> None:
        path, _, query = self.uri.partition(b"?")
        try:
            parsed = parse(path.decode("latin-1"), query.decode("latin-1"))
        except DvrError:
            return  # not a media URL: the API's, perhaps
        if isinstance(parsed, LiveTs):
            publishers: Publishers = self.channel.site.publishers
            try:
                password = parsed.parameter("password") or parsed.parameter("token")
                password = password or self.getPassword().decode("utf-8", "replace") or None
                self._publication = publishers.publish(parsed.name, self, password, self.channel.transport)
            except DvrError as error:
                self._answer_early(error)

    def _answer_early(self, error: DvrError, status: int | None = None) -> None:
        """Answer before the body's end, and forget all of it."""
        self.answered = True
        self._forget_body()
        self.content = BytesIO()
        self.method = getattr(self.channel, "_command", b"POST")
        self.uri = getattr(self.channel, "_path", b"")
        self.clientproto = getattr(self.channel, "_version", b"HTTP/1.1")
        self._common_headers()
        body = write_error(self, error, status)
        self.setHeader(b"connection", b"close")
        self.write(body)
        self.log_access()
        transport = self.channel.transport
        half_close = getattr(transport, "loseWriteConnection", None)
        if half_close is None:
            transport.loseConnection()
            return
        half_close()
        self.channel.site.clock.callLater(LINGER_S, transport.abortConnection)

    # -- the answer ---------------------------------------------------------------------------------------------------

    def process(self) -> None:
        self._common_headers()
        problem = self._unreadable()
        if problem:
            self.write(write_error(self, DvrError(Kind.BAD_REQUEST, "bad_request", problem)))
            self.finish()
        else:
            super().process()

    def write(self, data: bytes) -> None:
        if not self.startedWriting:
            self.setHeader(b"server", SERVER)  # twisted.web's process() has put its own name there
            if self.facts.private:
                self._keep_private()
        super().write(data)

    def _keep_private(self) -> None:
        """Without Cache-Control, a shared cache may reuse the answer for everybody (RFC 9111 section 4.2.2)."""
        kept: bytes = (self.responseHeaders.getRawHeaders(b"cache-control") or [b""])[0]
        if kept != b"no-store":
            rest = kept.removeprefix(b"public").lstrip(b", ")
            self.setHeader(b"cache-control", b"private, " + rest if rest else b"private")

    def processingFailed(self, reason: Failure) -> Any:
        """Something unforeseen outside of the routes' own error handling."""
        log.failure("{method} {uri} failed", reason, method=self.method, uri=redact_request(self.uri))
        if not self.startedWriting:
            self.write(write_error(self, DvrError(Kind.INTERNAL, "internal_error", "internal error")))
        if not self._disconnected and not self.finished:
            self.finish()
        return reason

    def lost(self, count: int) -> None:
        """So many fragments of what is live are left out of the answer, as the viewer reads too slowly."""
        if self.facts.on_lost is not None:
            self.facts.on_lost(count)

    def log_access(self, aborted: bool = False) -> None:
        """One line for this request, whatever became of it, when all has left that will leave."""
        site = getattr(self.channel, "site", None)
        if self._logged or site is None or self._completion is not None:
            return
        transport = self.channel.transport
        if not aborted and self.sentLength > SMALL and isinstance(transport, tcp.Connection) and transport.connected:
            self._watch(transport, aborted)
        else:
            self._sending_over(site, unwritten(transport) if aborted else 0, aborted)

    def connection_ending(self) -> None:
        """The connection is about to be closed, in the middle of this request."""
        transport = self.channel.transport
        if self.startedWriting and not self._logged and isinstance(transport, tcp.Connection):
            if getattr(transport, "_aborting", False):
                self.facts.unsent = unsent(transport.fileno())
            elif self._completion is None:
                self._watch(transport, True)

    def _watch(self, transport: tcp.Connection, aborted: bool) -> None:
        site = self.channel.site
        try:
            self._completion = SendCompletion(
                site.clock, transport, lambda left: self._sending_over(site, left, aborted)
            )
        except OSError:
            self._sending_over(site, unwritten(transport), aborted)
        else:
            self.channel.completion = self._completion

    def _sending_over(self, site: Site, left: int, aborted: bool) -> None:
        facts = self.facts
        if facts.sent.threads:
            facts.sent.idle = lambda: self._sending_over(site, left, aborted)
        elif not self._logged:
            self._logged = True
            facts.unsent = min(facts.unsent + left, self.sentLength)
            self.finished_s = site.clock.seconds()
            site.accessed(self, aborted and not self._complete())

    def _complete(self) -> bool:
        """Whether the body has left: a client who has all of it may go before we have noticed."""
        (length,) = self.responseHeaders.getRawHeaders(b"content-length", [None])[:1]
        return bool(self.startedWriting) and length is not None and int(length) == self.sentLength - self.facts.unsent

    def _unreadable(self) -> str:
        """Why routing cannot even begin, or nothing."""
        if not self.path.startswith(b"/"):
            return "the request target is not a path"
        if len(self.requestHeaders.getRawHeaders(b"host", [])) > 1:
            return "there is more than one Host"
        try:
            for text in (self.method, self.uri, self.requestHeaders.getRawHeaders(b"host", [b""])[0]):
                text.decode("ascii")
            unquote_to_bytes(self.path).decode("utf-8")
        except UnicodeDecodeError:
            return "the request is neither ASCII nor UTF-8"
        return ""

    def _common_headers(self) -> None:
        for name, value in CORS.items():
            self.setHeader(name, value)


class Site(WebSite):
    """
    `resource` behind HTTP. `on_access(request, aborted)` is told of each request when it is over: what the usage
    events are made of. `is_logged()`: whether each has a line in the log.
    """

    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        resource: IResource,
        reactor: Any,
        publishers: Publishers | None = None,
        on_access: Callable[[DvrRequest, bool], None] = lambda request, aborted: None,
        is_logged: Callable[[], bool] = lambda: True,
    ) -> None:
        options: dict[str, Any] = {"requestFactory": DvrRequest, "reactor": reactor}
        if "parsePOSTFormSubmission" in inspect.signature(WebSite.__init__).parameters:  # newer than Twisted 24.10
            options["parsePOSTFormSubmission"] = False
        super().__init__(resource, **options)
        self.publishers = publishers or NoPublishers()
        self.clock = reactor
        self.bodies = 0
        """Bytes of bodies that are kept, but for the `SMALL_BODY` of each."""
        self._on_access = on_access
        self._is_logged = is_logged
        self._refused_s: float | None = None

    def refused_connection(self, peer: Any) -> None:
        """There is no room for a connection; told once in a while."""
        now = self.clock.seconds()
        if self._refused_s is None or now - self._refused_s >= QUIET_S:
            self._refused_s = now
            log.warn("too many connections: that of {peer} is refused", peer=getattr(peer, "host", "-"))

    def log(self, request: Any) -> None:
        request.log_access()

    def accessed(self, request: DvrRequest, aborted: bool) -> None:
        if self._is_logged():
            self._log_access(request, aborted)
        self._on_access(request, aborted)

    def _log_access(self, request: DvrRequest, aborted: bool) -> None:
        log.info(
            "{peer} {method} {uri} {status} {bytes} bytes (disk {disk}) in {ms} ms{end}",
            peer=getattr(request.getClientAddress(), "host", "-"),
            method=request.method.decode("latin-1"),
            uri=redact_request(request.uri),
            status=request.code,
            bytes=request.sentLength - request.facts.unsent,
            ram=request.facts.sent.ram,
            disk=request.facts.sent.disk,
            ms=int((self.clock.seconds() - request.begun) * 1000),
            session=request.facts.session_id,
            user_agent=(request.getHeader(b"user-agent") or b"").decode("latin-1"),
            end=", aborted" if aborted else "",
        )
