"""
A window of the archive as one MPEG-TS file: its length is known before anything is read, any range of it can be had.

    place      which segments, and where each comes in the file: gaps are skipped
    measure    how many bytes each will have, from the sizes of its samples      CPU worker, once for all who ask
    chunks     the segments that a range touches, muxed one by one, what is in front and behind cut off

A window that is too long to be measured while somebody waits is sent without saying how long it will be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING

from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.deletions import Watch
from flussdvr.playback.selection import Selection
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.continuity import Placed, PlaceKey
from flussdvr.playback.ts.segments import TsSegments, measure

if TYPE_CHECKING:
    from flussdvr.threads import Worker

MEASURED_MS = 2 * 3_600_000
"""Longer windows are not measured: an hour takes about 0.3 s."""
KEPT = 50_000
"""Sizes of segments that are remembered: about 80 hours."""

Key = tuple[str, Selection | None, tuple[PlaceKey, ...]]


@dataclass(frozen=True, slots=True)
class TsExport:
    """
    A file: `chunks(start, stop)` are its bytes `[start, stop)`.

    `length` is `None` where it is not known: then all of it is `chunks(0, None)`. `etag` is strong, in its quotes.
    """

    chunks: Callable[[int, int | None], AsyncIterator[bytes]]
    length: int | None = None
    etag: str | None = None


class TsExports:
    """Measures what is to be sent, and sends that."""

    def __init__(self, segments: TsSegments, cpu: Worker) -> None:
        self._segments = segments
        self._cpu = cpu
        self._sizes: Lru[Key, list[int]] = Lru(KEPT)
        self._shared: Shared[Key, list[int]] = Shared()

    async def measured(
        self, source: Source, placed: Sequence[Placed], selection: Selection | None, watch: Watch
    ) -> TsExport:
        """
        These, one after the other; where something of one was deleted since `watch` began, the chunks end with
        `DvrError` NOT_FOUND. Raises `DvrError` NOT_FOUND where no selected track is there, CORRUPT.
        """
        if not placed:
            raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
        key: Key = source.name, selection, tuple(one.key for one in placed)

        async def make() -> list[int]:
            found: list[int] = await self._cpu.do(_measure, placed, selection)
            self._sizes.put(key, found, len(found))
            return found

        sizes = self._sizes.get(key)
        if sizes is None:
            sizes = await self._shared.do(key, make)
        ends = list(accumulate(sizes))

        def chunks(start: int, stop: int | None) -> AsyncIterator[bytes]:
            return self._chunks(source, selection, placed, ends, start, ends[-1] if stop is None else stop, watch)

        return TsExport(chunks, ends[-1], _etag(placed, selection, sizes))

    async def _chunks(
        self,
        source: Source,
        selection: Selection | None,
        placed: Sequence[Placed],
        ends: Sequence[int],
        start: int,
        stop: int,
        watch: Watch,
    ) -> AsyncIterator[bytes]:
        for number in range(bisect_right(ends, start), len(placed)):
            at = ends[number - 1] if number else 0
            if at >= stop:
                return
            packets = await self._segments.placed(source, placed[number], selection)
            if watch.takes(placed[number].span):  # the packets may come from RAM
                raise DvrError(Kind.NOT_FOUND, "data_gone", "what comes next has been deleted")
            if len(packets) != ends[number] - at:
                raise DvrError(Kind.CORRUPT, "corrupt_recording", "the recording is not what its index says")
            yield packets[max(start - at, 0) : stop - at]


def _measure(placed: Sequence[Placed], selection: Selection | None) -> list[int]:
    """In the CPU worker; the tables of blobs that still grow must be copies."""
    return [measure(one, selection) for one in placed]


def _etag(placed: Sequence[Placed], selection: Selection | None, sizes: Sequence[int]) -> str:
    digest = sha256(repr((selection, sizes, [one.key for one in placed])).encode())
    for init in dict.fromkeys(one.span.table.init for one in placed):
        digest.update(init)
    return f'"{digest.hexdigest()[:32]}"'
