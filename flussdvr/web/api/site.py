# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
The API as a resource: one application under both of its bases.

    /streamer/api/v3/...    /flussonic/api/v3/...    the collections of this folder
    /streamer/api/...       /flussonic/api/...       what is left of the API before it (`legacy`)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from flussdvr.administration import Administration
from flussdvr.archive.archive import Archive
from flussdvr.web.api.dvr import add_dvr
from flussdvr.web.api.monitoring import add_monitoring
from flussdvr.web.api.router import Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.api.stats import Clients, Nobody
from flussdvr.web.api.streams import StreamDocuments, add_streams
from flussdvr.web.auth import Gate


@implementer(IResource)
class ApiResource(Resource):
    """What is under the bases: `v3`, and `legacy` for what came before versions."""

    isLeaf = True

    def __init__(self, v3: IResource, legacy: IResource) -> None:
        super().__init__()
        self._v3: Any = v3
        self._legacy: Any = legacy

    def render(self, request: Any) -> Any:
        path = [*request.prepath, *request.postpath]  # streamer, api, v3, streams, ...
        depth = 3 if path[2:3] == [b"v3"] else 2
        request.prepath, request.postpath = path[:depth], path[depth:]
        return (self._v3 if depth == 3 else self._legacy).render(request)


def make_api(
    administration: Administration,
    archive: Archive,
    gate: Gate,
    clock: IReactorTime,
    now_ms: Callable[[], int],
    clients: Clients | None = None,
) -> ApiResource:
    streams = StreamDocuments(administration, administration.streams, clients or Nobody(), now_ms)
    v3 = Router(gate, Schema(), clock)
    add_monitoring(v3, archive, now_ms)
    add_streams(v3, streams)
    add_dvr(v3, archive, streams)
    legacy = Router(gate, None, clock)
    return ApiResource(v3.resource(), legacy.resource())
