"""
/dvrs, /dvrs/{name}: the storages, how full they are, and how that is changed.
"""

from __future__ import annotations

import os
from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.retention import DiskUsage, disk_usage
from flussdvr.config.dvr_document import write_dvr
from flussdvr.config.model import DvrSettings
from flussdvr.control.administration import Administration
from flussdvr.errors import DvrError, Kind
from flussdvr.web.api.listing import page
from flussdvr.web.api.router import Answer, Call, Router
from flussdvr.web.api.streams import what_is_stuck

Document = dict[str, Any]


def add_dvrs(router: Router, administration: Administration, archive: Archive) -> None:
    async def describe(dvr: DvrSettings, secrets: bool) -> Document:
        document = {"name": dvr.name, **write_dvr(dvr, None, secrets)}
        document.pop("reference", None)
        document["stats"] = await storage_stats(archive, dvr.root)
        return document

    @router.get("/dvrs")
    async def list_dvrs(call: Call) -> Document:
        found = [await describe(dvr, call.secrets) for dvr in administration.config.dvrs.values()]
        return page(found, call.query, searched=("name", "root")).document("dvrs")

    async def one(name: str, secrets: bool) -> Document:
        dvr = administration.config.dvrs.get(name)
        if dvr is None:
            raise DvrError(Kind.NOT_FOUND, "dvr_not_found", f"there is no dvr {name[:200]}", {"parameter": "name"})
        return await describe(dvr, secrets)

    @router.get("/dvrs/<name>")
    async def get_dvr(call: Call, name: str) -> Document:
        return await one(name, call.secrets)

    @router.put("/dvrs/<name>")
    async def put_dvr(call: Call, name: str) -> Document | Answer:
        before = recorded_to(name)
        await administration.put_storage(name, call.body or {})
        document = await one(name, True)
        stuck = what_is_stuck(administration, *before, *recorded_to(name))
        return Answer(202, {**document, "pending": stuck}) if stuck else document

    @router.delete("/dvrs/<name>")
    async def delete_dvr(call: Call, name: str) -> Answer | None:
        before = recorded_to(name)
        await administration.delete_storage(name)
        stuck = what_is_stuck(administration, *before, *recorded_to(name))
        return Answer(202, {"pending": stuck}) if stuck else None

    def recorded_to(name: str) -> list[str]:
        """The streams that follow a storage."""
        streams = administration.config.streams.items()
        return [stream for stream, settings in streams if settings.dvr is not None and settings.dvr.name == name]


async def storage_stats(archive: Archive, path: str) -> Document:
    """Bytes and counts of a storage root, and of its disk if the archive has used it. Nothing is created by looking."""
    blobs = [blob for one in archive.streams_of(path) for blob in one.blobs() if blob.root == path]
    stats: Document = {
        "blobs_count": len(blobs),
        "blobs_count_db": len(blobs),
        "used": sum(blob.disk_size for blob in blobs),
        "used_index": sum(blob.index_size for blob in blobs),
        "streams": len({blob.stream for blob in blobs}),
    }
    stats["deletion_pending"] = archive.deletion.pending_bytes(path)
    if (trouble := archive.deletion.trouble(path)) is not None:
        stats["deletion_error"] = trouble.code
    root = archive.roots.get(os.path.abspath(path))
    if root is None:
        return stats
    if root.error is not None:
        return stats | {"error": root.error.code}
    try:
        usage: DiskUsage = await root.reader.do(disk_usage, path)
    except (OSError, DvrError):
        return stats
    if root.step is not None:
        stats["joining"] = root.step
    space = {"size": usage.total, "free": usage.free, "usage": round(usage.used * 100 / max(1, usage.total))}
    return stats | space | {"used_other": max(0, usage.used - stats["used"] - stats["used_index"])}
