# mypy: allow-untyped-calls, allow-untyped-decorators
# (twisted.web is not annotated, klein only in part)
"""
From HTTP to the handlers of the API and back.

    request --> gate --> schema (query, body) --> handler(call, ...) --> JSON 200 | nothing 204 | DvrError as JSON

A handler is `async (call, **parts of the path) -> JSON-able | None`; it is given what the schema has let through.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException

from flussdvr.errors import DvrError, Kind
from flussdvr.logs.redaction import redact_request
from flussdvr.logs.repeated import Repeated, where
from flussdvr.threads import Worker
from flussdvr.web.api.schema import Schema
from flussdvr.web.http.auth import Account, Gate
from flussdvr.web.http.site import PREFLIGHT, DvrRequest, write_error

GZIP_FROM = 1400
LARGE = 8 << 10
"""Bytes of a body that take the reactor about a millisecond to check; larger ones are checked by the worker."""
T = TypeVar("T")
ANONYMOUS = Account("anonymous", False)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks (`account`), the `query`, the parsed `body` (`None` if there was none)."""

    request: DvrRequest
    account: Account
    query: dict[str, str]
    body: Any

    @property
    def secrets(self) -> bool:
        return self.account.edit

    def prefers(self, preference: str) -> bool:
        """Whether the request has this preference, as `return=representation`. RFC 7240."""
        given = (self.request.getHeader("prefer") or "").lower().replace('"', "").split(",")
        return any("".join(one.partition(";")[0].split()) == preference for one in given)

    def accepts(self, content_type: str) -> bool:
        """Whether the request prefers this type to JSON."""
        accept = self.request.getHeader("accept") or ""
        return content_type in accept and "application/json" not in accept.partition(content_type)[0]


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON."""

    data: bytes
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Packed:
    """JSON that was written and compressed elsewhere, as it is too much for the reactor."""

    data: bytes
    gzip: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON with another status than 200."""

    status: int
    document: Any


Handler = Callable[..., Awaitable[Any]]
Exposition = Callable[[bool], Awaitable[Text]]
"""The metrics as OpenMetrics: all, or those of the streams only."""


