"""
Elementary streams of a program: the payloads of PES packets become a track and its samples.

    VideoStream     access units of any extent, across PES borders: see `video_stream`
    AudioStream     frames of any length, across PES borders; the PTS is of the first that begins in the PES

ISO/IEC 13818-1 §2.4.3.7 and §2.14. Audio counts its own frames: the PTS, rounded to 90 kHz and often to
milliseconds, only corrects the count when they disagree, so durations are exact.
"""

from __future__ import annotations

from typing import Protocol

from flussdvr.errors import FormatError
from flussdvr.formats import dts
from flussdvr.formats.av1_stream import Av1Stream
from flussdvr.formats.codecs import aac, ac3, latm, mpegaudio
from flussdvr.formats.codecs.mpeg2video import MpegVideoStream
from flussdvr.formats.codecs.opus import OpusStream, channels_of
from flussdvr.formats.mpegts.frame_count import FrameCount
from flussdvr.formats.mpegts.stream_types import Descriptor, Framing
from flussdvr.formats.mpegts.video_stream import Batch, H264Stream, H265Stream
from flussdvr.media import Codec, Sample, Track

_CARRIED_MAX = 1 << 16


class Stream(Protocol):
    """
    `losses`: what is missing or damaged beyond the packets that the demultiplexer misses, by reason; it empties it.

    `track` is `None` until the stream's configuration is known; it is replaced when that changes.
    """

    losses: dict[str, int]

    @property
    def track(self) -> Track | None: ...

    def read(self, pts: int | None, dts: int | None, payload: bytes, head: bytes | None = None) -> list[Batch]:
        """
        The samples that a PES payload completes, in order. Times in 90 kHz, endless.

        `head`: what the next payload begins with, if that is known; then this does what `peek` does, too.

        Raises `FormatError` when they are damaged beyond use.
        """

    def peek(self, head: bytes) -> list[Batch]:
        """The next PES payload begins so: the samples that this completes. `head` comes again with `read`."""

    def flush(self) -> list[Batch]:
        """Nothing more comes: the last samples."""

    def finish(self) -> list[Batch]:
        """
        The PES that was read last was whole, and the beginning of the next one is lost.

        The picture that it ends, where pictures end with PES packets in this stream; `lost` follows.
        """

    def lost(self) -> None:
        """A PES packet is missing, or the rest of the one that was read."""


class _Samples(Protocol):
    """A stream whose samples of one payload are all of `track` as it is afterwards."""

    track: Track | None
    losses: dict[str, int]

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]: ...

    def flush(self) -> list[Sample]: ...

    def finish(self) -> list[Sample]: ...

    def lost(self) -> None: ...


class _Batched:
    """Such a stream as a `Stream`."""

    def __init__(self, stream: _Samples) -> None:
        self.losses = stream.losses
        self.lost = stream.lost
        self._stream = stream

    @property
    def track(self) -> Track | None:
        return self._stream.track

    def read(self, pts: int | None, dts: int | None, payload: bytes, head: bytes | None = None) -> list[Batch]:
        return self._batches(self._stream.read(pts, dts, payload))

    def peek(self, head: bytes) -> list[Batch]:
        return []

    def flush(self) -> list[Batch]:
        return self._batches(self._stream.flush())

    def finish(self) -> list[Batch]:
        return self._batches(self._stream.finish())

    def _batches(self, samples: list[Sample]) -> list[Batch]:
        return [] if self.track is None else [Batch(self.track, samples)]


def open_stream(pid: int, framing: Framing, language: str, descriptors: tuple[Descriptor, ...] = ()) -> Stream:
    """The stream with that PID; its track gets the PID for an id."""
    if framing is Framing.MPEG_VIDEO:
        return _Batched(MpegVideoStream(pid, language))
    if framing is Framing.AV1:
        return Av1Stream(pid, language)
    if framing is Framing.OPUS:
        return _Batched(OpusStream(pid, language, channels_of(descriptors)))
    if framing is Framing.H264:
        return H264Stream(pid, language)
    if framing is Framing.H265:
        return H265Stream(pid, language)
    if framing is Framing.ADTS:
        return AdtsStream(pid, language)
    if framing is Framing.LATM:
        return LatmStream(pid, language)
    if framing is Framing.MPEG_AUDIO:
        return MpegAudioStream(pid, language)
    if framing in (Framing.DTS, Framing.DTS_HD):
        return DtsStream(pid, language, framing is Framing.DTS_HD)
    return Ac3Stream(pid, language)


