"""
What of a track a window needs: the samples to be there, and when each is decoded and shown.

    begin                                                       end
      |                                                          |
    I P B B P ...   the latest sync sample shown at or before    | P . .   up to the last sample, in decoding order,
    a a a a a ...   one frame of preroll: a decoder's memory     |         that is shown before the end

Where nothing in front of it is there to refer to, leading pictures (shown before the sync sample they follow) are left
out: they could not be decoded, and are shown before `begin` in any case.  ISO/IEC 14496-12 §3.1 (leading, preroll).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flussdvr.formats.mp4.fmp4 import NON_SYNC_BIT
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.sample_table import Bools, Ints, Records
from flussdvr.media import Track

__all__ = ["Cut", "cut_audio", "cut_video"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples of one track in one blob: `dts`, `pts`, `durations` in its ticks (UTC), `offsets` in the blob."""

    track: Track
    dts: Ints
    pts: Ints
    durations: Ints
    sizes: Ints
    offsets: Ints
    sync: Bools

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, which: slice | Bools) -> Cut:
        return Cut(
            self.track,
            self.dts[which],
            self.pts[which],
            self.durations[which],
            self.sizes[which],
            self.offsets[which],
            self.sync[which],
        )


def cut_video(
    table: FragmentTable, track: Track, fragments: tuple[int, int], begin_ms: int, end_ms: int | None, joined: bool
) -> Cut:
    """
    The pictures to show `[begin_ms, end_ms)`; to the last of the fragments where the end is `None`.

    `joined`: the blob before goes on in this one without a gap, so that leading pictures find their references.
    Raises `FormatError` where the index contradicts itself.
    """
    runs = table.runs_of([track.id], *fragments)
    begins = table.run_begins(runs)
    if end_ms is not None:
        # A second more, for pictures that are shown before they are decoded (negative offsets).
        near = runs["dts"] < _ceil(end_ms + 1000, track)
        runs, begins = runs[near], begins[near]
    sync = np.flatnonzero(runs["first_flags"] & NON_SYNC_BIT == 0)
    if not joined and len(sync):
        # To the millisecond: a window that a playlist gave begins at the rounded time of a sync sample.
        before = sync[begins[sync] < _ceil(begin_ms + 1, track)]
        runs = runs[before[-1] if len(before) else sync[0] :]
    elif not joined:
        runs = runs[:0]
    cut = _samples(table, track, runs)
    if end_ms is not None:
        shown = np.flatnonzero(cut.pts < _ceil(end_ms, track))
        cut = cut[: shown[-1] + 1 if len(shown) else 0]
    if joined or not len(cut):
        return cut
    following = np.flatnonzero(cut.sync[1:])
    leading = cut.pts < cut.pts[0]
    leading[following[0] + 1 if len(following) else len(cut) :] = False
    return cut[~leading] if leading.any() else cut


def cut_audio(
    table: FragmentTable,
    track: Track,
    fragments: tuple[int, int],
    begin_ms: int,
    end_ms: int | None,
    joined: bool,
    preroll: int,
) -> Cut:
    """
    The frames that begin in `[begin_ms, end_ms)`; with `preroll`, also the one that is on at `begin_ms`, and that many
    before it. Otherwise as `cut_video`.
    """
    runs = table.runs_of([track.id], *fragments)
    if end_ms is not None:
        runs = runs[runs["dts"] < _ceil(end_ms, track)]
    begin = _ceil(begin_ms, track)
    if not joined:
        runs = runs[max(int(np.searchsorted(runs["dts"], begin, "right")) - 2, 0) :]
    cut = _samples(table, track, runs)
    if end_ms is not None:
        cut = cut[: np.searchsorted(cut.pts, _ceil(end_ms, track))]
    if joined:
        return cut
    if not preroll:
        return cut[np.searchsorted(cut.pts, begin) :]
    return cut[max(int(np.searchsorted(cut.pts, begin, "right")) - 1 - preroll, 0) :]


def _samples(table: FragmentTable, track: Track, runs: Records) -> Cut:
    samples = table.samples_of(runs, track)
    dts = samples.decode_times()
    return Cut(track, dts, dts + samples.cto, samples.durations, samples.sizes, samples.offsets(), samples.sync)


def _ceil(utc_ms: int, track: Track) -> int:
    """The first tick that is not before `utc_ms`."""
    return -(-utc_ms * track.timescale // 1000)
