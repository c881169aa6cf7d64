"""
A window of the archive as one file.

    F-D     a computed head and extents of the blobs: length, entity tag and any range known at once
    F-now   fragmented MP4: the init segment and the fragments as they were recorded, as far as there are any; where
            the tracks change in between, as F-D
    split   a tar of such files, a new one after each change of tracks, codecs or their parameters

The head of a long window takes a while to compute (about a second a day), so it is made in the CPU worker, a blob at a
time, once for all who ask, and kept for the many ranges that a player will want of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.body.body import Body, Extent
from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.formats.made import Making
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.playback.files.mp4 import Part, Single, Split
from flussdvr.playback.fragments import span_of
from flussdvr.playback.inits import init_of
from flussdvr.playback.limits import HEAD_BYTES, SMALL_BYTES, WALK_BYTES, index_bytes
from flussdvr.playback.segments import select
from flussdvr.playback.selection import Selection
from flussdvr.playback.slots import Slots
from flussdvr.playback.sources import Source, no_recordings
from flussdvr.playback.view import View
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.formats.mp4.ilst import Metadata
    from flussdvr.threads import Worker

CACHE_BYTES = 32 << 20
PART_BYTES = 250
"""What a part of a body takes beside its bytes."""
SETTLED_MS = 5000
"""What is recorded so long after a window's end changes nothing in a file of it."""
MARGIN_MS = 1000
"""Pictures may be shown up to this before they are decoded: so much more of the recording is looked at."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file: `etag` is strong, in its quotes. `held`: memory that it takes while it is sent."""

    body: Body
    etag: str
    held: int = 0


