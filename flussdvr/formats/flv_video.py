"""
The video half of an FLV demultiplexer: configuration records and pictures to a track and its samples.

    avcC / hvcC   -> Track
    (length NAL)* -> Sample, without the NAL units that a sample does not keep: parameter sets, AUD, filler

Parameter sets inside of pictures that the configuration record has not replace it: encoders that change their
resolution announce it either way. The track's `config` is always our own record of the parameter sets, so the same
ones give the same track, whatever container they came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats import h264, h265
from flussdvr.formats.flv_tag import VideoPacket
from flussdvr.formats.flv_time import VIDEO_TIMESCALE, VideoClock
from flussdvr.formats.nal import split_lengths
from flussdvr.media import Codec, Sample, Track

__all__ = ["VideoTrack"]

H264_SETS = (h264.NalType.SPS, h264.NalType.PPS)
H265_SETS = (h265.NalType.VPS, h265.NalType.SPS, h265.NalType.PPS)
H264_DROPPED = frozenset({h264.NalType.AUD, h264.NalType.FILLER})
H265_DROPPED = frozenset({h265.NalType.AUD, h265.NalType.FILLER})


class VideoTrack:
    """`track` is None until a configuration has come."""

    def __init__(self, track_id: int) -> None:
        self.track: Track | None = None
        self._id = track_id
        self._length_size = 4
        self._sets: list[list[bytes]] = []
        self._clock = VideoClock()
        self._hint: Fraction | None = None

    def hint_frame_rate(self, rate: Fraction | None) -> None:
        """What `onMetaData` says; it counts if the parameter sets say nothing."""
        self._hint = rate
        if self._clock.frame_rate is None:
            self._clock.frame_rate = rate

    def configure(self, codec: Codec, record: bytes) -> None:
        """Take over an avcC or hvcC. Raises `FormatError`."""
        if codec is Codec.H264:
            self._length_size, *sets = h264.parse_avcc(record)
        else:
            self._length_size, *sets = h265.parse_hvcc(record)
        self._use(codec, sets)

    def sample(self, packet: VideoPacket, timestamp: int) -> Sample | None:
        """The picture of a packet, or None if it has none. Raises `FormatError`."""
        if self.track is None or self.track.codec is not packet.codec:
            raise FormatError(f"{packet.codec.value} picture before its configuration")
        data = self._stripped(packet.data)
        if data is None:
            return None
        dts, cto = self._clock.times(timestamp, packet.composition)
        return Sample(dts, data, packet.key, cto)

    def _stripped(self, data: bytes) -> bytes | None:
        """The picture as a sample keeps it. Parameter sets in it that are new are taken over."""
        assert self.track is not None
        is_h264 = self.track.codec is Codec.H264
        set_types, dropped = (H264_SETS, H264_DROPPED) if is_h264 else (H265_SETS, H265_DROPPED)
        kept, found, size, coded = [], [[] for _ in set_types], 0, False  # type: ignore[var-annotated]
        for start, stop in split_lengths(data, self._length_size):
            kind = data[start] & 31 if is_h264 else data[start] >> 1 & 63
            if kind in set_types:
                found[set_types.index(kind)].append(data[start:stop])
            elif kind not in dropped:
                kept.append((start, stop))
                size += 4 + stop - start
                coded = coded or (1 <= kind <= 5 if is_h264 else kind < 32)
        if any(nal not in known for nals, known in zip(found, self._sets, strict=True) for nal in nals):
            both = zip(found, self._sets, strict=True)
            self._use(self.track.codec, [new or known for new, known in both])
        if not coded:
            return None
        if size == len(data) and self._length_size == 4:
            return data
        return b"".join((stop - start).to_bytes(4, "big") + data[start:stop] for start, stop in kept)

    def _use(self, codec: Codec, sets: Sequence[list[bytes]]) -> None:
        config, sps = _h264_record(*sets) if codec is Codec.H264 else _h265_record(*sets)
        self._sets = list(sets)
        if self.track is not None and (self.track.codec, self.track.config) == (codec, config):
            return
        rate = sps.frame_rate or self._hint
        if rate != self._clock.frame_rate:
            self._clock = VideoClock(rate)
        self.track = Track(
            self._id,
            codec,
            VIDEO_TIMESCALE,
            config,
            width=sps.width,
            height=sps.height,
            sample_aspect_ratio=sps.sample_aspect_ratio,
            frame_rate=rate,
        )


def _h264_record(sps: list[bytes], pps: list[bytes]) -> tuple[bytes, h264.Sps]:
    return h264.build_avcc(sps, pps), h264.parse_sps(sps[0])


def _h265_record(vps: list[bytes], sps: list[bytes], pps: list[bytes]) -> tuple[bytes, h265.Sps]:
    return h265.build_hvcc(vps, sps, pps), h265.parse_sps(sps[0])
