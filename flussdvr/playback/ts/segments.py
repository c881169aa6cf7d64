"""
MPEG-TS of recorded fragments: muxed when asked for, once for all who ask.

    span --read extent--> bytes --CPU worker: runs, TsMuxer--> packets --> bounded cache

The muxer's continuity counters begin at 0 in every segment and end there too, so segments are independent of each
other, deterministic, and continuous when they are played one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flussdvr.body.body import Extent
from flussdvr.body.reading import read
from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.formats.mp4.sample_table import SampleTable
from flussdvr.formats.mpegts.mux import TsMuxer, TsRun
from flussdvr.playback.fragments import SegmentIndex, live_segment, live_span, segment_span
from flussdvr.playback.selection import Selection, selected
from flussdvr.playback.silence import silent_runs
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.continuity import Continuity, Placed, PlaceKey, Used, corrupt, used_by_all
from flussdvr.timeline import Range, to_ticks

if TYPE_CHECKING:
    from flussdvr.live.fragment import LiveFragment
    from flussdvr.threads import Worker

CACHE_BYTES = 128 << 20

KEPT = 2000
"""Fragments in RAM of which it is known what they take of the time."""

Key = tuple[str, Selection | None, PlaceKey]
"""The stream, which tracks, and the place of the span (`Placed.key`)."""


class TsSegments:
    def __init__(self, index: SegmentIndex, cpu: Worker) -> None:
        self._index = index
        self._cpu = cpu
        self._cache: Lru[Key, bytes] = Lru(CACHE_BYTES)
        self._shared: Shared[Key, bytes] = Shared()
        self._used: Lru[tuple[str, int, int], dict[int, Used]] = Lru(KEPT)
        self._using: Shared[tuple[str, int, int], dict[int, Used]] = Shared()

    async def segment(self, source: Source, begin_ms: int, duration_ms: int, selection: Selection | None) -> bytes:
        """One segment by its absolute time. Raises `DvrError` NOT_FOUND."""
        live = live_segment(source, begin_ms, duration_ms)
        span = segment_span(live) if live is not None else await self._index.find(source, begin_ms, duration_ms)
        return await self.placed(source, Placed(span, silence=selection is not None), selection)

    def is_made(self, source: Source, begin_ms: int, end_ms: int, selection: Selection | None) -> bool:
        return (source.name, selection, (begin_ms, end_ms, 0, 0, None, selection is not None, ())) in self._cache

    async def placed(self, source: Source, placed: Placed, selection: Selection | None) -> bytes:
        """
        The fragments of a span as packets, where they come in a stream.

        Raises `DvrError` NOT_FOUND where none of the selected tracks is there, CORRUPT for an unreadable recording.
        """
        key = source.name, selection, placed.key
        known = self._cache.get(key)
        if known is not None:
            return known
        return await self._shared.do(key, lambda: self._make(placed, key))

    async def used(self, source: Source, init: bytes, fragment: LiveFragment) -> dict[int, Used]:
        """
        What a fragment in RAM takes of the time: it is parsed in the CPU worker, once for all who watch, and never in
        the call that brings it in. Raises `DvrError`: CORRUPT, `Busy`.
        """
        key = source.name, fragment.begin_ms, fragment.end_ms
        known = self._used.get(key)
        if known is not None:
            return known

        async def make() -> dict[int, Used]:
            found: dict[int, Used] = await self._cpu.do(parse_fragment, init, fragment)
            self._used.put(key, found, 1)
            return found

        return await self._using.do(key, make)

    def place(
        self, init: bytes, fragment: LiveFragment, continuity: Continuity, used: Mapping[int, Used]
    ) -> Placed | None:
        """Where such a fragment comes in a stream; `None` where it has none of the selected tracks. As `placed`."""
        shown = Range(fragment.begin_ms, fragment.end_ms)
        return continuity.place(live_span(init, [fragment]), used, shown)

    async def _make(self, placed: Placed, key: Key) -> bytes:
        span, selection = placed.span, key[1]
        tracks = selected(span.table.tracks, selection)
        silence = silent_runs(span, tracks, selection) if placed.silence else []
        if not tracks and not silence:
            raise DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")
        tables = [span.table.samples(track.id, span.first, span.stop) for track in tracks]  # grows: in the reactor
        data = [await read(part) if isinstance(part, Extent) else part for part in span.body.parts]
        packets: bytes = await self._cpu.do(mux, tables, data, placed, silence)
        self._cache.put(key, packets, len(packets))
        return packets


def mux(tables: Sequence[SampleTable], data: Sequence[bytes], placed: Placed, silence: Sequence[Run] = ()) -> bytes:
    """In the CPU worker. `silence`: for tracks that are not among `tables` or have no sample. `DvrError` CORRUPT."""
    whole = data[0] if len(data) == 1 else b"".join(data)
    try:
        runs: list[TsRun | Run] = [
            run_of(table, whole, placed.span.offset, placed.shift_ms) for table in tables if len(table)
        ]
        tracks = {track.id: track for track in (*(table.track for table in tables), *(run.track for run in silence))}
        muxer = TsMuxer(list(tracks.values()), placed.version, placed.announced)
        runs += silence
        return muxer.segment(runs, lead=placed.lead)
    except FormatError as error:
        raise corrupt(error) from None


def parse_fragment(init: bytes, fragment: LiveFragment) -> dict[int, Used]:
    """What a fragment in RAM takes of the time. In the CPU worker. Raises `DvrError` CORRUPT."""
    try:
        return used_by_all(live_span(init, [fragment]))
    except FormatError as error:
        raise corrupt(error) from None


def measure(placed: Placed, selection: Selection | None) -> int:
    """How many bytes `mux` makes of it; nothing is read. In the CPU worker. Raises `DvrError` CORRUPT."""
    span = placed.span
    try:
        tables = [
            span.table.samples(track.id, span.first, span.stop) for track in selected(span.table.tracks, selection)
        ]
        runs = [run_of(table, b"", 0, placed.shift_ms) for table in tables]
        return TsMuxer([table.track for table in tables], announced=placed.announced).measure(runs, placed.lead)
    except FormatError as error:
        raise corrupt(error) from None


def run_of(samples: SampleTable, data: bytes, offset: int, shift_ms: int) -> TsRun:
    """The samples of one track, `shift_ms` earlier, where they lie in `data`. What lies outside the muxer refuses."""
    dts = samples.decode_times() - to_ticks(shift_ms, samples.track.timescale)
    begins = samples.offsets() - offset
    end = int(dts[-1] + samples.durations[-1]) if len(dts) else None
    return TsRun(samples.track, dts, samples.sizes, samples.cto, samples.sync, data, begins, end)