class Exports:
    def __init__(self, cpu: Worker, now_ms: Callable[[], int]) -> None:
        self._cpu = cpu
        self._now_ms = now_ms
        self._cache: Lru[object, Export] = Lru(CACHE_BYTES)
        self._shared: Shared[object, Export] = Shared(ends=True)
        self.heads = Slots("large files", 1, 50, 3)

    async def mp4(
        self,
        source: Source,
        from_ms: int,
        duration_ms: int | None,
        selection: Selection | None,
        keep_gaps: bool,
        split: bool = False,
        client: str = "",
    ) -> Export:
        """
        `[from_ms, from_ms + duration_ms)`, or up to now for `None`; with `split` as a tar of a file per configuration.
        `client`: who asks, as large heads are made for one client after the other.

        Raises `DvrError` NOT_FOUND where nothing is recorded in the window or none of the selected tracks, TOO_LARGE
        for a window that is too long for one head, `Busy`.
        """
        window = Range(from_ms, max(from_ms, self._now_ms()) if duration_ms is None else from_ms + duration_ms)
        if source.archive is None or not source.archive.ranges(window):
            raise no_recordings()
        if duration_ms is None:
            index_bytes(source.archive, window, WALK_BYTES, "a file up to now")
            if not split:
                body = await self._fragmented(source, window, selection)
                if body is not None:
                    return Export(body, _etag(body))
            window = Range(from_ms, min(window.end_ms, source.archive.end_ms))  # the same until there is more
        large = index_bytes(source.archive, window, HEAD_BYTES, "an MP4") > SMALL_BYTES
        key = source.name, window, selection, keep_gaps, split, _state(source.archive.blobs(window), window)
        known = self._cache.get(key)
        if known is not None:
            return known

        async def make() -> Export:
            made: Split | Single = (
                Split(window, selection, keep_gaps) if split else Single(window, selection, keep_gaps)
            )
            body = await self._made(source, window, made, keep=not large)
            held = made.held + body.held + PART_BYTES * len(body.parts)
            export = Export(body, await self._cpu.do(_etag, body), held)
            self._cache.put(key, export, held)
            return export

        async def in_turn() -> Export:
            return await self.heads.do(client, make)

        return await self._shared.do(key, in_turn if large else make)

    async def fragments(self, source: Source, window: Range) -> Body | None:
        """
        The recordings of a window as they are, from the key frame on, as fragmented MP4; `None` where the tracks change
        in it, as it has one init segment. There is no limit to it. Raises `DvrError` NOT_FOUND where nothing is
        recorded.
        """
        return await self._fragmented(source, window, None)

    async def _fragmented(self, source: Source, window: Range, selection: Selection | None) -> Body | None:
        """The fragments as they are; `None` where the tracks change. A blob at a time: no table is kept."""
        init = b""
        bodies: list[Body] = []
        for blob in source.archive.blobs(window) if source.archive is not None else ():
            part = await self._part(source, blob, window, keep=False)
            if part is None:
                continue
            first = part.first
            if not init:
                init, first = part.table.init, last_sync(part.table, window.begin_ms)
                bodies.append(Body((init_of(init, part.table.tracks, selection, silence=False),)))
            elif part.table.init != init:
                return None
            for begin, end in part.table.stretches(first, part.stop):
                bodies.append(select(span_of(part.table, part.file, begin, end), View("fmp4", selection)))
        if not bodies:
            raise no_recordings()
        return Body.of(piece for one in bodies for piece in one.parts)

    async def file(self, source: Source, window: Range, metadata: Metadata | None) -> Body:
        """All tracks of a window as one MP4, however long it is. Raises `DvrError` as `mp4` does."""
        return await self._made(source, window, Single(window, None, False, metadata), keep=False)

    async def _made(self, source: Source, window: Range, made: Split | Single, keep: bool) -> Body:
        """
        A blob at a time; `keep`: their indexes are few and may stay in the cache. Raises `DvrError` NOT_FOUND,
        CORRUPT, `Busy`.
        """
        if source.archive is None or not source.archive.ranges(window):
            raise no_recordings()
        for blob in source.archive.blobs(window):
            part = await self._part(source, blob, window, keep)
            if part is not None:
                await self._cpu.do(made.add, part)
        return await self._cpu.do(made.finish)

    async def _part(self, source: Source, blob: Blob, window: Range, keep: bool) -> Part | None:
        assert source.archive is not None
        table = await source.archive.table(blob, keep)
        if not blob.closed:
            table = copy(table)  # the columns of this moment: the CPU worker must not see it grow
        first, stop = rows_around(table, window)
        if first >= stop:
            return None
        return Part(source.archive.file(blob), source.archive.reading_again(blob), table, first, stop)


def _state(blobs: Sequence[Blob], window: Range) -> tuple[object, ...]:
    """
    What of the blobs a file of the window is made of: the same until more of it is recorded, less is left, or its disk
    is mounted elsewhere.
    """
    settled_ms = window.end_ms + SETTLED_MS
    return tuple((blob.root, blob.begin_ms, min(blob.end_ms, settled_ms), blob.holes) for blob in blobs)


def rows_around(table: FragmentTable, window: Range) -> tuple[int, int]:
    """Fragments that a file of `window` needs: from one before the key frame at its beginning to a little behind it."""
    first = max(0, last_sync(table, window.begin_ms) - 1)
    stop = int(np.searchsorted(table.begin_ms, window.end_ms + MARGIN_MS))
    return first, stop


def last_sync(table: FragmentTable, utc_ms: int) -> int:
    """The last sync fragment that begins not after `utc_ms`; the first of all if there is none."""
    rows = np.flatnonzero(table.sync & (table.begin_ms <= utc_ms))
    return int(rows[-1]) if len(rows) else 0


def _etag(body: Body) -> str:
    """Made from the heads and the names of the extents; the same wherever the disk is mounted."""
    digest, making = sha256(), Making()
    for part in body.parts:
        if isinstance(part, Extent):
            digest.update(f"{part.file.name.rpartition('/')[2]} {part.offset} {part.length}\n".encode())
        else:
            digest.update(part if isinstance(part, bytes) else part.tag or making.data(part))
    return f'"{digest.hexdigest()[:32]}"'
