from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from flussdvr.access.backend import AT_ONCE, MAX_BODY, TIMEOUT_S, HttpBackend, question_url
from flussdvr.access.verdict import BackendFailed


class Response:
    def __init__(self, code: int, headers: dict[str, list[str]], body: bytes) -> None:
        self.code, self.headers, self.body = code, Headers(headers), body  # type: ignore[arg-type]

    def deliverBody(self, protocol: Any) -> None:
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


class Client:
    """Looks like treq's."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Deferred[Any]] = []

    def get(self, url: str, **options: Any) -> Deferred[Any]:
        self.requests.append((url, options))
        self.answers.append(Deferred())
        return self.answers[-1]

    post = get


case = SynchronousTestCase()


def test_one_question() -> None:
    client, clock = Client(), Clock()
    asking = Deferred.fromCoroutine(HttpBackend(clock, client).ask("http://u:p@x:5/auth?a=1#f", [("name", "ö/&")]))
    url, options = client.requests[0]
    assert url == "http://x:5/auth?a=1&name=%C3%B6%2F%26"
    assert options["auth"] == ("u", "p") and options["allow_redirects"] is False
    client.answers[0].callback(Response(200, {"X-AuthDuration": ["7"], "Set-Cookie": ["x"]}, b"ok"))
    reply = case.successResultOf(asking)
    assert (reply.status, reply.headers, reply.body) == (200, {"x-authduration": "7"}, b"ok")


def test_a_backend_that_hangs_fails() -> None:
    clock = Clock()
    asking = Deferred.fromCoroutine(HttpBackend(clock, Client()).ask("http://x/", []))
    clock.advance(TIMEOUT_S)
    case.failureResultOf(asking, BackendFailed)


def test_a_backend_that_is_not_there_fails() -> None:
    client = Client()
    asking = Deferred.fromCoroutine(HttpBackend(Clock(), client).ask("http://x/", []))
    client.answers[0].errback(ConnectionRefusedError())
    case.failureResultOf(asking, BackendFailed)


def test_a_backend_that_talks_too_much_fails() -> None:
    client = Client()
    asking = Deferred.fromCoroutine(HttpBackend(Clock(), client).ask("http://x/", []))
    client.answers[0].callback(Response(200, {}, b"x" * (MAX_BODY + 1)))
    case.failureResultOf(asking, BackendFailed)


def test_not_everything_is_asked_at_once() -> None:
    client, clock = Client(), Clock()
    backend = HttpBackend(clock, client)
    asking = [Deferred.fromCoroutine(backend.ask("http://x/", [])) for _ in range(AT_ONCE + 1)]
    assert len(client.requests) == AT_ONCE
    client.answers[0].callback(Response(200, {}, b""))
    assert len(client.requests) == AT_ONCE + 1
    clock.advance(TIMEOUT_S)
    for one in asking[1:]:
        case.failureResultOf(one, BackendFailed)


def test_addresses() -> None:
    assert question_url("https://x/a", [("b", "c")]) == ("https://x/a?b=c", None)
    assert question_url("http://x", []) == ("http://x/", None)


def test_a_question_about_a_publisher_is_posted() -> None:
    client = Client()
    asking = Deferred.fromCoroutine(HttpBackend(Clock(), client).post("http://x/p?a=1", [("name", "ort")]))
    url, options = client.requests[0]
    assert url == "http://x/p?a=1" and options["data"] == b'{"name": "ort"}'
    client.answers[0].callback(Response(200, {}, b""))
    assert case.successResultOf(asking).status == 200
