"""
The video half of an FLV demultiplexer: configuration records and pictures to a track and its samples.

    avcC / hvcC   -> Track                     av1C, vpcC likewise
    (length NAL)* -> Sample, without the NAL units that a sample does not keep: parameter sets, AUD, filler

Parameter sets inside of pictures count as those of the configuration record do: encoders that change their resolution
announce it either way. The track's `config` is always our own record of the parameter sets, so the same ones give the
same track, whatever container they came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import av1, h264, h265, vp9
from flussdvr.formats.codecs.nal import annexb_to_lengths, is_annexb, split_lengths
from flussdvr.formats.flv.tag import VideoPacket
from flussdvr.formats.flv.time import VIDEO_TIMESCALE, VideoClock
from flussdvr.formats.pictures.access_unit import Role
from flussdvr.formats.pictures.reader import PictureReader
from flussdvr.media import Codec, Sample, Track

__all__ = ["VideoTrack"]


class VideoTrack:
    """`track` is None until a configuration has come."""

    def __init__(self, track_id: int) -> None:
        self.track: Track | None = None
        self.id = track_id
        self._length_size = 4
        self._reader: PictureReader | None = None
        """Of H.264 and H.265."""
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
        if packet.codec in (Codec.AV1, Codec.VP9):
            data = self._obus(packet)
            if data is None:
                return None
            dts, cto = self._clock.times(timestamp, packet.composition)
            return Sample(dts, data, packet.key, cto)
        if is_annexb(packet.data):
            return self._picture(packet, timestamp, self._from_annexb(packet), 4)
        self._expect(packet.codec)
        return self._picture(packet, timestamp, packet.data, self._length_size)

    def take_losses(self) -> dict[str, int]:
        """Pictures that something was wrong with, by reason, since the last call."""
        if self._reader is None or not self._reader.losses:
            return {}
        losses = dict(self._reader.losses)
        self._reader.losses.clear()
        return losses

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
        self.track = Track(self.id, codec, VIDEO_TIMESCALE, config, width=width, height=height, frame_rate=self._hint)

    def _from_annexb(self, packet: VideoPacket) -> bytes:
        """A picture with start codes where lengths belong, as some encoders send; it may bring its parameter sets."""
        if self.track is None or self.track.codec is not packet.codec:
            self._use_annexb(packet.codec, packet.data)
        self._expect(packet.codec)
        return annexb_to_lengths(packet.data)

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

    def _picture(self, packet: VideoPacket, timestamp: int, data: bytes, length_size: int) -> Sample | None:
        """The sample of NAL units with lengths."""
        assert self._reader is not None
        syntax = self._reader.syntax
        nals = [data[start:stop] for start, stop in split_lengths(data, length_size)]
        picture = b""
        for nal in nals:
            role = syntax.role(nal)
            if role is not None:
                syntax.accept(nal, role)
            if not picture and role in (Role.PICTURE, Role.SLICE):
                picture = nal
        if not picture:
            self._reader.sample(nals, b"", None, None, hint=self._hint)
            self._take_track()
            return None
        dts, cto = self._clock.times(timestamp, packet.composition)
        sample = self._reader.sample(nals, picture, dts + cto, dts, packet.key, self._hint)
        self._take_track()
        return sample

    def _use(self, codec: Codec, sets: Sequence[list[bytes]]) -> None:
        # Damaged sets are told of here; the reader passes them over.
        if codec is Codec.H264:
            h264.build_avcc(*sets)
        else:
            vps, sps, pps = sets
            h265.build_hvcc(vps, sps, pps)
        if self._reader is None or self._reader.codec is not codec:
            self._reader = PictureReader(codec, self.id, VIDEO_TIMESCALE)
        self._reader.configure(sets, self._hint)
        self._take_track()

    def _take_track(self) -> None:
        track = None if self._reader is None else self._reader.track
        if track is None or track == self.track:
            return
        if track.frame_rate != self._clock.frame_rate:
            self._clock = VideoClock(track.frame_rate)
        self.track = track


def _av1_record(record: bytes) -> bytes:
    av1.check_av1c(record)
    return record
