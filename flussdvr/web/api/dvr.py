"""
/streams/{name}/dvr/ranges, /streams/{name}/dvr/locks: what is recorded, and what of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.ports import StreamArchive
from flussdvr.archive.redating import id_of
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import RangeSet
from flussdvr.web.api.moments import document, documents, window
from flussdvr.web.api.range_page import range_page
from flussdvr.web.api.router import Answer, Call, Router
from flussdvr.web.api.streams import StreamDocuments, not_found

Document = dict[str, Any]
REASONS = {one: one for one in ("disk", "clock", "restart", "deleted", "schedule")} | {
    "timestamp_jump": "clock",
    "utc": "clock",
    "clock_step": "clock",
    "stopped": "restart",
    "tracks_changed": "tracks_changed",
}
"""Of gaps, as clients know them; what a source says of its end is `source_lost`."""


def add_dvr(router: Router, archive: Archive, streams: StreamDocuments) -> None:
    def recorded(name: str) -> StreamArchive | None:
        """`None` for a stream that exists and has no recordings yet. DvrError NOT_FOUND."""
        found = archive.stream(name)
        if found is None:
            streams.one(name, False)
        return found

    @router.get("/streams/<path:name>/dvr/ranges")
    async def list_ranges(call: Call, name: str) -> Document:
        found = recorded(name)
        ranges = found.ranges() if found is not None else RangeSet()
        answer = range_page(ranges, call.query, other=("gaps",)).document("ranges")
        if found is not None and found.misdated:
            answer["misdated"] = [
                {"id": id_of(blob), **document(blob.range), "bytes": blob.disk_size, "shift": aside.shift_ms}
                for blob, aside in sorted(found.misdated.items(), key=lambda pair: pair[0].begin_ms)
            ]
        if call.query.get("gaps") == "true":
            gaps = found.gaps() if found is not None else []
            answer["gaps"] = [{**document(gap), "reason": reason_of(reason)} for gap, reason in gaps]
        return answer

    @router.delete("/streams/<path:name>/dvr/ranges")
    async def delete_ranges(call: Call, name: str) -> Document | Answer | None:
        within = window(call)
        given = call.body if isinstance(call.body, dict) and call.body else call.query
        if not archive.unlisted(name):
            recorded(name)
        report = await archive.delete_range(name, within, given.get("cover") in (True, "true"))
        answer = {"deleted": documents(report.deleted), "pending": write_pending(report.pending)}
        if report.pending:
            return Answer(202, answer)
        if call.prefers("return=representation"):
            call.request.setHeader(b"preference-applied", b"return=representation")  # type: ignore[no-untyped-call]
            return answer
        return None

    @router.get("/streams/<path:name>/dvr/locks")
    async def list_locks(call: Call, name: str) -> Document:
        found = recorded(name)
        locks = found.locks if found is not None else RangeSet()
        return range_page(locks, call.query).document("locks")

    @router.post("/streams/<path:name>/dvr/locks")
    async def lock(call: Call, name: str) -> None:
        within = window(call)
        check_copy(streams, name)
        if recorded(name) is None:
            raise DvrError(Kind.NOT_FOUND, "no_recordings", f"nothing of {name} is recorded", {"parameter": "name"})
        await archive.lock(name, within)

    @router.delete("/streams/<path:name>/dvr/locks")
    async def unlock(call: Call, name: str) -> None:
        within = window(call)
        check_copy(streams, name)
        if recorded(name) is not None:
            await archive.unlock(name, within)


def write_pending(pending: Mapping[str, DvrError]) -> list[Document]:
    """Where something remains to be done, and why."""
    return [{"root": path or None, "code": error.code, "title": error.title} for path, error in pending.items()]


def reason_of(reason: str) -> str:
    """Of a gap, as clients know it."""
    return REASONS.get(reason, "source_lost")


def check_copy(streams: StreamDocuments, name: str) -> None:
    """DvrError CONFLICT for a stream whose recordings are copied to an object store."""
    settings = streams.administration.config.stream_for(name)
    if settings is not None and settings.dvr is not None and settings.dvr.copy:
        raise DvrError(Kind.CONFLICT, "locks_not_supported_with_copy", f"{name} is recorded with copy")


__all__ = ["add_dvr", "check_copy", "not_found", "reason_of"]
