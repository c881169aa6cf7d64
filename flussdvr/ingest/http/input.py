# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
MPEG-TS over HTTP, pulled: `tshttp://[user:password@]host:port/path`, `tshttps://...`.

    Agent.request --> response --deliverBody--> Gather --> TsDemuxer --> sink

One GET whose answer never ends. Redirects are followed (the password does not follow to another host); an answer that
is not 200, or is plainly a page or a playlist, is a failure like a refused connection.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    BrowserLikeRedirectAgent,
    HTTPConnectionPool,
    ResponseDone,
    _HTTP11ClientFactory,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from flussdvr import __version__
from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.ingest.failures import why
from flussdvr.ingest.http.gather import Gather
from flussdvr.ingest.source import Input, State, program_of
from flussdvr.logs.redaction import redact_url

REDIRECTS_MAX = 5
CONNECT_TIMEOUT_S = 10.0
NOT_MEDIA = ("text/", "image/", "application/json", "application/xml", "application/vnd.apple.mpegurl")


class _QuietFactory(_HTTP11ClientFactory):
    """Twisted's, without a line in the log for every connection."""

    noisy = False


class TsHttpInput(Input):
    """A server's endless answer."""

    longest_wait_s = 9.0  # with jitter at most 10 s: what another server sends is missed for no longer than that

    _request: Deferred[IResponse] | None = None
    _body: _Body | None = None
    _preferred: int | None = None

    def open(self) -> None:
        url, headers = request_of(self.url, self.options.get("user_agent"))
        self._request = request = self.agent().request(b"GET", url, headers)
        request.addCallbacks(self._answered, self._refused)
        request.addErrback(self._broken)

    def close(self) -> None:
        request, self._request = self._request, None
        body, self._body = self._body, None
        if body is not None:
            self._preferred = body.demuxer.program or self._preferred
            body.stop()
        if request is not None:
            request.cancel()

    def agent(self) -> IAgent:
        """Who makes the connections; a new one for each, which is never used again."""
        timeout_s = min(self.timeout_s or CONNECT_TIMEOUT_S, CONNECT_TIMEOUT_S)
        policy = BrowserLikePolicyForHTTPS()
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        pool._factory = _QuietFactory
        agent = Agent(self._reactor, policy, connectTimeout=timeout_s, pool=pool)
        return BrowserLikeRedirectAgent(agent, redirectLimit=REDIRECTS_MAX)

    def complaint(self) -> str | None:
        return None if self._body is None or not self.position else self._body.demuxer.complaint()

    def chunk_received(self, data: bytes) -> None:
        self.counters.bytes += len(data)

    def _answered(self, response: Any) -> None:
        self._request = None
        if self.state is not State.CONNECTING:
            response.deliverBody(_Refused())
            return
        kind = (response.headers.getRawHeaders("content-type") or [""])[0].lower()
        if response.code != 200:
            reason = f"HTTP {response.code} {response.phrase.decode('latin-1')}".strip()
        elif kind.startswith(NOT_MEDIA):
            reason = f"the server answers with {kind}, not with MPEG-TS"
        else:
            redirected = response.previousResponse is not None
            url = redact_url(response.request.absoluteURI.decode("latin-1")) if redirected else None
            self.opened(status=response.code, redirected_to=url)
            demuxer = TsDemuxer(program_of(self.options), self._preferred)
            self._body = _Body(self, self._reactor, demuxer)
            response.deliverBody(self._body)
            return
        response.deliverBody(_Refused())
        self.lost(reason)

    def _refused(self, failure: Failure) -> None:
        request, self._request = self._request, None
        if request is not None:  # else we have cancelled it ourselves
            self.lost(_sentence(failure))

    def _broken(self, failure: Failure) -> None:
        self.crashed(failure)


class _Body(Protocol):
    """The answer's body, until it ends or `stop`."""

    def __init__(self, source: TsHttpInput, reactor: IReactorTime, demuxer: TsDemuxer) -> None:
        self.demuxer = demuxer
        self._source: TsHttpInput | None = source
        self._gather = Gather(reactor, self._gathered)

    def dataReceived(self, data: bytes) -> None:
        if self._source is not None:
            self._source.chunk_received(data)
            self._gather.add(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gather.flush()
        if self._source is not None:
            self._source.guarded(self._flush, self._source)
        if self._source is not None:
            self._source.lost(_sentence(reason))

    def _flush(self, source: TsHttpInput) -> None:
        source.received(self.demuxer.flush())

    def stop(self) -> None:
        self._source = None
        self._gather.clear()
        _hang_up(self.transport)

    def _gathered(self, data: bytes) -> None:
        if self._source is not None:
            self._source.guarded(self._feed, self._source, data)

    def _feed(self, source: TsHttpInput, data: bytes) -> None:
        try:
            source.received(self.demuxer.feed(data))
        except FormatError as error:
            source.lost(str(error))


class _Refused(Protocol):
    """A body that nobody wants."""

    def connectionMade(self) -> None:
        _hang_up(self.transport)


def _hang_up(transport: Any) -> None:
    if transport is not None:
        getattr(transport, "abortConnection", transport.loseConnection)()


def _sentence(failure: Failure) -> str:
    if isinstance(failure.value, (ResponseDone, PotentialDataLoss, ConnectionDone)):
        return "the server has ended the stream"
    reasons = getattr(failure.value, "reasons", None)  # ResponseFailed wraps what happened
    return why(reasons[0] if reasons else failure)


def request_of(url: str, user_agent: str | None = None) -> tuple[bytes, Headers]:
    """The `http` URL and the headers for a `tshttp` one: user and password become an Authorization header."""
    parts = urlsplit(url)
    scheme = parts.scheme.removeprefix("ts")
    headers = Headers({"user-agent": [user_agent or f"flussdvr/{__version__}"], "accept": ["video/mp2t, */*"]})
    if parts.username is not None:
        word = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.setRawHeaders("authorization", [f"Basic {b64encode(word.encode()).decode()}"])
    plain = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))
    return plain.encode("ascii", "strict" if plain.isascii() else "ignore"), headers
