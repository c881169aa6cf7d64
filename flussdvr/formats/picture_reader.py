"""
Pictures to samples: what NAL units of one access unit become, whatever container they came in.

    NAL units -> parameter sets -> VideoConfig -> Track
              -> slice header   -> PictureTimes, SyncChooser -> Sample

ISO/IEC 14496-15 §5.2 and §8.2. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from flussdvr.formats import h264, h265
from flussdvr.formats.access_unit import Role
from flussdvr.formats.picture_times import PictureTimes
from flussdvr.formats.random_access import Access, SyncChooser
from flussdvr.formats.video_config import VideoConfig
from flussdvr.formats.video_syntax import H264Syntax, H265Syntax
from flussdvr.media import Codec, PictureTrouble, Sample, Track

__all__ = ["PictureReader"]


class _Coded(NamedTuple):
    """An access unit as a sample keeps it: `sets` are its parameter sets by kind, SPS and PPS last."""

    data: bytes
    sets: tuple[list[bytes], ...]
    access: Access


class PictureReader:
    """
    Of one track; `codec` is H264 or H265.

    `losses` counts pictures by reason, for the caller to empty. `syntax` is to be told of every NAL unit that comes
    (`accept`); an assembler does so.
    """

    def __init__(self, codec: Codec, track_id: int, timescale: int, language: str = "und") -> None:
        self.losses: dict[str, int] = {}
        self.syntax: H264Syntax | H265Syntax = H264Syntax() if codec is Codec.H264 else H265Syntax()
        self.codec = codec
        self._timescale = timescale
        self._config = VideoConfig(track_id, codec, timescale, language)
        # Fields are counted in H.264, pictures in H.265.
        self._times = PictureTimes(timescale, 2 if codec is Codec.H264 else 1)
        self._sync = SyncChooser()
        self._at_s = 0.0
        self._damaged = False

    @property
    def track(self) -> Track | None:
        """`None` until there are an SPS and a PPS."""
        return self._config.track

    def incomplete(self, count: int) -> None:
        """Pictures were left out because a part of them is missing: what refers to them is damaged."""
        self._damaged = True
        self._times.lost()
        self._lose(PictureTrouble.INCOMPLETE, count)

    def _lose(self, reason: PictureTrouble, count: int) -> None:
        if count and self.track is not None:
            self.losses[reason] = self.losses.get(reason, 0) + count

    def configure(self, sets: Sequence[list[bytes]], hint: Fraction | None = None) -> None:
        """Take over parameter sets by kind that come apart from pictures; `hint`: the frame rate, if they say none."""
        for of_kind in sets:
            for nal in of_kind:
                self.syntax.accept(nal, Role.OPENS)
        before = self.track
        self._config.update(sets, None, self._at_s, hint)
        self._declare(before)

    def _declare(self, before: Track | None) -> None:
        track = self.track
        if track is not None and track is not before:
            self._times.declare(track.frame_rate, self._config.reorder)

    def sample(
        self,
        nals: Iterable[bytes],
        picture: bytes,
        pts: int | None,
        dts: int | None,
        key: bool = False,
        hint: Fraction | None = None,
    ) -> Sample | None:
        """
        The sample of an access unit, if there is a picture, a configuration and a time for it.

        `picture`: the first slice, empty without; `pts`, `dts` in ticks as they were stated; `key`: the container says
        that decoding may begin here. `hint` as for `configure`.
        """
        coded = _read_h264(nals) if self.codec is Codec.H264 else _read_h265(nals)
        header = self.syntax.picture(picture) if picture else None
        before = self.track
        active = None if header is None else header.sps_id
        change = self._config.update(coded.sets, active, self._at_s, hint)
        self._declare(before)
        if header is None:
            return None
        repaired = self._times.repaired
        times = self._times.times(pts, dts, header)
        if times is None or self.track is None:
            return None
        if self._times.repaired != repaired:
            self._lose(PictureTrouble.RETIMED, 1)
        decoded, shown = times
        self._at_s = decoded / self._timescale
        access = coded.access
        if key:
            access = max(access, Access.EXACT if header.intra or header.order is None else Access.GRADUAL)
        if access is Access.NONE and (header.intra or coded.sets[-2]):
            access = Access.LIKELY
        sync = self._sync.is_sync(access, self._at_s)
        if sync:
            self._damaged = False
        elif self._damaged:
            self._lose(PictureTrouble.DAMAGED, 1)
        return Sample(decoded, self._config.carried_sets(coded.sets, change, sync) + coded.data, sync, shown - decoded)


def _read_h264(nals: Iterable[bytes]) -> _Coded:
    coded = h264.access_unit(nals)
    access = Access.NONE
    if coded.sync or (coded.intra and coded.sps):
        # An encoder that repeats its SPS in front of an I picture wants it to be a place to begin.
        access = Access.EXACT
    elif coded.recovery is not None:
        access = Access.GRADUAL
    return _Coded(coded.sample, (coded.sps, coded.pps), access)


def _read_h265(nals: Iterable[bytes]) -> _Coded:
    coded = h265.access_unit(nals)
    access = Access.EXACT if coded.sync else Access.NONE if coded.recovery is None else Access.GRADUAL
    return _Coded(coded.sample, (coded.vps, coded.sps, coded.pps), access)
