"""
/streams/{name}/dvr/export, /dvr_export_jobs: recordings into files on the server and into object stores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flussdvr.control.streams import Streams
from flussdvr.export.exporter import Exporter, Order
from flussdvr.export.jobs import ExportJobs, Job
from flussdvr.playback.sources import source_of
from flussdvr.timeline import MILLISECOND_DIGITS
from flussdvr.web.api.listing import page
from flussdvr.web.api.moments import window
from flussdvr.web.api.router import Call, Router

Document = dict[str, Any]


def make_export(exporter: Exporter, streams: Streams) -> Callable[..., Any]:
    """`(order, copied) -> size`."""

    async def export(order: Order, copied: Callable[[int, int], None] = lambda done, total: None) -> int:
        settings = streams.settings(order.name)
        title = settings.title if settings is not None else None
        return await exporter.export(source_of(streams, order.name), order, title or "", copied)

    return export


def add_exports(router: Router, export: Callable[..., Any], jobs: ExportJobs, named: Callable[[str], str]) -> None:
    """`named(path)`: what of it may be kept and shown; DvrError."""

    @router.post("/streams/<path:name>/dvr/export")
    async def export_now(call: Call, name: str) -> Document:
        path = named(call.query["path"])
        meta = call.query.get("meta") in ("true", "1", "")
        await export(Order(name, window(call), path, meta, call.query.get("packing") == "fragmented"))
        return {}

    @router.get("/dvr_export_jobs")
    async def list_jobs(call: Call) -> Document:
        found = [job.document() for job in jobs.jobs.values()]
        return page(found, call.query, key="id", order="started_at", searched=("id", "name", "path")).document("jobs")

    @router.get("/dvr_export_jobs/<id>")
    async def get_job(call: Call, id: str) -> Document:
        return jobs.find(id).document()

    @router.put("/dvr_export_jobs/<id>")
    async def begin_job(call: Call, id: str) -> Document:
        given = call.body
        begin, duration = given["from"], given["duration"]
        begin_ms = int(begin) if begin >= 10 ** (MILLISECOND_DIGITS - 1) else round(begin * 1000)
        path, packing = named(given["path"]), given.get("packing", "compat")
        job = Job(id, given["name"], begin_ms, max(1, int(duration)), path, given.get("meta", False), packing)
        return (await jobs.begin(job)).document()

    @router.delete("/dvr_export_jobs/<id>")
    async def delete_job(call: Call, id: str) -> None:
        await jobs.delete(id)
