"""
Pictures to samples: what NAL units of one access unit become, whatever container they came in.

    NAL units -> parameter sets -> VideoConfig -> Track
              -> slice header   -> PictureTimes, SyncChooser -> Sample

ISO/IEC 14496-15 §5.2 and §8.2. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from flussdvr.formats.pictures.access_unit import Role
from flussdvr.formats.pictures.coded import Coded, read_h264, read_h265
from flussdvr.formats.pictures.config import VideoConfig
from flussdvr.formats.pictures.random_access import Access, SyncChooser
from flussdvr.formats.pictures.syntax import H264Syntax, H265Syntax
from flussdvr.formats.pictures.times import PictureTimes
from flussdvr.media import Codec, PictureTrouble, Sample, Track

__all__ = ["PictureReader"]


# To look at a member of an enumeration takes as long as a call.
_NONE, _LIKELY, _GRADUAL, _EXACT = Access.NONE, Access.LIKELY, Access.GRADUAL, Access.EXACT


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
        self._read = read_h264 if codec is Codec.H264 else read_h265
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
        coded: Coded | None = None,
    ) -> Sample | None:
        """
        The sample of an access unit, if there is a picture, a configuration and a time for it.

        `picture`: the first slice, empty without; `pts`, `dts` in ticks as they were stated; `key`: the container says
        that decoding may begin here. `hint` as for `configure`; `coded`: what the NAL units become, if that is
        known.
        """
        data, sets, access = self._read(nals) if coded is None else coded
        header = self.syntax.picture(picture) if picture else None
        config, reckoner = self._config, self._times
        before = config.track
        active = None if header is None else header.sps_id
        change = config.update(sets, active, self._at_s, hint)
        if config.track is not before:
            self._declare(before)
        if header is None:
            return None
        repaired = reckoner.repaired
        times = reckoner.times(pts, dts, header)
        if times is None or config.track is None:
            return None
        if reckoner.repaired != repaired:
            self._lose(PictureTrouble.RETIMED, 1)
        decoded, shown = times
        self._at_s = decoded / self._timescale
        if key:
            access = max(access, _EXACT if header.intra or header.order is None else _GRADUAL)
        if access is _NONE and (header.intra or sets[-2]):
            access = _LIKELY
        sync = self._sync.is_sync(access, self._at_s)
        if sync:
            self._damaged = False
        elif self._damaged:
            self._lose(PictureTrouble.DAMAGED, 1)
        if config.carried:
            data = config.carried_sets(sets, change, sync) + data
        return Sample(decoded, data, sync, shown - decoded, self._damaged)
