"""
/streams/{name}/dvr/timeline: what is recorded, kept and missing, as a page draws it.

    ranges, locks   [begin_ms, end_ms]           gaps   [begin_ms, end_ms, reason]
    misdated        [begin_ms, end_ms, shift_ms or null]: recorded while the clock was wrong, whatever was asked for

Everything that overlaps the window that was asked for, whole. It is written in the CPU worker when it is much: 10 000
ranges with their gaps hold the reactor for about 10 ms.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.ports import StreamArchive
from flussdvr.archive.recorder import Recorder
from flussdvr.control.streams import Running
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Worker
from flussdvr.timeline import Range
from flussdvr.web.api.dvr import reason_of
from flussdvr.web.api.moments import MAX_MS, moment
from flussdvr.web.api.router import Call, Packed, Router
from flussdvr.web.api.streams import StreamDocuments

Document = dict[str, Any]
MANY = 1000
"""Ranges; more are written by the CPU worker."""


def add_timeline(
    router: Router, archive: Archive, streams: StreamDocuments, now_ms: Callable[[], int], cpu: Worker | None
) -> None:
    @router.get("/streams/<path:name>/dvr/timeline")
    async def timeline(call: Call, name: str) -> Document | Packed:
        within = _within(call)
        found = archive.stream(name)
        if found is None:
            streams.one(name, False)
        document: Document = {"name": name, "now": now_ms(), "recording": is_recorded(streams.streams.entry(name))}
        document |= what_is_recorded(found, within)
        if len(document["ranges"]) <= MANY or cpu is None:
            return document
        packed: Packed = await cpu.do(pack, document)
        return packed


def what_is_recorded(found: StreamArchive | None, within: Range) -> Document:
    """`found`: `None` where nothing is."""
    if found is None:
        return {"opened_at": None, "closed_at": None, "bytes": 0, "ranges": [], "locks": [], "gaps": []}
    bounds = found.bounds
    misdated = sorted((blob.begin_ms, blob.end_ms, aside.shift_ms) for blob, aside in found.misdated.items())
    return {
        "opened_at": bounds.begin_ms if bounds else None,
        "closed_at": bounds.end_ms if bounds else None,
        "bytes": found.size,
        "ranges": found.overlapping(within).pairs(),
        "locks": found.locks.overlapping(within).pairs(),
        "gaps": [(gap.begin_ms, gap.end_ms, reason_of(why)) for gap, why in found.gaps(within)],
        **({"misdated": misdated} if misdated else {}),
    }


def is_recorded(running: Running | None) -> bool:
    """Whether what comes in now is being written."""
    if running is None or running.recorder is None or not running.stream.alive:
        return False
    return not isinstance(running.recorder, Recorder) or running.recorder.error is None


def pack(document: Document) -> Packed:
    data = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    return Packed(data, gzip.compress(data, 1, mtime=0))


def _within(call: Call) -> Range:
    begin_ms = moment(call.query, "from") if "from" in call.query else 0
    end_ms = moment(call.query, "to") if "to" in call.query else MAX_MS
    if end_ms <= begin_ms:
        raise DvrError(Kind.BAD_REQUEST, "invalid_parameter", "to: expected something after from", {"parameter": "to"})
    return Range(begin_ms, end_ms)
