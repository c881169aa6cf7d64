"""
The audio half of an FLV demultiplexer: frames to a track and its samples.

    AAC                   AudioSpecificConfig -> Track, frame -> Sample
    Opus                  OpusHead -> Track, packet -> Sample
    MP3, AC-3, E-AC-3     frame(s) with headers of their own -> Track, Samples
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import ac3, mpegaudio, opus
from flussdvr.formats.codecs.aac import UnsupportedObjectType, parse_audio_specific_config
from flussdvr.formats.flv.tag import AudioPacket, UnsupportedCodec
from flussdvr.formats.flv.time import AudioClock
from flussdvr.media import Codec, Sample, Track

__all__ = ["AudioTrack"]

MAX_CONFIG = 256
MAX_FRAMES = 256
"""In one tag; encoders send one."""
SAMPLES_OF_AC3 = 1536
"""Six blocks of 256."""


class AudioTrack:
    """`track` is None until a configuration, or the first frame, has come."""

    def __init__(self, track_id: int) -> None:
        self.track: Track | None = None
        self.id = track_id
        self._frame_length = 0
        self._refused = False
        """Whether its last configuration is of AAC that is not recorded."""
        self._shape: tuple[object, ...] = ()
        self._clock = AudioClock(1)

    def configure(self, codec: Codec, record: bytes) -> None:
        """Take over an AudioSpecificConfig; other codecs need none. Raises `FormatError`, `UnsupportedCodec`."""
        if codec is Codec.OPUS:
            self._use_opus(opus.dops_of_head(record))
            return
        if codec is not Codec.AAC:
            return
        if len(record) > MAX_CONFIG:
            raise FormatError(f"an AudioSpecificConfig of {len(record)} bytes")
        try:
            config = parse_audio_specific_config(record)
        except UnsupportedObjectType as error:
            self._refused = True
            raise UnsupportedCodec(
                f"MPEG-4 audio of object type {error.object_type}", "send AAC-LC or HE-AAC"
            ) from None
        self._refused = False
        self._frame_length = config.samples_per_frame
        self._use((codec, record), codec, config.sample_rate, config.channels, record)

    def samples(self, packet: AudioPacket, timestamp: int) -> list[Sample]:
        """The frames of a packet. Raises `FormatError`."""
        if packet.codec is Codec.MP3:
            return self._mpeg_frames(packet.data, timestamp)
        if packet.codec in (Codec.AC3, Codec.EAC3):
            return self._ac3_frames(packet.data, timestamp)
        if packet.codec is Codec.OPUS:
            return self._opus_packet(packet.data, timestamp)
        if self._refused:
            return []
        if self.track is None or self.track.codec is not Codec.AAC:
            raise FormatError("AAC frame before its configuration")
        if not packet.data:
            return []
        return [Sample(self._clock.time(timestamp, self._frame_length), packet.data)]

    def _mpeg_frames(self, data: bytes, timestamp: int) -> list[Sample]:
        samples, offset = [], 0
        for start, stop in _whole(mpegaudio.split_frames(data)[0]):
            header = mpegaudio.parse_header(data, start)
            codec = Codec.MP3 if header.layer == 3 else Codec.MP2
            self._use((codec, header.sample_rate, header.channels), codec, header.sample_rate, header.channels)
            dts = self._clock.time(timestamp, header.samples_per_frame, offset)
            samples.append(Sample(dts, data[start:stop]))
            offset += header.samples_per_frame
        return samples

    def _ac3_frames(self, data: bytes, timestamp: int) -> list[Sample]:
        samples, offset = [], 0
        for start, stop in _whole(ac3.split_frames(data)[0]):
            frame, sample = ac3.parse_syncframe(data, start), data[start:stop]
            codec = Codec.EAC3 if frame.is_eac3 else Codec.AC3
            shape = codec, frame.sample_rate, frame.acmod, frame.lfeon, frame.bsid
            if shape != self._shape:  # dec3 says the bit rate: it is built once, not compared
                config = ac3.build_dec3(sample) if frame.is_eac3 else ac3.build_dac3(frame)
                self._use(shape, codec, frame.sample_rate, ac3.sample_channels(sample), config)
            samples.append(Sample(self._clock.time(timestamp, SAMPLES_OF_AC3, offset), sample))
            offset += SAMPLES_OF_AC3
        return samples

    def _opus_packet(self, data: bytes, timestamp: int) -> list[Sample]:
        duration = opus.packet_duration(data)
        if self.track is None or self.track.codec is not Codec.OPUS:  # no header came: the packet says the channels
            self._use_opus(opus.build_dops(2 if data[0] & 4 else 1))
        return [Sample(self._clock.time(timestamp, duration), data)]

    def _use_opus(self, config: bytes) -> None:
        self._use((Codec.OPUS, config), Codec.OPUS, opus.RATE, opus.dops_channels(config), config)

    def _use(self, shape: tuple[object, ...], codec: Codec, rate: int, channels: int, config: bytes = b"") -> None:
        """Have this track from now on; `shape` is what makes it another one."""
        if shape == self._shape:
            return
        self._shape = shape
        if self.track is None or self.track.timescale != rate:
            self._clock = AudioClock(rate)
        self.track = Track(self.id, codec, rate, config, channels=channels, sample_rate=rate)


def _whole(frames: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not frames:
        raise FormatError("an audio tag without a whole frame")
    return frames[:MAX_FRAMES]
