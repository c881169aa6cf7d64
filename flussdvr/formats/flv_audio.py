"""
The audio half of an FLV demultiplexer: AAC with its configuration, other codecs by the headers of their frames.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.aac import parse_audio_specific_config
from flussdvr.formats.flv_tag import AudioPacket
from flussdvr.formats.flv_time import AudioClock
from flussdvr.media import Codec, Sample, Track

__all__ = ["AudioTrack"]

MAX_CONFIG = 256


class AudioTrack:
    """`track` is None until a configuration, or the first frame, has come."""

    def __init__(self, track_id: int) -> None:
        self.track: Track | None = None
        self._id = track_id
        self._frame_length = 0
        self._clock = AudioClock(1)

    def configure(self, codec: Codec, record: bytes) -> None:
        """Take over an AudioSpecificConfig; other codecs need none. Raises `FormatError`."""
        if codec is not Codec.AAC:
            return
        if len(record) > MAX_CONFIG:
            raise FormatError(f"an AudioSpecificConfig of {len(record)} bytes")
        config = parse_audio_specific_config(record)
        self._frame_length = config.samples_per_frame
        rate = config.sample_rate
        self._use(Track(self._id, codec, rate, record, channels=config.channels, sample_rate=rate))

    def samples(self, packet: AudioPacket, timestamp: int) -> list[Sample]:
        """The frames of a packet. Raises `FormatError`."""
        if packet.codec is not Codec.AAC:
            return self._headed_frames(packet, timestamp)
        if self.track is None or self.track.codec is not Codec.AAC:
            raise FormatError("AAC frame before its configuration")
        if not packet.data:
            return []
        return [Sample(self._clock.time(timestamp, self._frame_length), packet.data)]

    def _headed_frames(self, packet: AudioPacket, timestamp: int) -> list[Sample]:
        raise NotImplementedError

    def _use(self, track: Track) -> None:
        if self.track is None or self.track.timescale != track.timescale:
            self._clock = AudioClock(track.timescale)
        if self.track != track:
            self.track = track
