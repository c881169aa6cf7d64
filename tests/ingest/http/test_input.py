"""MPEG-TS pulled over HTTP: through Twisted's own client and server in memory, and by scripted answers."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import BrowserLikeRedirectAgent, ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.util import Redirect

from flussdvr.ingest.http.input import TsHttpInput, request_of
from flussdvr.ingest.source import State
from flussdvr.media import Codec
from tests.ingest.sinks import RecordingSink, media

URL = "tshttp://joe:s%20ecret@cam.example/live/mpegts?x=1"


class Wire:
    """Stands for a connection."""

    closed = False

    def loseConnection(self) -> None:
        self.closed = True


class Answer:
    """A response that the test feeds."""

    def __init__(self, code: int = 200, content_type: str = "video/mp2t") -> None:
        self.code, self.phrase = code, b"Because"
        self.headers = Headers({"content-type": [content_type]})
        self.wire = Wire()
        self.body: Any = None
        self.previousResponse: Any = None

    def deliverBody(self, body: Any) -> None:
        self.body = body
        body.makeConnection(self.wire)


class Asked:
    """An agent that keeps its requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes, Any, Deferred[Any]]] = []
        self.cancelled = 0

    def request(self, method: bytes, url: bytes, headers: Any = None, body: Any = None) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred(self._cancel)
        self.requests.append((method, url, headers, answer))
        return answer

    def _cancel(self, answer: Deferred[Any]) -> None:
        self.cancelled += 1

    def answer(self, response: Any) -> None:
        self.requests[-1][3].callback(response)


class Pull:
    def __init__(self, url: str = URL, **options: Any) -> None:
        self.clock = Clock()
        self.sink = RecordingSink()
        self.agent: Any = Asked()
        self.input = TsHttpInput(url, self.sink, self.clock, **options)
        self.input.agent = lambda: self.agent  # type: ignore[method-assign]


@pytest.fixture
def pull() -> Pull:
    made = Pull()
    made.input.startService()
    return made


def test_an_endless_answer(pull: Pull) -> None:
    method, url, headers, _ = pull.agent.requests[0]
    assert (method, url) == (b"GET", b"http://cam.example/live/mpegts?x=1")
    assert headers.getRawHeaders("authorization") == ["Basic " + b64encode(b"joe:s ecret").decode()]
    answer = Answer()
    pull.agent.answer(answer)
    assert pull.input.state is State.CONNECTED
    data = media("mpegts")
    for at in range(0, len(data), 1000):
        answer.body.dataReceived(data[at : at + 1000])
    pull.clock.advance(0.05)
    assert pull.input.state is State.RECEIVING
    assert [t.codec for t in pull.sink.tracks] == [Codec.H264, Codec.AAC]
    assert pull.input.counters.bytes == len(data)
    pull.input.stopService()
    assert answer.wire.closed and not pull.clock.getDelayedCalls()
    answer.body.connectionLost(Failure(ResponseDone()))
    assert not pull.sink.named("lost")


def test_the_end_is_a_loss_and_nothing_whole_is_dropped(pull: Pull) -> None:
    answer = Answer()
    pull.agent.answer(answer)
    answer.body.dataReceived(media("mpegts"))
    answer.body.connectionLost(Failure(ResponseDone()))
    assert pull.sink.calls[-1] == ("lost", "the server has ended the stream")
    assert len(pull.sink.samples[pull.sink.tracks[0].id]) == 50
    pull.clock.advance(2.1)
    assert len(pull.agent.requests) == 2


def test_silence(pull: Pull) -> None:
    answer = Answer()
    pull.agent.answer(answer)
    answer.body.dataReceived(bytes(188))
    pull.clock.pump([0.5] * 21)
    assert pull.sink.calls == [("lost", "no media for 10 s: this is no MPEG-TS")]
    assert answer.wire.closed


def test_no_answer(pull: Pull) -> None:
    pull.clock.advance(10.1)
    assert pull.sink.calls == [("lost", "no media for 10 s")]
    assert pull.agent.cancelled == 1
    assert pull.input.state is State.WAITING


def test_stopped_before_the_answer(pull: Pull) -> None:
    pull.input.stopService()
    assert pull.agent.cancelled == 1
    assert not pull.sink.calls and not pull.clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("code", "content_type", "reason"),
    [
        (404, "video/mp2t", "HTTP 404 Because"),
        (206, "video/mp2t", "HTTP 206 Because"),
        (200, "text/html; charset=utf-8", "the server answers with text/html; charset=utf-8, not with MPEG-TS"),
        (
            200,
            "application/vnd.apple.mpegurl",
            "the server answers with application/vnd.apple.mpegurl, not with MPEG-TS",
        ),
    ],
)
def test_answers_that_are_no_stream(pull: Pull, code: int, content_type: str, reason: str) -> None:
    answer = Answer(code, content_type)
    pull.agent.answer(answer)
    assert pull.sink.calls == [("lost", reason)]
    assert answer.wire.closed


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ConnectionRefusedError("111"), "connection refused"),
        (ResponseFailed([Failure(OSError("reset"))]), "reset"),
    ],
)
def test_refused(pull: Pull, failure: Exception, reason: str) -> None:
    pull.agent.requests[-1][3].errback(Failure(failure))
    assert pull.sink.calls == [("lost", reason)]
    assert pull.input.counters.failed == 1


def test_never_a_tight_loop(pull: Pull) -> None:
    """A server that takes each connection and drops it at once."""

    def drop() -> None:
        if not pull.agent.requests[-1][3].called:
            answer = Answer()
            pull.agent.answer(answer)
            answer.body.connectionLost(Failure(ResponseDone()))

    for _ in range(2400):
        drop()
        pull.clock.advance(0.25)
    assert 600 / 10.5 < len(pull.agent.requests) < 80, "at least every 10 s, and no more than the back-off wants"


class Stream(Resource):
    isLeaf = True
    seen: list[str | None] = []

    def render_GET(self, request: Any) -> bytes:
        self.seen.append(request.getHeader("authorization"))
        request.setHeader(b"content-type", b"video/mp2t")
        return media("mpegts")


def test_through_the_real_client_and_a_redirect() -> None:
    root, stream = Resource(), Stream()
    root.putChild(b"live", Redirect(b"http://cam.example/moved"))
    root.putChild(b"moved", stream)
    made = Pull("tshttp://joe:secret@cam.example/live")
    wire = RequestTraversalAgent(root)
    made.agent = BrowserLikeRedirectAgent(wire)
    made.input.startService()
    for _ in range(10):
        wire.flush()
    assert made.sink.calls[-1] == ("lost", "the server has ended the stream")
    assert len(made.sink.samples[made.sink.tracks[0].id]) == 50
    assert stream.seen == ["Basic " + b64encode(b"joe:secret").decode()]
    made.input.stopService()


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("tshttp://a", b"http://a/"),
        ("tshttps://u:p@a:8443/x/y?z=1&w", b"https://a:8443/x/y?z=1&w"),
        ("tshttp://[::1]:80/x", b"http://[::1]:80/x"),
    ],
)
def test_urls(url: str, asked: bytes) -> None:
    assert request_of(url)[0] == asked
    assert request_of("tshttp://a", "VLC")[1].getRawHeaders("user-agent") == ["VLC"]
