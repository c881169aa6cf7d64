"""
H.264 and H.265 in PES packets, to samples.

    PES payloads -> ByteStream -> access units -> parameter sets, sync, times -> samples

An access unit may begin and end anywhere in a PES packet. The two fields of a frame become one sample.

ISO/IEC 13818-1 §2.14.1; ISO/IEC 14496-15 §5.2 and §8.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.formats.pictures.access_unit import AccessUnit, Assembler, ByteStream
from flussdvr.formats.pictures.reader import PictureReader
from flussdvr.formats.pictures.syntax import H264Syntax
from flussdvr.media import Codec, Sample, Track

__all__ = ["Batch", "H264Stream", "H265Stream"]


class Batch(NamedTuple):
    """Samples of a track as it was when they came; the track may be new. Not empty, but the track may come alone."""

    track: Track
    samples: list[Sample]


class VideoStream:
    """What both have in common. `losses`: pictures that are missing or damaged by reason, for the caller to empty."""

    def __init__(self, codec: Codec, pid: int, language: str) -> None:
        self._reader = PictureReader(codec, pid, TICKS, language)
        self.losses = self._reader.losses
        self._assembler = Assembler(self._reader.syntax)
        self._bytes = ByteStream(self._assembler)
        self._dropped = 0
        self._spans = False
        """Whether PES packets have begun in the middle of pictures."""

    @property
    def track(self) -> Track | None:
        return self._reader.track

    def read(self, pts: int | None, dts: int | None, payload: bytes, head: bytes | None = None) -> list[Batch]:
        done = self._bytes.feed(payload, pts, dts, head)
        if head is not None:
            self._note_span()
        return self._batches(self._frames(done))

    def peek(self, head: bytes) -> list[Batch]:
        done = self._bytes.peek(head)
        self._note_span()
        return self._batches(self._frames(done))

    def _note_span(self) -> None:
        if not self._spans and self._bytes.pending:
            self._spans = True  # the next payload begins in the middle of a picture

    def finish(self) -> list[Batch]:
        return [] if self._spans else self.flush()

    def flush(self) -> list[Batch]:
        return self._batches(self._frames(self._bytes.flush()))

    def lost(self) -> None:
        self._bytes.lost()
        self._note_dropped()

    def _note_dropped(self) -> None:
        count, self._dropped = self._assembler.dropped - self._dropped, self._assembler.dropped
        self._reader.incomplete(count)

    def _batches(self, units: Sequence[AccessUnit]) -> list[Batch]:
        batches: list[Batch] = []
        reader = self._reader
        for unit in units:
            before = reader.track
            sample = reader.sample(unit.nals, unit.picture, unit.pts, unit.dts, coded=unit.coded)
            track = reader.track
            if track is None or (sample is None and track is before):
                continue
            if not batches or batches[-1].track is not track:
                batches.append(Batch(track, []))
            if sample is not None:
                batches[-1].samples.append(sample)
        if self._assembler.dropped != self._dropped:
            self._note_dropped()
        return batches

    def _frames(self, units: Sequence[AccessUnit]) -> Sequence[AccessUnit]:
        """What becomes a sample each."""
        return units


class H264Stream(VideoStream):
    """To samples of `avc1` or `avc3`. Pictures in front of the first parameter sets are of no use and left out."""

    def __init__(self, pid: int, language: str) -> None:
        super().__init__(Codec.H264, pid, language)
        syntax = self._reader.syntax
        assert isinstance(syntax, H264Syntax)
        self._syntax = syntax
        self._field: AccessUnit | None = None
        """The first field of a frame, which waits for the second."""

    def lost(self) -> None:
        self._field = None
        super().lost()

    def flush(self) -> list[Batch]:
        batches = super().flush()
        field, self._field = self._field, None
        return batches if field is None else [*batches, *self._batches([field])]

    def _frames(self, units: Sequence[AccessUnit]) -> Sequence[AccessUnit]:
        """The access units, with the two fields of a frame made one."""
        syntax = self._syntax
        if self._field is None and not syntax.has_fields:
            return units
        frames = []
        for unit in units:
            first, self._field = self._field, None
            header = syntax.header(unit.picture) if unit.picture else None
            if first is not None:
                before = syntax.header(first.picture)
                if header is not None and before is not None and header.completes(before):
                    pts, dts = (unit.pts, unit.dts) if first.pts is None else (first.pts, first.dts)
                    frames.append(AccessUnit(first.nals + unit.nals, pts, dts, first.picture))
                    continue
                frames.append(first)
            if header is not None and header.field:
                self._field = unit
            else:
                frames.append(unit)
        return frames


class H265Stream(VideoStream):
    """The same for `hvc1` or `hev1`."""

    def __init__(self, pid: int, language: str) -> None:
        super().__init__(Codec.H265, pid, language)