class AudioStream:
    """What the framings have in common; they say where frames are and what one is."""

    _prefix = 0
    """Bytes of framing in front of what `_split` calls a frame."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
        self.losses: dict[str, int] = {}
        self._pid = pid
        self._language = language
        self._rest = b""
        self._rest_pts: int | None = None
        self._count = FrameCount()
        self._key: object = None

    def lost(self) -> None:
        self._rest = b""
        self._rest_pts = None
        self._count.lost()

    def flush(self) -> list[Batch]:
        """The samples that waited for the time of the next PES."""
        batches: list[Batch] = []
        if self.track is not None:
            _put(batches, self.track, self._count.flush())
        return batches

    def peek(self, head: bytes) -> list[Batch]:
        return []

    def finish(self) -> list[Batch]:
        return []

    def read(self, pts: int | None, dts: int | None, payload: bytes, head: bytes | None = None) -> list[Batch]:
        carried = len(self._rest)
        data = self._rest + payload if carried else payload
        frames, stop = self._split(data)
        batches: list[Batch] = []
        for start, end in frames:
            before = self.track
            try:
                raws, duration = self._frame(data, start, end)
            except FormatError:
                self._count.lost()
                continue
            track = self.track
            if track is None:
                continue
            if track is not before and before is not None:
                _put(batches, before, self._count.flush())
                self._count = self._count.at_rate(before.timescale, track.timescale)
            stated = self._rest_pts
            if start - self._prefix >= carried:
                stated, pts = pts, None
            else:
                self._rest_pts = None
            settled = [] if stated is None else self._count.stated(stated, track.timescale)
            for raw in raws:
                settled += self._count.frame(raw, duration)
            _put(batches, track, settled)
        if stop >= carried:
            self._rest_pts = pts  # of the frame that begins here and ends in another PES
        self._rest = data[stop:] if len(data) - stop <= _CARRIED_MAX else b""
        return batches

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        """(start, stop) of each frame, and the position of what is not whole yet."""
        raise NotImplementedError

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        """The samples in a frame and the ticks that each lasts; sets `track` when it is another now."""
        raise NotImplementedError

    def _audio_track(self, codec: Codec, rate: int, channels: int, config: bytes = b"") -> None:
        self.track = Track(self._pid, codec, rate, config, self._language, channels=channels, sample_rate=rate)


def _put(batches: list[Batch], track: Track, samples: list[Sample]) -> None:
    """Behind the last batch's, if they are of the same track."""
    if batches and batches[-1].track is track:
        batches[-1].samples.extend(samples)
    elif samples or not batches or batches[-1].track is not track:
        batches.append(Batch(track, samples))


class AdtsStream(AudioStream):
    _prefix = 7

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        return aac.split_adts(data)

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        begin = start - 7
        if data[begin] != 0xFF or data[begin + 1] & 0xF7 != 0xF1:
            begin = start - 9  # protected by a CRC
        # Object type, frequency and channels.
        key = (data[begin + 2] & 0xFD, data[begin + 3] & 0xC0)
        if key != self._key:
            config = aac.adts_config(data, begin)
            self._audio_track(Codec.AAC, config.sample_rate, config.channels, aac.build_audio_specific_config(config))
            self._key = key
        return [data[start:stop]], aac.SAMPLES_PER_FRAME * (1 + (data[begin + 6] & 3))


class LatmStream(AudioStream):
    _prefix = 3

    def __init__(self, pid: int, language: str) -> None:
        super().__init__(pid, language)
        self._reader = latm.LatmReader()

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        return latm.split_loas(data)

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        raws = self._reader.read(data[start:stop])
        if self._reader.config is None:
            return [], 0
        config = self._reader.config.audio
        if config != self._key:
            self._audio_track(Codec.AAC, config.sample_rate, config.channels, aac.build_audio_specific_config(config))
            self._key = config
        return raws, config.samples_per_frame


class MpegAudioStream(AudioStream):
    """Layer III is `mp3`, the others `mp2`: one decoder does both."""

    _duration = 1152

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        return mpegaudio.split_frames(data)

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        # Version, layer, frequency, and whether it is mono.
        key = (data[start + 1] & 0xFE, data[start + 2] & 0x0C, data[start + 3] & 0xC0 == 0xC0)
        if key != self._key:
            header = mpegaudio.parse_header(data, start)
            codec = Codec.MP3 if header.layer == 3 else Codec.MP2
            self._duration = header.samples_per_frame
            self._audio_track(codec, header.sample_rate, header.channels)
            self._key = key
        return [data[start:stop]], self._duration


class Ac3Stream(AudioStream):
    """AC-3 or E-AC-3, whichever the frames say: stream types are not always right about it."""

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        return ac3.split_frames(data)

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        frame = ac3.parse_syncframe(data, start)
        sample = data[start:stop]
        rate_code = 0 if frame.is_eac3 else frame.bit_rate_code
        key = frame.bsid, frame.fscod, frame.sample_rate, frame.acmod, frame.lfeon, frame.bsmod, rate_code
        if key != self._key:
            config = ac3.build_dec3(sample) if frame.is_eac3 else ac3.build_dac3(frame)
            codec = Codec.EAC3 if frame.is_eac3 else Codec.AC3
            self._audio_track(codec, frame.sample_rate, ac3.sample_channels(sample), config)
            self._key = key
        return [sample], 6 * 256 if frame.is_eac3 else frame.samples


class DtsStream(AudioStream):
    """Cores of DTS, with the extensions that follow them. `extended`: the PMT says that some do."""

    def __init__(self, pid: int, language: str, extended: bool) -> None:
        super().__init__(pid, language)
        self._extended = extended

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        return dts.split_frames(data, self._extended)

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        core = dts.parse_core(data, start)
        extended = stop - start > core.size
        key = core.samples, core.amode, core.sample_rate, core.lfe, core.depth, extended
        if key != self._key:
            codec = Codec.DTS_HD if extended else Codec.DTS
            self._extended = self._extended or extended
            self._audio_track(codec, core.sample_rate, core.channels, dts.build_ddts(core, extended))
            self._key = key
        return [data[start:stop]], core.samples
