"""
The samples of one track of an MP4 that is made of many blobs, kept as small as its tables are.

    add  one blob's samples, in the order of time --> sizes, and runs of steps and offsets; their own times are let go
    then  late, end, first_shown                      of all of them, without having all of them as numbers at once

A day has millions of samples: 100 bytes each are too many. Packed they take 2 or 3, less than the file's tables; where
that is too much too, they are let go of (`let_go`), and come from the blob's index again when a table is made of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.cut import Cut
from flussdvr.formats.mp4.in_band import in_band_sets
from flussdvr.formats.mp4.mdat import Stretches
from flussdvr.formats.mp4.packed import Ascending, Packed
from flussdvr.formats.mp4.sample_entry import write_sample_entry
from flussdvr.formats.mp4.sample_table import Ints
from flussdvr.formats.mp4.stbl import MAX_DELTA, Brief, Origin, Runs, SomeRuns, SomeSizes
from flussdvr.media import Track

__all__ = ["Media", "MediaPart"]

NONE = Ascending.of(np.empty(0, np.int64))
SMALL = 16 << 10
"""Bytes of a column that is not let go of: reading an index for it would cost more."""
MARGIN = 4096
"""So many samples later nothing changes any more in what comes before: decoders reorder 16 pictures."""

Times = tuple[Ints, Ints, Ints]
"""Decode times, presentation times and sizes of the samples of a part."""


@dataclass(slots=True)
class MediaPart:
    """
    What a track has in one span: `count` samples.

    `first_dts`, `last_dts`: of its first and last sample, in ticks of the output; `steps` lead from each to the next,
    `offsets` from decoding to presentation, `sizes` are those in the blob: `None` where they are not held, but read
    `again` from `place`. `shown`: earliest and latest presentation; `early`: the presentations about the beginning,
    `later`: the first one after these. `sync`:
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
    steps: Runs | None
    offsets: Runs | None
    sizes: Packed | None
    shown: tuple[int, int]
    early: Ints
    later: int | None
    sync: Ascending
    chunks: Runs
    begins: Ascending
    lengths: Packed
    inserts: Ascending
    step_brief: Brief
    offset_brief: Brief
    first_offset: int
    again: Callable[[], Times] | None = None
    place: object | None = None
    sets: bytes = b""
    floor: int | None = None
    tag: bytes = b""

    @classmethod
    def of(cls, span: int, entry: bytes, cut: Cut, dts: Ints, pts: Ints, timescale: int) -> MediaPart:
        """`dts` and `pts` are in the output, `dts` in order. Raises `DvrError` where steps are too long."""
        first = np.append(0, np.flatnonzero(cut.offsets[1:] != cut.offsets[:-1] + cut.sizes[:-1]) + 1)
        last = np.append(first[1:], len(cut)) - 1
        sync = np.flatnonzero(cut.sync)
        begins = cut.offsets[first]
        inserted = cut.track.is_video and in_band_sets(cut.track)
        steps, offsets = _steps(dts), Runs.of(pts - dts)
        # Where an edit list may begin: at most a millisecond after the beginning of the file.
        is_early = pts <= timescale // 1000 + 1
        return cls(
            span,
            cut.track,
            entry,
            len(cut),
            int(dts[0]),
            int(dts[-1]),
            steps,
            offsets,
            Packed.of(cut.sizes),
            (int(pts.min()), int(pts.max())),
            pts[is_early],
            int(pts[~is_early].min()) if not is_early.all() else None,
            Ascending.of(sync) if cut.track.is_video else NONE,
            Runs.of(last - first + 1),
            Ascending.of(begins),
            Packed.of(cut.offsets[last] + cut.sizes[last] - begins),
            Ascending.of(cut.offsets[sync]) if inserted else NONE,
            Brief.of(steps),
            Brief.of(offsets),
            int(pts[0] - dts[0]),
        )

    def decode_before(self, dts: int) -> None:
        """Decode earlier what would not come before `dts`. Raises `DvrError` where it is let go of."""
        if self.steps is None or self.offsets is None:
            title = "the recordings of this window overlap: it cannot be one file"
            raise DvrError(Kind.CORRUPT, "corrupt_recording", title)
        own = np.append(self.first_dts, self.first_dts + np.cumsum(self.steps.column()))
        pts = own + self.offsets.column()
        self.floor = dts if self.floor is None else min(dts, self.floor)
        own = _before(own, dts)
        self.first_dts, self.last_dts = int(own[0]), int(own[-1])
        self.steps, self.offsets = _steps(own), Runs.of(pts - own)
        self.step_brief, self.offset_brief = Brief.of(self.steps), Brief.of(self.offsets)
        self.first_offset = int(pts[0] - own[0])

    def let_go(self) -> None:
        """Hold no more what can be read again."""
        if self.again is None or self.steps is None or self.offsets is None or self.sizes is None:
            return
        self.tag = _tag(self.steps, self.offsets, self.sizes)
        self.steps, self.offsets, self.sizes = (
            self.steps if self.steps.nbytes <= SMALL else None,
            self.offsets if self.offsets.nbytes <= SMALL else None,
            self.sizes if self.sizes.nbytes <= SMALL else None,
        )

    def some_steps(self) -> SomeRuns:
        held = self.steps
        return SomeRuns(lambda: self._read()[0] if held is None else held, self.step_brief, self._origin(held))

    def some_offsets(self, shift: int) -> SomeRuns:
        held = self.offsets
        get = lambda: self._read()[1] if held is None else held  # noqa: E731
        return SomeRuns(get, self.offset_brief, self._origin(held), shift)

    def some_sizes(self) -> SomeSizes:
        held = self.sizes
        get = lambda: self._read()[2] if held is None else held  # noqa: E731
        return SomeSizes(get, self.count, self.sync, len(self.sets), self._origin(held))

    def _origin(self, held: Runs | Packed | None) -> Origin | None:
        return Origin(self.place, self.tag) if held is None else None

    def _read(self) -> tuple[Runs, Runs, Packed]:
        """What was let go of. Raises `DvrError` NOT_FOUND where it is not there any more; as `again` does."""
        assert self.again is not None
        dts, pts, sizes = self.again()
        dts = _in_order(dts)
        if self.floor is not None:
            dts = _before(dts, self.floor)
        found = _steps(dts), Runs.of(pts - dts), Packed.of(sizes)
        if _tag(*found) != self.tag:
            raise DvrError(Kind.NOT_FOUND, "data_gone", "the recording has changed since the file was begun")
        return found

    def stretches(self) -> Stretches:
        begins = self.begins.column()
        inserts = self.inserts if self.sets else NONE
        return Stretches(begins, begins + self.lengths.column(), inserts.column(), self.sets)

    @property
    def nbytes(self) -> int:
        """What is held of it in memory."""
        chunks = self.chunks.nbytes + self.begins.nbytes + self.lengths.nbytes
        return self.samples_nbytes + chunks + self.sync.nbytes + self.inserts.nbytes + self.early.nbytes

    @property
    def samples_nbytes(self) -> int:
        """What of that may be let go of."""
        columns: tuple[Runs | Packed | None, ...] = (self.steps, self.offsets, self.sizes)
        return sum(column.nbytes for column in columns if column is not None)


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
    fresh: deque[MediaPart] = field(default_factory=deque)
    """Parts that are held whole."""

    def add(
        self,
        span: int,
        entry: bytes,
        cut: Cut,
        dts: Ints,
        pts: Ints,
        again: Callable[[], Times] | None = None,
        place: object | None = None,
    ) -> None:
        """
        What is decoded after all that is there already, or is decoded at the same time, which then is earlier. There
        is at least one sample. `again` gives `dts`, `pts` and the sizes once more, reading the file `place`; it raises
        what that raises. Raises `DvrError` OUT_OF_RANGE for a gap in it that no sample can bridge.
        """
        part = MediaPart.of(span, entry, cut, _in_order(dts), pts, self.track.timescale)
        part.again, part.place = again, place
        begin = part.first_dts
        for before in reversed(self.parts):
            if before.last_dts < begin:
                break
            before.decode_before(begin)
            begin = before.first_dts
        self.parts.append(part)
        self.fresh.append(part)
        self.last = int(cut.durations[-1]) * self.track.timescale // cut.track.timescale

    def let_go(self) -> None:
        """Hold no more what can be read again, but for the latest samples."""
        later = 0
        kept: deque[MediaPart] = deque()
        while self.fresh and later < MARGIN:
            kept.appendleft(self.fresh.pop())
            later += kept[0].count
        for part in self.fresh:
            part.let_go()
        self.fresh = kept

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
        return max(0, *(-part.offset_brief.bounds[0] for part in self.parts))

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
        return part.first_dts + part.first_offset

    def steps(self) -> Iterator[SomeRuns]:
        """From each decode time to the next. Raises `DvrError` OUT_OF_RANGE for a gap that no sample can bridge."""
        for part, after in zip(self.parts, [*self.parts[1:], None], strict=True):
            yield part.some_steps()
            step = self.last if after is None else after.first_dts - part.last_dts
            yield SomeRuns.of(_steps(np.array((0, step), np.int64)))

    def offsets(self) -> Iterator[SomeRuns]:
        """From decoding to presentation."""
        late = self.late
        for part in self.parts:
            yield part.some_offsets(late)

    def first_shown(self, begin: int, end: int) -> int:
        """
        What is presented first in `[begin, end)`; `begin` is at most a millisecond after 0.

        Audio may begin in the middle of a frame; pictures begin with one, the first of the interval, or with the one
        that is on if there is none.
        """
        if not self.track.is_video:
            return max(self.pts, begin)
        inside = [found for part in self.parts if (found := _least(part, begin, end)) is not None]
        if inside:
            return min(inside)
        before = [part.early[part.early < begin] for part in self.parts if part.shown[0] < begin]
        return max((int(pts.max()) for pts in before if len(pts)), default=min(part.shown[0] for part in self.parts))


def _least(part: MediaPart, begin: int, end: int) -> int | None:
    """The earliest presentation in `[begin, end)`."""
    if part.shown[1] < begin or part.shown[0] >= end:
        return None
    if part.shown[0] >= begin:
        return part.shown[0]
    inside = part.early[(part.early >= begin) & (part.early < end)]
    if len(inside):
        return int(inside.min())
    return part.later if part.later is not None and begin <= part.later < end else None


def _tag(steps: Runs, offsets: Runs, sizes: Packed) -> bytes:
    return blake2b(steps.tag() + offsets.tag() + sizes.tag(), digest_size=16).digest()


def _before(dts: Ints, limit: int) -> Ints:
    """`dts`, earlier where they must be: the last one before `limit`, each before the next."""
    return np.minimum(dts, limit - np.arange(len(dts), 0, -1))


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
