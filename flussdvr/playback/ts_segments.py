"""
MPEG-TS of recorded fragments: muxed when asked for, once for all who ask.

    span --read extent--> bytes --CPU worker: runs, TsMuxer--> packets --> bounded cache

The muxer's continuity counters begin at 0 in every segment and end there too, so segments are independent of each
other, deterministic, and continuous when they are played one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flussdvr.archive.body import Extent
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mpegts_mux import TsMuxer, TsRun
from flussdvr.formats.sample_table import SampleTable
from flussdvr.playback.fragments import SegmentIndex, Span, live_segment, live_span, segment_span
from flussdvr.playback.lru import Lru
from flussdvr.playback.reading import ReaderOf, read_extent
from flussdvr.playback.selection import Selection, selected
from flussdvr.playback.shared import Shared
from flussdvr.playback.sources import Source
from flussdvr.timeline import to_ticks

if TYPE_CHECKING:
    from flussdvr.live.fragment import LiveFragment
    from flussdvr.media import Track
    from flussdvr.threads import Worker

CACHE_BYTES = 128 << 20

Key = tuple[str, int, int, Selection | None, int]


class TsSegments:
    def __init__(self, index: SegmentIndex, cpu: Worker, reader: ReaderOf) -> None:
        self._index = index
        self._reader = reader
        self._cpu = cpu
        self._cache: Lru[Key, bytes] = Lru(CACHE_BYTES)
        self._shared: Shared[Key, bytes] = Shared()

    async def segment(self, source: Source, begin_ms: int, duration_ms: int, selection: Selection | None) -> bytes:
        """One segment by its absolute time. Raises `DvrError` NOT_FOUND."""
        live = live_segment(source, begin_ms, duration_ms)
        span = segment_span(live) if live is not None else await self._index.find(source, begin_ms, duration_ms)
        return await self.span(source, span, selection)

    def is_made(self, source: Source, begin_ms: int, end_ms: int, selection: Selection | None) -> bool:
        return (source.name, begin_ms, end_ms, selection, 0) in self._cache

    async def span(self, source: Source, span: Span, selection: Selection | None, shift_ms: int = 0) -> bytes:
        """
        The fragments of `span` as packets, all timestamps `shift_ms` earlier.

        Raises `DvrError` NOT_FOUND where none of the selected tracks is there, CORRUPT for an unreadable recording.
        """
        key = source.name, span.begin_ms, span.end_ms, selection, shift_ms
        known = self._cache.get(key)
        if known is not None:
            return known
        return await self._shared.do(key, lambda: self._make(source, span, selection, shift_ms, key))

    async def fragment(
        self,
        source: Source,
        item: tuple[bytes, tuple[Track, ...], LiveFragment],
        selection: Selection | None,
        shift_ms: int,
    ) -> bytes:
        """
        As `span`, of one fragment in RAM with its init segment and tracks: it is parsed and muxed in the CPU worker,
        once for all who watch, and never in the call that brings it in.
        """
        init, all_tracks, fragment = item
        key = source.name, fragment.begin_ms, fragment.end_ms, selection, shift_ms
        known = self._cache.get(key)
        if known is not None:
            return known
        tracks = [track.id for track in selected(all_tracks, selection)]
        if not tracks:
            raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")

        async def make() -> bytes:
            packets: bytes = await self._cpu.do(mux_fragment, init, fragment, tracks, shift_ms)
            self._cache.put(key, packets, len(packets))
            return packets

        return await self._shared.do(key, make)

    async def _make(self, source: Source, span: Span, selection: Selection | None, shift_ms: int, key: Key) -> bytes:
        tracks = selected(span.table.tracks, selection)
        if not tracks:
            raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
        tables = [span.table.samples(track.id, span.first, span.stop) for track in tracks]  # grows: in the reactor
        data = [
            await self._reader(part.path).do(read_extent, part) if isinstance(part, Extent) else part
            for part in span.body.parts
        ]
        packets: bytes = await self._cpu.do(mux, tables, data, span.offset, shift_ms)
        self._cache.put(key, packets, len(packets))
        return packets


def mux(tables: Sequence[SampleTable], data: Sequence[bytes], offset: int, shift_ms: int) -> bytes:
    """In the CPU worker. `offset`: where in the blob `data` begins. Raises `DvrError` CORRUPT."""
    whole = data[0] if len(data) == 1 else b"".join(data)
    try:
        runs = [run_of(table, whole, offset, shift_ms) for table in tables]
        return TsMuxer([table.track for table in tables]).segment(runs)
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None


def mux_fragment(init: bytes, fragment: LiveFragment, tracks: Sequence[int], shift_ms: int) -> bytes:
    """`mux` of one fragment in RAM. In the CPU worker. Raises `DvrError` CORRUPT."""
    try:
        span = live_span(init, [fragment])
        tables = [span.table.samples(track) for track in tracks]
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None
    return mux(tables, [fragment.data], span.offset, shift_ms)


def measure(span: Span, selection: Selection | None, shift_ms: int) -> int:
    """How many bytes `mux` makes of it; nothing is read. In the CPU worker. Raises `DvrError` CORRUPT."""
    try:
        tables = [
            span.table.samples(track.id, span.first, span.stop) for track in selected(span.table.tracks, selection)
        ]
        runs = [run_of(table, b"", 0, shift_ms) for table in tables]
        return TsMuxer([table.track for table in tables]).measure(runs)
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None


def run_of(samples: SampleTable, data: bytes, offset: int, shift_ms: int) -> TsRun:
    """The samples of one track, `shift_ms` earlier, where they lie in `data`. What lies outside the muxer refuses."""
    dts = samples.decode_times() - to_ticks(shift_ms, samples.track.timescale)
    begins = samples.offsets() - offset
    return TsRun(samples.track, dts, samples.sizes, samples.cto, samples.sync, data, begins)