class Router:
    """
    Routes of the API under one base. `schema`: what requests must look like; without, nothing is checked. `worker`:
    where large bodies are read and checked, so that the reactor does not wait for them.
    """

    log = Logger()

    def __init__(self, gate: Gate, schema: Schema | None, clock: IReactorTime, worker: Worker | None = None) -> None:
        self.gate = gate
        self.worker = worker
        self.schema = schema
        self.clock = clock
        self._troubles = Repeated(self.log, clock.seconds)
        self.app = Klein()
        self.app.url_map.merge_slashes = False
        self.app.url_map.redirect_defaults = False
        self.app.handle_errors(CancelledError)(lambda request, failure: b"")
        self.app.handle_errors(DvrError)(self._refused)
        self.app.handle_errors(HTTPException)(self._unroutable)
        self.app.handle_errors(Exception)(self._crashed)

    def resource(self) -> IResource:
        return self.app.resource()

    def get(self, path: str, public: bool = False) -> Callable[[Handler], Handler]:
        return self.route(path, "GET", public)

    def put(self, path: str) -> Callable[[Handler], Handler]:
        return self.route(path, "PUT")

    def post(self, path: str) -> Callable[[Handler], Handler]:
        return self.route(path, "POST")

    def delete(self, path: str) -> Callable[[Handler], Handler]:
        return self.route(path, "DELETE")

    def route(
        self, path: str, method: str, public: bool = False, edit: bool | None = None, text: bool = False
    ) -> Callable[[Handler], Handler]:
        """`public`: for everybody; `edit`: not for viewers, by default all but GET; `text`: the body is no JSON."""
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        needs_edit = method != "GET" if edit is None else edit

        def register(handler: Handler) -> Handler:
            async def serve(request: DvrRequest, **parts: str) -> bytes:
                account = ANONYMOUS if public else await self.gate.admit(request, needs_edit)
                query = self._query(request)
                data = request.content.getvalue() if method != "GET" else b""
                if len(data) <= LARGE:
                    body = self._checked(path, method, query, data, text)
                else:
                    body = await self.compute(self._checked, path, method, query, data, text)
                answer = await handler(Call(request, account, query, body), **parts)
                return _write(request, answer)

            serve.__name__ = f"{method.lower()}_{handler.__name__}"
            self.app.route(path, methods=methods)(serve)
            self._preflight(path)
            return handler

        return register

    def _preflight(self, path: str) -> None:
        def options(request: DvrRequest, **parts: str) -> bytes:
            for name, value in PREFLIGHT.items():
                request.setHeader(name, value)
            request.setResponseCode(204)
            return b""

        if not any(rule.rule == path and "OPTIONS" in (rule.methods or ()) for rule in self.app.url_map.iter_rules()):
            options.__name__ = f"options_{path}"
            self.app.route(path, methods=["OPTIONS"])(options)

    def _query(self, request: DvrRequest) -> dict[str, str]:
        _, _, query = request.uri.decode("ascii").partition("?")
        try:
            return dict(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100))
        except ValueError:
            raise DvrError(Kind.BAD_REQUEST, "bad_request", "the query is not UTF-8, or too long") from None

    async def compute(self, f: Callable[..., T], *args: Any) -> T:
        """What may take long, in the worker if there is one. Pure functions only."""
        return f(*args) if self.worker is None else await self.worker.do(f, *args)

    def _checked(self, path: str, method: str, query: Mapping[str, str], data: bytes, text: bool) -> Any:
        """The body, once it and the query are what the schema says. In a thread, where it is large. DvrError."""
        body = _body(data, text)
        if self.schema is not None:
            self.schema.check(path, method.lower(), query, body)
        return body

    # -- errors -----------------------------------------------------------------------------------------------

    def _refused(self, request: Any, failure: Failure) -> bytes:
        assert isinstance(failure.value, DvrError)
        if failure.value.status >= 500:
            fields = {"uri": redact_request(request.uri), "error": str(failure.value)}
            self._troubles.error((failure.value.code, failure.value.title), "{uri}: {error}", **fields)
        return write_error(request, failure.value)

    def _unroutable(self, request: Any, failure: Failure) -> bytes:
        if getattr(failure.value, "code", None) == 405:
            allowed = ", ".join(sorted(getattr(failure.value, "valid_methods", None) or ()))
            request.setHeader(b"allow", allowed.encode())
            return write_error(request, DvrError(Kind.BAD_REQUEST, "unknown_operation", "no such method here"), 405)
        return write_error(request, DvrError(Kind.NOT_FOUND, "not_found", "there is nothing here"))

    def _crashed(self, request: Any, failure: Failure) -> bytes:
        fields = {"method": request.method.decode("latin-1"), "uri": redact_request(request.uri)}
        self._troubles.failure(where(failure), "{method} {uri} failed", failure, **fields)
        return write_error(request, DvrError(Kind.INTERNAL, "internal_error", "internal error"))


def _body(data: bytes, text: bool) -> Any:
    """Bytes where a text is wanted, else JSON, whatever its type is said to be: `curl --data` says it is a form."""
    if not data.strip():
        return None
    return data if text else read_json(data)


def read_json(data: bytes) -> Any:
    """DvrError BAD_REQUEST `bad_json`."""
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        title = f"the body is not JSON: {error}"
        raise DvrError(Kind.BAD_REQUEST, "bad_json", title, {"pointer": ""}) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _write(request: DvrRequest, answer: Any) -> bytes:
    if answer is None:
        request.setResponseCode(204)
        return b""
    if isinstance(answer, Answer):
        request.setResponseCode(answer.status)
        answer = answer.document
    if isinstance(answer, Text):
        data, content_type = answer.data, answer.content_type
    elif isinstance(answer, Packed):
        data, content_type = answer.data, "application/json"
    else:
        data, content_type = (
            json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n",
            "application/json",
        )
    request.setHeader(b"content-type", content_type.encode())
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"vary", b"Accept-Encoding")
    if len(data) >= GZIP_FROM and "gzip" in (request.getHeader("accept-encoding") or ""):
        request.setHeader(b"content-encoding", b"gzip")
        data = answer.gzip if isinstance(answer, Packed) else gzip.compress(data, 1, mtime=0)
    request.setHeader(b"content-length", str(len(data)).encode())
    return b"" if request.method == b"HEAD" else data


__all__ = ["ANONYMOUS", "Answer", "Call", "Packed", "Router", "Text"]
