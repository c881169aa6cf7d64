# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The parts of the server under one root. A request's whole path decides: what is no part's is a stream's.

    /streamer/api/...  /flussonic/api/...    api
    /metrics                                 metrics
    /ui/session                              session
    /  /admin  /ui/...  /{name}/embed.html   pages
    /{name}/...                              media
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from flussdvr.web.metrics import METRICS
from flussdvr.web.ui.pages import Pages
from flussdvr.web.ui.session import SESSION

API_BASES = (b"/streamer/api/", b"/flussonic/api/")


@implementer(IResource)
class Root(Resource):
    """What has no part of its own is asked of `media`, which knows nothing of it: 404."""

    isLeaf = True

    def __init__(
        self,
        media: IResource,
        api: IResource | None = None,
        metrics: IResource | None = None,
        pages: Pages | None = None,
        session: IResource | None = None,
    ) -> None:
        super().__init__()
        self._media: Any = media
        self._api = api or media
        self._exactly = {METRICS: metrics or media, SESSION: session or media}
        self._pages = pages
        self._page = pages.resource() if pages is not None else media

    def render(self, request: Any) -> Any:
        part: Any = self._exactly.get(request.path)
        if part is None and request.path.startswith(API_BASES):
            part = self._api
        elif part is None and self._pages is not None and self._pages.find(request.path) is not None:
            part = self._page
        return (part or self._media).render(request)
