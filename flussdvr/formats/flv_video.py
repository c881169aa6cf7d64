"""
The video half of an FLV demultiplexer: configuration records and pictures to a track and its samples.

    avcC / hvcC   -> Track                     av1C, vpcC likewise
    (length NAL)* -> Sample, without the NAL units that a sample does not keep: parameter sets, AUD, filler

Parameter sets inside of pictures that the configuration record has not replace it: encoders that change their
resolution announce it either way. The track's `config` is always our own record of the parameter sets, so the same
ones give the same track, whatever container they came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats import av1, h264, h265, vp9
from flussdvr.formats.flv_tag import VideoPacket
from flussdvr.formats.flv_time import VIDEO_TIMESCALE, VideoClock
from flussdvr.formats.nal import annexb_to_lengths, is_annexb, split_lengths
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
        self._pending: tuple[Codec, bytes] | None = None
        """Codec and config of what has no parameter sets: the size of its pictures may come later."""

    def hint_frame_rate(self, rate: Fraction | None) -> None:
        """What `onMetaData` says; it counts if the parameter sets say nothing."""
        self._hint = rate
        if self._clock.frame_rate is None:
            self._clock.frame_rate = rate

    def configure(self, codec: Codec, record: bytes) -> None:
        """Take over an avcC or hvcC. Raises `FormatError`."""
        if codec in (Codec.AV1, Codec.VP9):
            self._pending = codec, _av1_record(record) if codec is Codec.AV1 else vp9.config_of(record)
            header = av1.sequence_header_of(av1.config_obus(record)) if codec is Codec.AV1 else None
            if header is not None:
                self._use_size(header.width, header.height)
            return
        if is_annexb(record):
            self._use_annexb(codec, record)
            return
        if codec is Codec.H264:
            self._length_size, *sets = h264.parse_avcc(record)
        else:
            self._length_size, *sets = h265.parse_hvcc(record)
        self._use(codec, sets)

    def sample(self, packet: VideoPacket, timestamp: int) -> Sample | None:
        """The picture of a packet, or None if it has none. Raises `FormatError`."""
        data: bytes | None
        if packet.codec in (Codec.AV1, Codec.VP9):
            data = self._obus(packet)
        elif is_annexb(packet.data):
            data = self._from_annexb(packet)
        else:
            self._expect(packet.codec)
            data = self._stripped(packet.data)
        if data is None:
            return None
        dts, cto = self._clock.times(timestamp, packet.composition)
        return Sample(dts, data, packet.key, cto)

    def _expect(self, codec: Codec) -> None:
        if self.track is None or self.track.codec is not codec:
            raise FormatError(f"{codec.value} picture before its configuration")

    def _obus(self, packet: VideoPacket) -> bytes | None:
        """A temporal unit of AV1, or a frame of VP9; key frames say their size."""
        data = av1.temporal_unit(packet.data) if packet.codec is Codec.AV1 else packet.data
        if packet.key and self._pending is not None and self._pending[0] is packet.codec:
            if packet.codec is Codec.AV1:
                header = av1.sequence_header_of(data)
                size = None if header is None else (header.width, header.height)
            else:
                size = vp9.key_frame_size(data)
            if size is not None:
                self._use_size(*size)
        self._expect(packet.codec)
        return data or None

    def _use_size(self, width: int, height: int) -> None:
        """Pictures of the codec that was configured have this size."""
        assert self._pending is not None
        codec, config = self._pending
        before = self.track
        if before is not None and (before.codec, before.config, before.width, before.height) == (
            codec,
            config,
            width,
            height,
        ):
            return
        if self._hint != self._clock.frame_rate:
            self._clock = VideoClock(self._hint)
        self.track = Track(self._id, codec, VIDEO_TIMESCALE, config, width=width, height=height, frame_rate=self._hint)

    def _from_annexb(self, packet: VideoPacket) -> bytes | None:
        """A picture with start codes where lengths belong, as some encoders send; it may bring its parameter sets."""
        if self.track is None or self.track.codec is not packet.codec:
            self._use_annexb(packet.codec, packet.data)
        self._expect(packet.codec)
        self._length_size = 4
        return self._stripped(annexb_to_lengths(packet.data))

    def _use_annexb(self, codec: Codec, data: bytes) -> None:
        if codec is Codec.H264:
            unit = h264.read_access_unit(data)
            sets = [unit.sps, unit.pps]
        else:
            hevc = h265.read_access_unit(data)
            sets = [hevc.vps, hevc.sps, hevc.pps]
        if not all(sets):
            raise FormatError(f"{codec.value} picture before its configuration")
        self._use(codec, sets)

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


def _av1_record(record: bytes) -> bytes:
    av1.check_av1c(record)
    return record


def _h264_record(sps: list[bytes], pps: list[bytes]) -> tuple[bytes, h264.Sps]:
    return h264.build_avcc(sps, pps), h264.parse_sps(sps[0])


def _h265_record(vps: list[bytes], sps: list[bytes], pps: list[bytes]) -> tuple[bytes, h265.Sps]:
    return h265.build_hvcc(vps, sps, pps), h265.parse_sps(sps[0])
