"""
/streams/{name}/dvr/damaged: where what is recorded refers to pictures that were lost on the way.

The marks are in the fragments (`formats/mp4/fmp4.py`, DAMAGED), so this reads the indexes of the blobs in the window,
one after the other. A fragment, about a second, is the unit.
"""

from __future__ import annotations

from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.archive.ports import StreamArchive
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import Range, RangeSet
from flussdvr.web.api.moments import documents, window
from flussdvr.web.api.router import Call, Router
from flussdvr.web.api.streams import StreamDocuments

LONGEST_MS = 24 * 3600 * 1000
FILES_MAX = 200
"""Indexes that one request may read: a day has 25 of a stream without gaps."""


def add_damaged(router: Router, archive: Archive, streams: StreamDocuments) -> None:
    @router.get("/streams/<path:name>/dvr/damaged")
    async def list_damaged(call: Call, name: str) -> dict[str, Any]:
        within = window(call)
        if within.duration_ms > LONGEST_MS:
            title = f"more than {LONGEST_MS // 1000} s at a time are not looked at"
            raise DvrError(Kind.TOO_LARGE, "range_too_long", title, {"parameter": "duration"})
        found = archive.stream(name)
        if found is None:
            streams.one(name, False)
            return {"damaged": []}
        return {"damaged": documents(await damaged_ranges(found, within))}


async def damaged_ranges(found: StreamArchive, within: Range) -> RangeSet:
    """The fragments that overlap the window and are marked. DvrError of blobs whose index can't be read."""
    damaged = RangeSet()
    for number, blob in enumerate(found.onward(within.begin_ms)):
        if blob.begin_ms >= within.end_ms:
            break
        if number >= FILES_MAX:
            title = f"more than {FILES_MAX} files at a time are not looked at: ask for a shorter range"
            raise DvrError(Kind.TOO_LARGE, "range_too_long", title, {"parameter": "duration"})
        try:
            table = await found.table(blob)
        except DvrError as error:
            if error.kind is Kind.NOT_FOUND:
                continue  # deleted meanwhile
            raise
        for row in table.damaged():
            one = Range(int(table.begin_ms[row]), int(table.end_ms[row]))
            if one.overlaps(within):
                damaged.add(one)
    return damaged
