"""
/dvr_misdated, /streams/{name}/dvr/misdated, .../redate, .../{id}: what was recorded while the clock was wrong.

`id` is that of the list. What takes longer than the answer waits for goes on: 202, and the list says how far it is.
"""

from __future__ import annotations

from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.redating import Found, Report
from flussdvr.errors import DvrError
from flussdvr.web.api.listing import page
from flussdvr.web.api.moments import document, moment
from flussdvr.web.api.router import Answer, Call, Router
from flussdvr.web.api.streams import StreamDocuments

Document = dict[str, Any]
ORDER = "name,opened_at,id"


def add_misdated(router: Router, archive: Archive, streams: StreamDocuments) -> None:
    @router.get("/dvr_misdated")
    async def list_all(call: Call) -> Document:
        return listed(call, await archive.redating.found())

    @router.get("/streams/<path:name>/dvr/misdated")
    async def list_misdated(call: Call, name: str) -> Document:
        if archive.stream(name) is None:
            streams.one(name, False)
        return listed(call, await archive.redating.found(name))

    @router.post("/streams/<path:name>/dvr/misdated/redate")
    async def redate(call: Call, name: str) -> Document | Answer:
        given = call.body if isinstance(call.body, dict) else {}
        at_ms = moment(given, "at") if given.get("at") is not None else None
        report = await archive.redating.redate(name, given.get("id"), given.get("shift"), at_ms)
        return answer(report, "redated", given.get("id"))

    @router.delete("/streams/<path:name>/dvr/misdated/<id>")
    async def delete_one(call: Call, name: str, id: str) -> Answer | None:
        return deleted(answer(await archive.redating.delete(name, id), "deleted", id))

    @router.delete("/streams/<path:name>/dvr/misdated")
    async def delete_all(call: Call, name: str) -> Document | Answer | None:
        report = await archive.redating.delete(name)
        said = answer(report, "deleted", None)
        return said if report.problems else deleted(said)


def listed(call: Call, found: list[Found]) -> Document:
    return page((write_found(one) for one in found), call.query, key="id", order=ORDER).document("misdated")


def write_found(found: Found) -> Document:
    blob, error = found.blob, found.error
    return {
        "id": found.id,
        "name": blob.stream,
        "root": blob.root,
        **document(blob.range),
        "bytes": blob.disk_size,
        "shift": found.aside.shift_ms,
        "written_at": found.written_ms,
        "status": "working" if found.working else "failed" if error is not None else "kept",
        "error": None if error is None else {"code": error.code, "title": error.title},
    }


def answer(report: Report, verb: str, id: str | None) -> Document | Answer:
    """DvrError: what became of the one that was asked for."""
    if id is not None and id in report.problems:
        raise report.problems[id]
    said = {
        verb: [{"id": one, **document(where)} for one, where in report.done.items()],
        "problems": [write_problem(one, error) for one, error in report.problems.items()],
        "pending": report.pending,
    }
    return Answer(202, said) if report.pending else said


def write_problem(id: str, error: DvrError) -> Document:
    return {"id": id, "code": error.code, "title": error.title}


def deleted(said: Document | Answer) -> Answer | None:
    """204 where all of it is done."""
    return said if isinstance(said, Answer) else None


__all__ = ["add_misdated", "write_found"]
