"""
H.264 and H.265 in PES packets, to samples.

    PES payloads -> ByteStream -> access units -> parameter sets, sync, times -> samples

An access unit may begin and end anywhere in a PES packet. The two fields of a frame become one sample.

ISO/IEC 13818-1 §2.14.1; ISO/IEC 14496-15 §5.2 and §8.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flussdvr.formats import h264, h265
from flussdvr.formats.access_unit import AccessUnit, Assembler, ByteStream
from flussdvr.formats.mpegts_packet import TICKS
from flussdvr.formats.picture_times import PictureTimes
from flussdvr.formats.random_access import Access, SyncChooser
from flussdvr.formats.video_config import VideoConfig
from flussdvr.formats.video_syntax import H264Syntax, H265Syntax
from flussdvr.media import Codec, PictureTrouble, Sample, Track

__all__ = ["Batch", "H264Stream", "H265Stream"]


class Batch(NamedTuple):
    """Samples of a track as it was when they came; the track may be new. Not empty, but the track may come alone."""

    track: Track
    samples: list[Sample]


class _Coded(NamedTuple):
    """An access unit as a sample keeps it: `sets` are its parameter sets by kind, SPS and PPS last."""

    data: bytes
    sets: tuple[list[bytes], ...]
    access: Access


class VideoStream:
    """What both have in common. `losses`: pictures that are missing or damaged by reason, for the caller to empty."""

    def __init__(self, codec: Codec, syntax: H264Syntax | H265Syntax, pid: int, language: str, order_step: int) -> None:
        self.losses: dict[str, int] = {}
        self._syntax = syntax
        self._assembler = Assembler(syntax)
        self._bytes = ByteStream(self._assembler)
        self._config = VideoConfig(pid, codec, TICKS, language)
        self._times = PictureTimes(TICKS, order_step)
        self._sync = SyncChooser()
        self._at_s = 0.0
        self._damaged = False
        self._dropped = 0

    @property
    def track(self) -> Track | None:
        return self._config.track

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Batch]:
        return self._batches(self._bytes.feed(payload, pts, dts))

    def peek(self, head: bytes) -> list[Batch]:
        return self._batches(self._bytes.peek(head))

    def flush(self) -> list[Batch]:
        return self._batches(self._bytes.flush())

    def lost(self) -> None:
        self._bytes.lost()
        self._note_dropped()

    def _note_dropped(self) -> None:
        """Pictures that were begun are dropped: what refers to them is damaged."""
        count = self._assembler.dropped - self._dropped
        self._dropped = self._assembler.dropped
        self._damaged = True
        self._lose(PictureTrouble.INCOMPLETE, count)

    def _lose(self, reason: PictureTrouble, count: int) -> None:
        if count and self.track is not None:
            self.losses[reason] = self.losses.get(reason, 0) + count

    def _batches(self, units: Iterable[AccessUnit]) -> list[Batch]:
        batches: list[Batch] = []
        for unit in units:
            before = self.track
            sample = self._sample(unit)
            track = self.track
            if track is None or (sample is None and track is before):
                continue
            if not batches or batches[-1].track is not track:
                batches.append(Batch(track, []))
            if sample is not None:
                batches[-1].samples.append(sample)
        if self._assembler.dropped != self._dropped:
            self._note_dropped()
        return batches

    def _sample(self, unit: AccessUnit) -> Sample | None:
        """The sample of an access unit, if it has a picture and there is a time for it."""
        coded = self._read(unit)
        before = self.track
        header_id = self._syntax.active_sps(unit.picture) if unit.picture else None
        change = self._config.update(coded.sets, header_id, self._at_s)
        if self.track is not before and self.track is not None:
            self._times.declare(self.track.frame_rate, self._config.reorder)
        if not unit.picture:
            return None
        picture = self._syntax.picture(unit.picture)
        repaired = self._times.repaired
        times = self._times.times(unit.pts, unit.dts, picture)
        if times is None or self.track is None:
            return None
        self._lose(PictureTrouble.RETIMED, min(1, self._times.repaired - repaired))
        dts, pts = times
        self._at_s = dts / TICKS
        access = coded.access
        if access is Access.NONE and (picture.intra or coded.sets[-2]):
            access = Access.LIKELY
        sync = self._sync.is_sync(access, self._at_s)
        if sync:
            self._damaged = False
        elif self._damaged:
            self._lose(PictureTrouble.DAMAGED, 1)
        return Sample(dts, self._config.carried_sets(coded.sets, change, sync) + coded.data, sync, pts - dts)

    def _read(self, unit: AccessUnit) -> _Coded:
        raise NotImplementedError


class H264Stream(VideoStream):
    """To samples of `avc1` or `avc3`. Pictures in front of the first parameter sets are of no use and left out."""

    def __init__(self, pid: int, language: str) -> None:
        self._h264 = H264Syntax()
        super().__init__(Codec.H264, self._h264, pid, language, 2)
        self._field: AccessUnit | None = None
        """The first field of a frame, which waits for the second."""

    def lost(self) -> None:
        self._field = None
        super().lost()

    def flush(self) -> list[Batch]:
        batches = super().flush()
        field, self._field = self._field, None
        return batches if field is None else [*batches, *super()._batches([field])]

    def _batches(self, units: Iterable[AccessUnit]) -> list[Batch]:
        return super()._batches(self._frames(units))

    def _frames(self, units: Iterable[AccessUnit]) -> Iterator[AccessUnit]:
        """The access units, with the two fields of a frame made one."""
        for unit in units:
            first, self._field = self._field, None
            header = self._h264.header(unit.picture) if unit.picture else None
            if first is not None:
                before = self._h264.header(first.picture)
                if header is not None and before is not None and header.completes(before):
                    pts, dts = (unit.pts, unit.dts) if first.pts is None else (first.pts, first.dts)
                    yield AccessUnit(first.nals + unit.nals, pts, dts, first.picture)
                    continue
                yield first
            if header is not None and header.field:
                self._field = unit
            else:
                yield unit

    def _read(self, unit: AccessUnit) -> _Coded:
        coded = h264.access_unit(unit.nals)
        access = Access.NONE
        if coded.sync or (coded.intra and coded.sps):
            # An encoder that repeats its SPS in front of an I picture wants it to be a place to begin.
            access = Access.EXACT
        elif coded.recovery is not None:
            access = Access.GRADUAL
        return _Coded(coded.sample, (coded.sps, coded.pps), access)


class H265Stream(VideoStream):
    """The same for `hvc1` or `hev1`."""

    def __init__(self, pid: int, language: str) -> None:
        super().__init__(Codec.H265, H265Syntax(), pid, language, 1)

    def _read(self, unit: AccessUnit) -> _Coded:
        coded = h265.access_unit(unit.nals)
        access = Access.EXACT if coded.sync else Access.NONE if coded.recovery is None else Access.GRADUAL
        return _Coded(coded.sample, (coded.vps, coded.sps, coded.pps), access)
