"""
Tracks and samples, in the words of ISO/IEC 14496-12 §3, and what a demultiplexer reports of them.

A sample is in the form in which it is stored: H.264 and H.265 with 4-byte NAL unit lengths and without parameter
sets that the track's `config` holds (but see `Track.in_band`), AAC without ADTS or LATM framing, other audio as its
own frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Codec(StrEnum):
    H264 = "h264"
    H265 = "h265"
    AAC = "aac"
    MP3 = "mp3"
    MP2 = "mp2"
    AC3 = "ac3"
    EAC3 = "eac3"
    MJPEG = "mjpeg"
    MPEG2 = "mpeg2video"
    AV1 = "av1"
    VP9 = "vp9"
    OPUS = "opus"
    DTS = "dts"
    """A core alone."""
    DTS_HD = "dts-hd"
    """A core with extensions."""

    @property
    def is_video(self) -> bool:
        return self in _VIDEO


_VIDEO = frozenset({Codec.H264, Codec.H265, Codec.MJPEG, Codec.MPEG2, Codec.AV1, Codec.VP9})


@dataclass(frozen=True, slots=True)
class Track:
    """
    One elementary stream.

    `config` is the payload of `avcC`, `hvcC`, `av1C`, `vpcC` (behind its version and flags), `dac3`, `dec3`, `ddts` or
    `dOps`, the AudioSpecificConfig of AAC, the sequence header of MPEG-2 video, or empty for MPEG audio and MJPEG.
    `in_band`: the samples carry parameter sets that overrule it (`avc3`, `hev1`).
    Audio's timescale is its sample rate, video's is 90 000 unless the source says better.
    """

    id: int
    codec: Codec
    timescale: int
    config: bytes = b""
    language: str = "und"
    width: int = 0
    height: int = 0
    sample_aspect_ratio: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    channels: int = 0
    sample_rate: int = 0
    in_band: bool = False

    @property
    def is_video(self) -> bool:
        return self.codec.is_video


@dataclass(slots=True)
class Sample:
    """
    One coded picture or audio frame.

    `dts` in ticks of the track's timescale (unwrapped, comparable between the tracks of one source once divided by
    their timescales), `cto` what to add for the presentation time, `sync` as in `stss`. `damaged`: it refers, directly
    or not, to a picture that was lost, so it decodes wrongly.
    """

    dts: int
    data: bytes
    sync: bool = True
    cto: int = 0
    damaged: bool = False

    @property
    def pts(self) -> int:
        return self.dts + self.cto


@dataclass(frozen=True, slots=True)
class TracksChanged:
    """The source's tracks are now these; samples that follow belong to them."""

    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class SamplesReceived:
    """Samples of one track in decoding order."""

    track_id: int
    samples: list[Sample]


class PictureTrouble(StrEnum):
    """Reasons of `DataLost` that count pictures instead of packets."""

    INCOMPLETE = "picture incomplete"
    """Left out, because a part of it is missing."""
    DAMAGED = "picture refers to a lost one"
    """It is there, and decodes wrongly: something in front of it in its group of pictures was lost."""
    RETIMED = "time of a picture put right"
    """Nothing is missing: the source's times contradicted the order of the pictures."""


@dataclass(frozen=True, slots=True)
class DataLost:
    """
    Packets are missing or damaged; what follows is whole again. `count` as the demultiplexer counts them, or pictures
    where `reason` is a `PictureTrouble`.
    """

    reason: str
    count: int


NOT_STORED = "this server cannot record it"
"""Why a codec that we do not know is left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    Something that the source has and that is not recorded: what it is, and why, each a clause for people.

    `serious`: it is a picture or a sound, or a whole program; else it is data such as subtitles, which are only listed.
    """

    what: str
    why: str
    serious: bool = True

    def __str__(self) -> str:
        return f"{self.what} is not recorded: {self.why}"


@dataclass(frozen=True, slots=True)
class TracksLeftOut:
    """All that the source has now and that is not recorded; replaces what was said before."""

    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class TimeAndDate:
    """
    The source states the UTC, as broadcast tables do: to a second, at best. A witness of the clock, never a date.

    `media_ms`: the media time (unwrapped decoding time) of the newest access unit in front of it.
    """

    utc_ms: int
    media_ms: int


MediaEvent = TracksChanged | SamplesReceived | DataLost | TracksLeftOut | TimeAndDate
