# mypy: allow-untyped-calls, allow-untyped-decorators
# (twisted.web is not annotated, klein only in part)
"""
What is not under a stream's name: the page of streams and the liveness of the server.

    /                                          every stream with its URLs
    /streamer/api/v3/monitoring/liveness       {"server_version", "now" (ms), "started_at" (s)}
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any
from urllib.parse import quote

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from werkzeug.exceptions import HTTPException
from zope.interface import implementer

from flussdvr import __version__
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.sources import Streams
from flussdvr.web.site import DvrRequest, write_error

API_BASES = ("/streamer/api/", "/flussonic/api/")


class AdminSite:
    _app = Klein()
    _app.url_map.merge_slashes = False

    def __init__(
        self,
        streams: Streams,
        now_ms: Callable[[], int],
        admit: Callable[[DvrRequest], Awaitable[object]] | None = None,
    ) -> None:
        self.admit = admit
        self.streams = streams
        self.now_ms = now_ms
        self.started_ms = now_ms()

    def resource(self) -> IResource:
        return self._app.resource()

    @_app.route("/", methods=["GET", "HEAD"])
    async def index(self, request: DvrRequest) -> bytes:
        """Every stream with what can be played of it, for those whom `admit` lets in."""
        if self.admit is not None:
            await self.admit(request)
        rows = []
        for name in sorted(self.streams.names()):
            archive = self.streams.archive(name)
            bounds = archive.bounds if archive is not None else None
            urls = [f"/{quote(name)}/index.m3u8", f"/{quote(name)}/mpegts", f"/{quote(name)}/recording_status.json"]
            if bounds is not None:
                hour = max(bounds.begin_ms, bounds.end_ms - 3_600_000) // 1000
                urls += [f"/{quote(name)}/archive-{hour}-now.m3u8", f"/{quote(name)}/archive-{hour}-3600.mp4"]
            links = " ".join(f'<a href="{escape(url)}">{escape(url.rsplit("/", 1)[1])}</a>' for url in urls)
            rows.append(f"<li>{escape(name)}: {links}</li>")
        page = f"<!doctype html><meta charset=utf-8><title>flussdvr</title><h1>flussdvr</h1><ul>{''.join(rows)}</ul>\n"
        return _whole(request, page.encode(), b"text/html; charset=utf-8")

    @_app.route("/streamer/api/v3/monitoring/liveness", methods=["GET", "HEAD"])
    @_app.route("/flussonic/api/v3/monitoring/liveness", methods=["GET", "HEAD"])
    def liveness(self, request: DvrRequest) -> bytes:
        """The process is up."""
        status = {"server_version": __version__, "now": self.now_ms(), "started_at": self.started_ms // 1000}
        return _whole(request, json.dumps(status).encode() + b"\n", b"application/json")

    @_app.handle_errors(DvrError)
    def refused(self, request: Any, failure: Failure) -> bytes:
        error = failure.value
        assert isinstance(error, DvrError)
        return write_error(request, error)

    @_app.handle_errors(HTTPException)
    def unroutable(self, request: Any, failure: Failure) -> bytes:
        if getattr(failure.value, "code", None) == 405:
            return write_error(request, DvrError(Kind.BAD_REQUEST, "unknown_operation", "no such method here"), 405)
        return write_error(request, DvrError(Kind.NOT_FOUND, "not_found", "there is nothing here"))


def _whole(request: DvrRequest, data: bytes, content_type: bytes) -> bytes:
    request.setHeader(b"content-type", content_type)
    request.setHeader(b"cache-control", b"no-cache")
    request.setHeader(b"content-length", str(len(data)).encode())
    return b"" if request.method == b"HEAD" else data


def is_admin(path: bytes) -> bool:
    """Whether a request's path is the API's or the page's, not a stream's."""
    return path == b"/" or path.decode("latin-1").startswith(API_BASES)


@implementer(IResource)
class Root(Resource):
    """The parts of the server under one root. `api` answers what `admin` would answer without it."""

    isLeaf = True

    def __init__(
        self, admin: IResource, media: IResource, api: IResource | None = None, metrics: IResource | None = None
    ) -> None:
        super().__init__()
        self._admin = admin
        self._media = media
        self._api = api or admin
        self._metrics = metrics or admin

    def render(self, request: Any) -> Any:
        part: Any = self._media
        if is_admin(request.path):
            part = self._admin if request.path == b"/" else self._api
        elif request.path == b"/metrics":
            part = self._metrics
        return part.render(request)
