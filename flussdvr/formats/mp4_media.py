"""
The samples of one track of an MP4 that is made of many blobs, kept as small as its tables are.

    add  one blob's samples, in the order of time --> sizes, and runs of steps and offsets; their own times are let go
    then  late, end, first_shown                      of all of them, without having all of them as numbers at once

A day has millions of samples: 100 bytes each are too many. Packed they take 2 or 3, less than the file's tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.cut import Cut
from flussdvr.formats.in_band import in_band_sets
from flussdvr.formats.mdat import Stretches
from flussdvr.formats.packed import Ascending, Packed
from flussdvr.formats.sample_entry import write_sample_entry
from flussdvr.formats.sample_table import Ints
from flussdvr.formats.stbl import MAX_DELTA, Runs
from flussdvr.media import Track

__all__ = ["Media", "MediaPart"]

NONE = Ascending.of(np.empty(0, np.int64))


@dataclass(slots=True)
class MediaPart:
    """
    What a track has in one span: `count` samples.

    `first_dts`, `last_dts`: of its first and last sample, in ticks of the output; `steps` lead from each to the next,
    `offsets` from decoding to presentation; `shown`: earliest and latest presentation. `sizes`: as in the blob; `sync`:
    numbers of the sync samples of video. `chunks`: samples in each contiguous stretch of bytes; `begins` of these in
    the blob, and their `lengths`. `inserts`: where the sync samples are, if parameter sets may be put in front of
    them; `sets`: those.
    """

    span: int
    source: Track
    entry: bytes
    count: int
    first_dts: int
    last_dts: int
    steps: Runs
    offsets: Runs
    shown: tuple[int, int]
    sizes: Packed
    sync: Ascending
    chunks: Runs
    begins: Ascending
    lengths: Packed
    inserts: Ascending
    sets: bytes = b""

    @classmethod
    def of(cls, span: int, entry: bytes, cut: Cut, dts: Ints, pts: Ints) -> MediaPart:
        """`dts` and `pts` are in the output, `dts` in order. Raises `DvrError` where steps are too long."""
        first = np.append(0, np.flatnonzero(cut.offsets[1:] != cut.offsets[:-1] + cut.sizes[:-1]) + 1)
        last = np.append(first[1:], len(cut)) - 1
        sync = np.flatnonzero(cut.sync)
        begins = cut.offsets[first]
        inserted = cut.track.is_video and in_band_sets(cut.track)
        return cls(
            span,
            cut.track,
            entry,
            len(cut),
            int(dts[0]),
            int(dts[-1]),
            _steps(dts),
            Runs.of(pts - dts),
            (int(pts.min()), int(pts.max())),
            Packed.of(cut.sizes),
            Ascending.of(sync) if cut.track.is_video else NONE,
            Runs.of(last - first + 1),
            Ascending.of(begins),
            Packed.of(cut.offsets[last] + cut.sizes[last] - begins),
            Ascending.of(cut.offsets[sync]) if inserted else NONE,
        )

    def pts(self) -> Ints:
        return self._dts() + self.offsets.column()

    def decode_before(self, dts: int) -> None:
        """Decode earlier what would not come before `dts`."""
        own = self._dts()
        pts = own + self.offsets.column()
        own = np.minimum(own, dts - np.arange(self.count, 0, -1))
        self.first_dts, self.last_dts = int(own[0]), int(own[-1])
        self.steps, self.offsets = _steps(own), Runs.of(pts - own)

    def stretches(self) -> Stretches:
        begins = self.begins.column()
        inserts = self.inserts if self.sets else NONE
        return Stretches(begins, begins + self.lengths.column(), inserts.column(), self.sets)

    @property
    def nbytes(self) -> int:
        """What is held of it in memory."""
        samples = self.steps.nbytes + self.offsets.nbytes + self.sizes.nbytes + self.sync.nbytes
        return samples + self.chunks.nbytes + self.begins.nbytes + self.lengths.nbytes + self.inserts.nbytes

    def _dts(self) -> Ints:
        dts = np.empty(self.count, np.int64)
        dts[0] = self.first_dts
        dts[1:] = self.first_dts + np.cumsum(self.steps.column())
        return dts


@dataclass(slots=True)
class Media:
    """
    One output track: `last` is the duration of its last sample, in ticks. `number`: which of its kind it is; tracks of
    one number follow each other, those of different ones are a choice.
    """

    track: Track
    number: int
    parts: list[MediaPart] = field(default_factory=list)
    last: int = 0

    def add(self, span: int, entry: bytes, cut: Cut, dts: Ints, pts: Ints) -> None:
        """
        What is decoded after all that is there already, or is decoded at the same time, which then is earlier. There
        is at least one sample. Raises `DvrError` OUT_OF_RANGE for a gap in it that no sample can bridge.
        """
        part = MediaPart.of(span, entry, cut, _in_order(dts), pts)
        begin = part.first_dts
        for before in reversed(self.parts):
            if before.last_dts < begin:
                break
            before.decode_before(begin)
            begin = before.first_dts
        self.parts.append(part)
        self.last = int(cut.durations[-1]) * self.track.timescale // cut.track.timescale

    def carry_sets(self) -> None:
        """
        Where parameter sets change, bring them in front of each sync sample, and have one sample entry.

        Most players set up their decoder once, by the first entry, and also seek back over a change.
        """
        if len({part.entry for part in self.parts}) > 1 and in_band_sets(self.track):
            entry = write_sample_entry(self.track, in_band=True)
            for part in self.parts:
                part.sets, part.entry = in_band_sets(part.source), entry

    @property
    def nbytes(self) -> int:
        """What is held of it in memory."""
        return sum(part.nbytes for part in self.parts)

    @property
    def end(self) -> int:
        """When nothing of it is shown any more."""
        return max(part.shown[1] for part in self.parts) + self.last

    @property
    def late(self) -> int:
        """By how much all is decoded too late for its presentation: so much earlier it is."""
        return max(0, *(-part.offsets.values.bounds[0] for part in self.parts))

    @property
    def dts(self) -> int:
        """When the first sample is decoded."""
        return self.parts[0].first_dts - self.late

    @property
    def duration(self) -> int:
        """From the first decode time to when the last sample is over."""
        return self.parts[-1].last_dts - self.parts[0].first_dts + self.last

    @property
    def pts(self) -> int:
        """Presentation of the sample that is decoded first."""
        part = self.parts[0]
        return part.first_dts + part.offsets.values.at(0)

    def steps(self) -> Iterator[Runs]:
        """From each decode time to the next. Raises `DvrError` OUT_OF_RANGE for a gap that no sample can bridge."""
        for part, after in zip(self.parts, [*self.parts[1:], None], strict=True):
            yield part.steps
            step = self.last if after is None else after.first_dts - part.last_dts
            yield _steps(np.array((0, step), np.int64))

    def offsets(self) -> Iterator[Runs]:
        """From decoding to presentation."""
        late = self.late
        for part in self.parts:
            yield part.offsets.plus(late)

    def first_shown(self, begin: int, end: int) -> int:
        """
        What is presented first in `[begin, end)`.

        Audio may begin in the middle of a frame; pictures begin with one, the first of the interval, or with the one
        that is on if there is none.
        """
        if not self.track.is_video:
            return max(self.pts, begin)
        inside = [found for part in self.parts if (found := _least(part, begin, end)) is not None]
        if inside:
            return min(inside)
        before = [pts[pts < begin] for part in self.parts if part.shown[0] < begin for pts in [part.pts()]]
        return max((int(pts.max()) for pts in before if len(pts)), default=min(part.shown[0] for part in self.parts))


def _least(part: MediaPart, begin: int, end: int) -> int | None:
    """The earliest presentation in `[begin, end)`."""
    if part.shown[1] < begin or part.shown[0] >= end:
        return None
    if part.shown[0] >= begin:
        return part.shown[0]
    pts = part.pts()
    inside = pts[(pts >= begin) & (pts < end)]
    return int(inside.min()) if len(inside) else None


def _steps(dts: Ints) -> Runs:
    steps = np.diff(dts)
    if len(steps) and int(steps.max()) > MAX_DELTA:
        raise DvrError(Kind.OUT_OF_RANGE, "gap_too_long", "The gap in this window is too long for one MP4.")
    return Runs.of(steps)


def _in_order(dts: Ints) -> Ints:
    """`dts`, earlier where they must be: each after the one before."""
    if len(dts) > 1 and (np.diff(dts) <= 0).any():
        steps = np.arange(len(dts))
        dts = np.minimum.accumulate((dts - steps)[::-1])[::-1] + steps
    return dts
