# -*- test-case-name: tests.playback.pictures.test_stored -*-
"""
Stored thumbnails: JPEGs that were made while the stream was recorded.

    <begin_ms>.mp4  <begin_ms>.idx                  the blob
    <begin_ms>.thumbs.mp4  <begin_ms>.thumbs.idx    its JPEGs, samples of an MJPEG track; the index is read as a whole

An index whose end is torn is read up to there, and a JPEG that is not whole is none. What has been deleted of a blob
has no thumbnails any more, though their bytes go only with the blob.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from flussdvr.archive.thumbs import THUMBS, THUMBS_INDEX
from flussdvr.body.body import Extent
from flussdvr.body.file import BodyFile
from flussdvr.body.reading import DataGone, DiskFailed, read, read_extent
from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.errors import FormatError
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.sample_table import Ints
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive

CACHE_BYTES = 16 << 20
MAX_INDEX = 8 << 20
"""An hour of one-second segments has half of this."""
MAX_JPEG = 16 << 20
FINAL_MS = 60_000
"""So long after a blob's end its last thumbnail has been written, or never will be."""
LOOKED_AT = 2
"""Blobs of a part of a window that are looked at for a picture of it."""
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


@dataclass(frozen=True, slots=True, eq=False)
class Thumbs:
    """Those of one blob: when they were taken, and where they are in the file; `index_size` bytes were read."""

    at_ms: Ints
    offsets: Ints
    sizes: Ints
    index_size: int
    final: bool

    @property
    def cost(self) -> int:
        return 300 + 24 * len(self.at_ms)


@dataclass(frozen=True, slots=True)
class Thumb:
    """One stored JPEG."""

    at_ms: int
    extent: Extent


class StoredPictures:
    """`now_ms` is the wall clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._cache: Lru[Blob, Thumbs] = Lru(CACHE_BYTES)
        self._shared: Shared[Blob, Thumbs] = Shared()

    async def within(self, source: Source, window: Range) -> list[Thumb]:
        """Those taken in `window`, in order. Raises `DvrError` UNAVAILABLE."""
        found: list[Thumb] = []
        if source.archive is None:
            return found
        recorded = source.archive.ranges(window)
        for blob in source.archive.blobs(window):
            file = source.archive.file(blob, THUMBS)
            thumbs = await self._of(source.archive, blob)
            first, stop = np.searchsorted(thumbs.at_ms, [window.begin_ms, window.end_ms]).tolist()
            columns = (column[first:stop].tolist() for column in (thumbs.at_ms, thumbs.offsets, thumbs.sizes))
            for at_ms, offset, size in zip(*columns, strict=True):
                if at_ms in recorded:
                    found.append(Thumb(at_ms, Extent(file, offset, size)))
        return found

    async def first_of(self, source: Source, parts: Sequence[Range]) -> list[Thumb | None]:
        """
        The first one taken in each of `parts`, if it is in one of the first `LOOKED_AT` blobs there: a part may be
        years. Raises `DvrError` UNAVAILABLE.
        """
        known: dict[Blob, Thumbs] = {}
        return [await self._first(source.archive, part, known) if source.archive else None for part in parts]

    async def _first(self, archive: StreamArchive, part: Range, known: dict[Blob, Thumbs]) -> Thumb | None:
        for blob in islice(archive.onward(part.begin_ms), LOOKED_AT):
            if blob.begin_ms >= part.end_ms:
                return None
            thumbs = known.get(blob)
            if thumbs is None:
                thumbs = known[blob] = await self._of(archive, blob)
            first, stop = np.searchsorted(thumbs.at_ms, [part.begin_ms, part.end_ms]).tolist()
            for index in range(first, stop):
                at_ms = int(thumbs.at_ms[index])
                if not any(at_ms in hole for hole in blob.holes):
                    offset, size = int(thumbs.offsets[index]), int(thumbs.sizes[index])
                    return Thumb(at_ms, Extent(archive.file(blob, THUMBS), offset, size))
        return None

    async def read(self, thumb: Thumb) -> bytes | None:
        """The JPEG; `None` if it has gone or is not whole."""
        try:
            data = await read(thumb.extent)
        except (DataGone, DiskFailed):
            return None
        return data if data[:2] == SOI and data[-2:] == EOI else None

    async def _of(self, archive: StreamArchive, blob: Blob) -> Thumbs:
        known = self._cache.get(blob)
        if known is not None and known.final:
            return known
        final = blob.closed and self._now_ms() > blob.end_ms + FINAL_MS

        async def load() -> Thumbs:
            index = archive.file(blob, THUMBS_INDEX)
            thumbs = await index.worker.do(_load, index, known, final)
            self._cache.put(blob, thumbs, thumbs.cost)
            return thumbs

        return await self._shared.do(blob, load)


def _load(index: BodyFile, known: Thumbs | None, final: bool) -> Thumbs:
    """In a reader thread. A stream without thumbnails has no such file."""
    try:
        size = min(index.size(), MAX_INDEX)
        if known is not None and known.index_size == size and not final:
            return known
        data = read_extent(Extent(index, 0, size))
    except (DataGone, OSError):
        data = b""
    return parse_thumbs(data, final)


def parse_thumbs(index: bytes, final: bool = False) -> Thumbs:
    """What an index lists, as far as it can be read. Raises nothing."""
    table, empty = FragmentTable(), np.empty(0, np.int64)
    try:
        table.extend(index)
    except FormatError:
        pass  # what is in front of the damage has been added
    if table.reference is None or not len(table):
        return Thumbs(empty, empty, empty, len(index), final)
    try:
        samples = table.samples(table.reference.id)
    except (FormatError, KeyError):
        return Thumbs(empty, empty, empty, len(index), final)
    times, scale = samples.decode_times(), table.reference.timescale
    at_ms = times // scale * 1000 + times % scale * 1000 // scale
    good = (samples.sizes > 4) & (samples.sizes <= MAX_JPEG)
    order = np.argsort(at_ms[good], kind="stable")
    return Thumbs(at_ms[good][order], samples.offsets()[good][order], samples.sizes[good][order], len(index), final)


def nearest(thumbs: list[Thumb], utc_ms: int) -> Thumb | None:
    """That taken closest to `utc_ms`, the earlier of two; one in the very second of a whole one comes first."""
    if utc_ms % 1000 == 0:
        named = next((thumb for thumb in thumbs if 0 <= thumb.at_ms - utc_ms < 1000), None)
        if named is not None:
            return named
    return min(thumbs, key=lambda thumb: abs(thumb.at_ms - utc_ms), default=None)


__all__ = ["StoredPictures", "Thumb", "Thumbs", "nearest", "parse_thumbs"]
