"""
Elementary streams of a program: the payloads of PES packets become a track and its samples.

    VideoStream     one PES (with those that follow without a time) is one picture
    AudioStream     frames of any length, across PES borders; the PTS is of the first that begins in the PES

ISO/IEC 13818-1 §2.4.3.7 and §2.14. Audio counts its own frames: the PTS, rounded to 90 kHz and often to
milliseconds, only corrects the count when they disagree, so durations are exact.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from flussdvr.errors import FormatError
from flussdvr.formats import aac, ac3, h264, h265, latm, mpegaudio
from flussdvr.formats.bits import BitReader
from flussdvr.formats.frame_count import FrameCount
from flussdvr.formats.mpeg2video import MpegVideoStream
from flussdvr.formats.mpegts_packet import TICKS
from flussdvr.formats.opus import OpusStream, channels_of
from flussdvr.formats.stream_types import Descriptor, Framing
from flussdvr.media import Codec, Sample, Track

_CARRIED_MAX = 1 << 16


class Stream(Protocol):
    """`track` is `None` until the stream's configuration is known; it is replaced when that changes."""

    track: Track | None

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        """
        The samples that a PES payload completes, all of them of `track` as it is afterwards. Times in 90 kHz, endless.
        Raises `FormatError` when they are damaged beyond use.
        """

    def lost(self) -> None:
        """A PES packet is missing."""

    def flush(self) -> list[Sample]:
        """What waited for the next PES, which does not come."""


def open_stream(pid: int, framing: Framing, language: str, descriptors: tuple[Descriptor, ...] = ()) -> Stream:
    """The stream with that PID; its track gets the PID for an id."""
    if framing is Framing.MPEG_VIDEO:
        return MpegVideoStream(pid, language)
    if framing is Framing.OPUS:
        return OpusStream(pid, language, channels_of(descriptors))
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
    return Ac3Stream(pid, language)


class _ParameterSets:
    """The sets in force, of one kind each: replaced by id, all together when the sequence changes."""

    def __init__(self, id_bit: int) -> None:
        self._id_bit = id_bit
        self.sets: tuple[list[bytes], ...] = ()

    def update(self, found: tuple[list[bytes], ...]) -> bool:
        """Take over what a picture brings (PPS last, SPS before it); whether anything is different now."""
        if not self.sets or any(nal not in self.sets[-2] for nal in found[-2]):
            if not all(found) and not self.sets:
                return False
            self.sets = tuple(
                list(dict.fromkeys(new or old)) for new, old in zip(found, self.sets or found, strict=True)
            )
            return True
        changed = False
        for known, new in zip(self.sets[:-2], found[:-2], strict=True):
            if new and any(nal not in known for nal in new):
                known[:] = dict.fromkeys(new)
                changed = True
        for nal in found[-1]:
            if nal not in self.sets[-1]:
                place = self._id(nal)
                self.sets[-1][:] = [old for old in self.sets[-1] if self._id(old) != place] + [nal]
                changed = True
        return changed

    def _id(self, pps: bytes) -> int:
        reader = BitReader(pps[:16])
        try:
            reader.skip(self._id_bit)
            return reader.ue()
        except FormatError:
            return -1


class H264Stream:
    """Annex B to samples of `avc1`. Pictures in front of the first parameter sets are of no use and left out."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
        self._pid = pid
        self._language = language
        self._sets = _ParameterSets(8)
        self._progressive = False

    def lost(self) -> None:
        """Pictures stand for themselves."""

    def flush(self) -> list[Sample]:
        return []

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        unit = h264.read_access_unit(payload)
        if (unit.sps or unit.pps) and self._sets.update((unit.sps, unit.pps)):
            self._configure(*self._sets.sets)
        if pts is None or dts is None or not unit.sample or self.track is None:
            return []
        # An encoder that repeats its SPS in front of an I picture wants it to be a place to begin.
        sync = unit.sync or (unit.intra and bool(unit.sps))
        if self._progressive:
            borders = _pictures(unit.sample, 1, 5, 5)
            if len(borders) > 1:
                return _spread(unit.sample, borders, self.track, pts, dts, sync)
        return [Sample(dts, unit.sample, sync, pts - dts)]

    def _configure(self, sps: list[bytes], pps: list[bytes]) -> None:
        try:
            config, first = h264.build_avcc(sps, pps), h264.parse_sps(sps[0])
        except FormatError:
            return
        self._progressive = first.frame_mbs_only
        self.track = _video_track(self._pid, Codec.H264, config, self._language, first)


class H265Stream:
    """The same for `hvc1`."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
        self._pid = pid
        self._language = language
        self._sets = _ParameterSets(16)

    def lost(self) -> None:
        """Pictures stand for themselves."""

    def flush(self) -> list[Sample]:
        return []

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        unit = h265.read_access_unit(payload)
        if (unit.sps or unit.pps) and self._sets.update((unit.vps, unit.sps, unit.pps)):
            self._configure(*self._sets.sets)
        if pts is None or dts is None or not unit.sample or self.track is None:
            return []
        borders = _pictures(unit.sample, 0, 63, 6)
        if len(borders) > 1:
            return _spread(unit.sample, borders, self.track, pts, dts, unit.sync)
        return [Sample(dts, unit.sample, unit.sync, pts - dts)]

    def _configure(self, vps: list[bytes], sps: list[bytes], pps: list[bytes]) -> None:
        try:
            config, first = h265.build_hvcc(vps, sps, pps), h265.parse_sps(sps[0])
        except FormatError:
            return
        self.track = _video_track(self._pid, Codec.H265, config, self._language, first)


