"""
A window of the archive as one MPEG-TS file: its length is known before anything is read, any range of it can be had.

    choose     which segments, and how much earlier each is shown: gaps are skipped
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

from flussdvr.errors import DvrError, Kind
from flussdvr.playback.fragments import Span
from flussdvr.playback.lru import Lru
from flussdvr.playback.selection import Selection, selected
from flussdvr.playback.shared import Shared
from flussdvr.playback.sources import Source
from flussdvr.playback.ts_segments import TsSegments, measure

if TYPE_CHECKING:
    from flussdvr.threads import Worker

MEASURED_MS = 2 * 3_600_000
"""Longer windows are not measured: an hour takes about 0.3 s."""
KEPT = 50_000
"""Sizes of segments that are remembered: about 80 hours."""

Key = tuple[str, Selection | None, tuple[tuple[int, int, int], ...]]


@dataclass(frozen=True, slots=True)
class Shown:
    """`span`, `shift_ms` earlier than it was recorded."""

    span: Span
    shift_ms: int

    @property
    def key(self) -> tuple[int, int, int]:
        return self.span.begin_ms, self.span.end_ms, self.shift_ms


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

    async def measured(self, source: Source, shown: Sequence[Shown], selection: Selection | None) -> TsExport:
        """These, one after the other. Raises `DvrError` NOT_FOUND where no selected track is there, CORRUPT."""
        there = [one for one in shown if selected(one.span.table.tracks, selection)]
        if not there:
            raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
        key: Key = source.name, selection, tuple(one.key for one in there)

        async def make() -> list[int]:
            found: list[int] = await self._cpu.do(_measure, there, selection)
            self._sizes.put(key, found, len(found))
            return found

        sizes = self._sizes.get(key)
        if sizes is None:
            sizes = await self._shared.do(key, make)
        ends = list(accumulate(sizes))

        def chunks(start: int, stop: int | None) -> AsyncIterator[bytes]:
            return self._chunks(source, selection, there, ends, start, ends[-1] if stop is None else stop)

        return TsExport(chunks, ends[-1], _etag(there, selection, sizes))

    async def _chunks(
        self,
        source: Source,
        selection: Selection | None,
        shown: Sequence[Shown],
        ends: Sequence[int],
        start: int,
        stop: int,
    ) -> AsyncIterator[bytes]:
        for number in range(bisect_right(ends, start), len(shown)):
            at = ends[number - 1] if number else 0
            if at >= stop:
                return
            one = shown[number]
            packets = await self._segments.span(source, one.span, selection, one.shift_ms)
            if len(packets) != ends[number] - at:
                raise DvrError(Kind.CORRUPT, "corrupt_recording", "the recording is not what its index says")
            yield packets[max(start - at, 0) : stop - at]


def _measure(shown: Sequence[Shown], selection: Selection | None) -> list[int]:
    """In the CPU worker; the tables of blobs that still grow must be copies."""
    return [measure(one.span, selection, one.shift_ms) for one in shown]


def _etag(shown: Sequence[Shown], selection: Selection | None, sizes: Sequence[int]) -> str:
    digest = sha256(repr((selection, sizes, [one.key for one in shown])).encode())
    for init in dict.fromkeys(one.span.table.init for one in shown):
        digest.update(init)
    return f'"{digest.hexdigest()[:32]}"'
