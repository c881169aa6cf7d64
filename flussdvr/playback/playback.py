"""
Everything that turns recordings into answers, put together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from flussdvr.playback.changes import Changes
from flussdvr.playback.deletions import Deletions
from flussdvr.playback.files.windows import Exports
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.hls.blocks import Blocks
from flussdvr.playback.hls.discontinuities import Discontinuities
from flussdvr.playback.hls.windows import Hls
from flussdvr.playback.inits import Inits
from flussdvr.playback.segments import Segments
from flussdvr.playback.ts.exports import TsExports
from flussdvr.playback.ts.segments import TsSegments
from flussdvr.playback.ts.streams import TsStreams
from flussdvr.threads import Worker


@dataclass(frozen=True, slots=True)
class Playback:
    hls: Hls
    inits: Inits
    segments: Segments
    exports: Exports
    ts: TsStreams
    deletions: Deletions


def make_playback(cpu: Worker, clock: IReactorTime, now_ms: Callable[[], int]) -> Playback:
    """`cpu` renders and muxes, `clock` paces, `now_ms` is the wall clock."""
    inits = Inits()
    index = SegmentIndex()
    ts_segments = TsSegments(index, cpu)
    deletions = Deletions()
    return Playback(
        Hls(Blocks(inits, cpu), Discontinuities(), now_ms),
        inits,
        Segments(index, ts_segments, Changes()),
        Exports(cpu, now_ms),
        TsStreams(index, ts_segments, TsExports(ts_segments, cpu), clock, now_ms, deletions),
        deletions,
    )
