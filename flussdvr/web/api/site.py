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

from flussdvr.access.admission import Admission
from flussdvr.access.links import Links
from flussdvr.archive.archive import Archive
from flussdvr.clock.utc import UtcClock
from flussdvr.control.administration import Administration
from flussdvr.events.events import Events
from flussdvr.export.exporter import Exporter
from flussdvr.export.jobs import ExportJobs
from flussdvr.monitoring.alarms import Alarms
from flussdvr.web.api.clock import add_clock
from flussdvr.web.api.config import add_config
from flussdvr.web.api.consistency import add_consistency
from flussdvr.web.api.damaged import add_damaged
from flussdvr.web.api.dvr import add_dvr
from flussdvr.web.api.dvrs import add_dvrs
from flussdvr.web.api.events import add_alarms, add_events
from flussdvr.web.api.exports import add_exports, make_export
from flussdvr.web.api.legacy import add_legacy
from flussdvr.web.api.links import add_links
from flussdvr.web.api.misdated import add_misdated
from flussdvr.web.api.monitoring import add_monitoring
from flussdvr.web.api.router import Exposition, Router
from flussdvr.web.api.schema import Schema
from flussdvr.web.api.sessions import add_legacy_sessions, add_sessions
from flussdvr.web.api.stats import Clients, Nobody
from flussdvr.web.api.streams import StreamDocuments, add_streams
from flussdvr.web.api.timeline import add_timeline
from flussdvr.web.http.auth import Gate


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
    exporter: Exporter,
    gate: Gate,
    clock: IReactorTime,
    now_ms: Callable[[], int],
    clients: Clients | None = None,
    viewers: Admission | None = None,
    links: Links | None = None,
    events: Events | None = None,
    alarms: Alarms | None = None,
    exposition: Exposition | None = None,
    utc_clock: UtcClock | None = None,
    reload: Callable[[], None] = lambda: None,
) -> tuple[ApiResource, ExportJobs]:
    """The resource, and the export jobs, which are to be loaded before it is asked."""
    clients = clients or (viewers.sessions if viewers is not None else Nobody())
    streams = StreamDocuments(administration, administration.streams, clients, now_ms)
    export = make_export(exporter, administration.streams)
    jobs = ExportJobs(export, archive.catalog.export_jobs, exporter.left, now_ms, exporter.tell)
    worker = viewers.worker if viewers is not None else None
    v3 = Router(gate, Schema(), clock, worker)
    add_monitoring(v3, archive, now_ms)
    add_streams(v3, streams, exposition)
    add_dvr(v3, archive, streams)
    add_damaged(v3, archive, streams)
    add_misdated(v3, archive, streams)
    add_consistency(v3, archive, streams)
    add_timeline(v3, archive, streams, now_ms, viewers.worker if viewers is not None else None)
    add_exports(v3, export, jobs, exporter.named)
    add_dvrs(v3, administration, archive)
    if viewers is not None:
        add_sessions(v3, viewers)
    if viewers is not None and links is not None:
        add_links(v3, links, streams, viewers)
    if events is not None:
        add_events(v3, events)
    if alarms is not None:
        add_alarms(v3, alarms)
    if utc_clock is not None:
        add_clock(v3, utc_clock)
    stats = add_config(v3, administration, archive, administration.streams, clients, now_ms, exposition, gate.listeners)
    legacy = Router(gate, None, clock, worker)
    if viewers is not None:
        add_legacy_sessions(legacy, viewers)
    add_legacy(legacy, administration, archive, streams, stats, reload)
    return ApiResource(v3.resource(), legacy.resource()), jobs
