"""
/streams/{name}/dvr/consistency_check, /dvr_episodes: what clients of the vendor's newer API ask for.

A check reads each recording's index and looks at its file, one after the other and never in the reactor; one check runs
at a time, so that whoever asks again and again costs one disk's reader at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.blob import Blob
from flussdvr.errors import DvrError, Kind
from flussdvr.web.api.listing import page
from flussdvr.web.api.router import Call, Router
from flussdvr.web.api.streams import StreamDocuments

Document = dict[str, Any]
SHOWN = 1000
"""Errors that one answer lists."""


def add_consistency(router: Router, archive: Archive, streams: StreamDocuments) -> None:
    checking: set[str] = set()

    @router.post("/streams/<path:name>/dvr/consistency_check")
    async def consistency_check(call: Call, name: str) -> Document:
        found = archive.stream(name)
        if found is None:
            streams.one(name, False)
            return {"name": name, "checked": 0, "errors": []}
        if checking:
            title = f"{min(checking)[:200]} is being checked"
            raise DvrError(Kind.CONFLICT, "check_is_running", title, {"parameter": "name"})
        checking.add(name)
        try:
            errors: list[Document] = []
            blobs = found.blobs()
            for blob in blobs:
                problem = await _problem(archive, blob)
                if problem is not None and len(errors) < SHOWN:
                    details = {"path": blob.path, "opened_at": blob.begin_ms, **problem}
                    errors.append({"failed_check": "blob_coherence", "details": details})
            return {"name": name, "checked": len(blobs), "errors": errors}
        finally:
            checking.discard(name)

    async def _problem(archive: Archive, blob: Blob) -> Document | None:
        """What is wrong with a recording; `None`: nothing, or it has been deleted meanwhile."""
        found = archive.stream(blob.stream)
        if found is None:
            return None
        try:
            await found.table(blob)
            file = archive.file(blob)
            size: int = await file.worker.do(file.size)
        except OSError as error:
            return {"code": "disk_failed", "title": error.strerror or str(error)}
        except DvrError as error:
            return None if error.kind is Kind.NOT_FOUND else {"code": error.code, "title": error.title}
        if size < blob.size:
            return {"code": "blob_too_short", "title": f"{size} bytes of {blob.size}"}
        return None

    @router.get("/dvr_episodes")
    async def list_episodes(call: Call) -> Document:
        """Locks, by the name that they have in newer clients."""
        names = {name for name in call.query.get("media", "").split(",") if name}
        query = {key: value for key, value in call.query.items() if key not in ("media", *IGNORED)}
        return page(_episodes(archive, names), query, key="episode_id", order="opened_at,media").document("episodes")


IGNORED = ("poll_timeout", "dvr_presence_check", "episode_type")


def _episodes(archive: Archive, names: set[str]) -> Iterator[Document]:
    for name in archive.streams():
        found = archive.stream(name) if not names or name in names else None
        for begin_ms, end_ms in found.locks.pairs() if found is not None else ():
            yield {"episode_id": f"{name}-{begin_ms}", "media": name, "opened_at": begin_ms, "closed_at": end_ms}
