# mypy: allow-untyped-calls, allow-untyped-decorators
# (twisted.web is not annotated, klein only in part)
"""
The pages: which URL is which file.

    /  /admin  /admin/         index.html    the application
    /{name}/embed.html         embed.html    the player of one stream, for the pages of others
    /ui/assets/NAME-HASH.ext                 never changes under its name
    /ui/NAME.ext                             icons

They are for everybody: no data is in them. A path is looked up among the known names, so that none leads elsewhere;
what it does not find here may be the URL of a stream of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from flussdvr.body.body import Body
from flussdvr.errors import DvrError, Kind
from flussdvr.web.http.sender import Sender
from flussdvr.web.http.site import EVERY_PAGE, PREFLIGHT, DvrRequest, write_error
from flussdvr.web.media.routes import accepts_gzip
from flussdvr.web.ui.files import File

INDEX, EMBED = "index.html", "embed.html"
APPLICATION = frozenset({b"/", b"/admin", b"/admin/"})
EMBED_URL = re.compile(rb"/[^/].*/embed\.html", re.DOTALL)
FRONT, ASSETS = b"/ui/", b"/ui/assets/"
FOREVER = b"public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors "
)
HEADERS: Mapping[str, Mapping[bytes, bytes]] = {
    INDEX: {
        b"content-security-policy": f"{POLICY}'none'".encode(),
        b"cross-origin-opener-policy": b"same-origin",
    },
    EMBED: {b"content-security-policy": f"{POLICY}*".encode()},
}
NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>flussdvr</title>
<h1>The page has not been built</h1>
<p>The server works; the files of its web page are missing in this checkout. Run <code>make ui</code> in it, and start
the server again.</p>
</html>
"""


class Pages:
    """`files` by their paths. `hides(request)`: whether a listener is for viewers only, who are not shown `INDEX`."""

    _app = Klein()

    def __init__(
        self, files: Mapping[str, File], sender: Sender, hides: Callable[[DvrRequest], bool] = lambda request: False
    ) -> None:
        self.files = files
        self.sender = sender
        self.hides = hides
        self._known = {FRONT + path.encode(): path for path in files if path not in HEADERS}

    def resource(self) -> IResource:
        return self._app.resource()

    def find(self, path: bytes) -> str | None:
        """The file that is at a path (as it stood in the request); `None` if the path is not one of the page's."""
        if path in APPLICATION:
            return INDEX
        if EMBED_URL.fullmatch(path):
            return EMBED
        if path.startswith(ASSETS):
            return self._known.get(path, "")
        return self._known.get(path)

    @_app.route("/", branch=True)
    async def answer(self, request: DvrRequest) -> None:
        name = self.find(request.path)
        if not name or (name == INDEX and self.hides(request)):
            raise DvrError(Kind.NOT_FOUND, "not_found", "there is nothing here")
        if request.method == b"OPTIONS":
            for header, value in PREFLIGHT.items():
                request.setHeader(header, value)
            request.setResponseCode(204)
            return
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD, OPTIONS")
            error = DvrError(Kind.BAD_REQUEST, "unknown_operation", "no such method here")
            request.write(write_error(request, error, 405))
            return
        for header, value in {**EVERY_PAGE, **HEADERS.get(name, {})}.items():
            request.setHeader(header, value)
        await self._send(name, request)

    async def _send(self, name: str, request: DvrRequest) -> None:
        file = self.files.get(name)
        if file is None:
            request.setResponseCode(503)
            request.setHeader(b"content-type", b"text/html; charset=utf-8")
            request.setHeader(b"cache-control", b"no-store")
            request.requestHeaders.removeHeader(b"range")
            await self.sender.send(Body((NOT_BUILT,)), request)
            return
        data, etag = file.data, file.etag
        request.setHeader(b"content-type", file.content_type.encode())
        request.setHeader(
            b"cache-control", FOREVER if request.path.startswith(ASSETS) and name not in HEADERS else b"no-cache"
        )
        if file.gzipped is not None:
            request.setHeader(b"vary", b"Accept-Encoding")
            if accepts_gzip(request):
                request.setHeader(b"content-encoding", b"gzip")
                data, etag = file.gzipped, f"{etag}-gzip"
        await self.sender.send(Body((data,)), request, f'"{etag}"')

    @_app.handle_errors(CancelledError)
    def gone(self, request: Any, failure: Failure) -> bytes:
        """The client went away; nobody reads an answer."""
        return b""

    @_app.handle_errors(DvrError)
    def refused(self, request: Any, failure: Failure) -> bytes:
        assert isinstance(failure.value, DvrError)
        return write_error(request, failure.value)