def _video_track(pid: int, codec: Codec, config: bytes, language: str, sps: h264.Sps | h265.Sps) -> Track:
    return Track(
        pid,
        codec,
        TICKS,
        config,
        language,
        sps.width,
        sps.height,
        sps.sample_aspect_ratio,
        sps.frame_rate,
    )


def _pictures(sample: bytes, first_type: int, last_type: int, slice_byte: int) -> list[int]:
    """
    Where pictures begin in what one PES brought, nearly always [0].

    A slice is the first of its picture when its slice data (`slice_byte` bytes behind the unit's length field's
    begin) starts with a one: first_mb_in_slice is 0, or first_slice_segment_in_pic_flag is set.
    """
    borders: list[int] = []
    position = border = 0
    end = len(sample)
    seen = False
    while position + slice_byte < end:
        header = sample[position + 4]
        kind = header & 31 if last_type == 5 else header >> 1
        if first_type <= kind <= last_type and (last_type == 5 or kind < 32):
            if sample[position + slice_byte] & 0x80:
                borders.append(border if seen else 0)
            seen = True
            position += 4 + int.from_bytes(sample[position : position + 4], "big")
            border = position
        else:
            position += 4 + int.from_bytes(sample[position : position + 4], "big")
    return borders or [0]


def _spread(sample: bytes, borders: list[int], track: Track, pts: int, dts: int, sync: bool) -> list[Sample]:
    """The pictures of one PES, a frame's duration apart: only the first has its own time."""
    duration = round(TICKS / (track.frame_rate or Fraction(25)))
    stops = [*borders[1:], len(sample)]
    return [
        Sample(dts + number * duration, sample[begin:stop], sync and not number, pts - dts)
        for number, (begin, stop) in enumerate(zip(borders, stops, strict=True))
    ]


class AudioStream:
    """What the framings have in common; they say where frames are and what one is."""

    _prefix = 0
    """Bytes of framing in front of what `_split` calls a frame."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
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

    def flush(self) -> list[Sample]:
        """The samples that waited for the time of the next PES."""
        return self._count.flush()

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        carried = len(self._rest)
        data = self._rest + payload if carried else payload
        frames, stop = self._split(data)
        samples: list[Sample] = []
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
                samples.clear()  # of the configuration that ends here
                self._count = FrameCount()
            if start - self._prefix >= carried:
                samples += self._count.stated(pts, track.timescale)
                pts = None
            else:
                samples += self._count.stated(self._rest_pts, track.timescale)
                self._rest_pts = None
            for raw in raws:
                samples += self._count.frame(raw, duration)
        if stop >= carried:
            self._rest_pts = pts  # of the frame that begins here and ends in another PES
        self._rest = data[stop:] if len(data) - stop <= _CARRIED_MAX else b""
        return samples

    def _split(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        """(start, stop) of each frame, and the position of what is not whole yet."""
        raise NotImplementedError

    def _frame(self, data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
        """The samples in a frame and the ticks that each lasts; sets `track` when it is another now."""
        raise NotImplementedError

    def _audio_track(self, codec: Codec, rate: int, channels: int, config: bytes = b"") -> None:
        self.track = Track(self._pid, codec, rate, config, self._language, channels=channels, sample_rate=rate)


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
