"""
FFmpeg's demuxers as a source of tracks and samples: MP4, MOV, Matroska, FLV, ADTS, MP3 and so on.

    av.open -> streams we know -> tracks
            -> packets         -> samples, in the form in which they are stored

Blocking: for threads. Nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av

from flussdvr.errors import FormatError
from flussdvr.formats import dts
from flussdvr.formats.codecs import aac, ac3, av1, h264, h265, mpeg2video, opus, vp9
from flussdvr.formats.codecs.nal import split_lengths
from flussdvr.media import (
    NOT_STORED,
    Codec,
    LeftOut,
    MediaEvent,
    Sample,
    SamplesReceived,
    Track,
    TracksChanged,
    TracksLeftOut,
)

CODECS = {
    "h264": Codec.H264,
    "hevc": Codec.H265,
    "aac": Codec.AAC,
    "mp3": Codec.MP3,
    "mp2": Codec.MP2,
    "ac3": Codec.AC3,
    "eac3": Codec.EAC3,
    "opus": Codec.OPUS,
    "dts": Codec.DTS,
    "mpeg2video": Codec.MPEG2,
    "av1": Codec.AV1,
    "vp9": Codec.VP9,
}
VIDEO_TIMESCALE = 90_000
FINE = 10_000
"""A video timescale at least as fine as this is kept; coarser ones (Matroska's milliseconds) become 90 000."""


def read_container(path: str) -> Iterator[MediaEvent]:
    """What is in the file, once. Raises `av.FFmpegError` (mostly an `OSError` too) and `FormatError`."""
    with av.open(path) as container:
        readers = {}
        left_out: list[LeftOut] = []
        for stream in container.streams:
            name = stream.codec_context.codec.canonical_name if stream.codec_context else "data"
            what = f"{name} {stream.type} (stream {stream.index})"
            codec = CODECS.get(name)
            if codec is None:
                left_out.append(LeftOut(what, NOT_STORED, stream.type in ("video", "audio")))
                continue
            try:
                readers[stream.index] = _Reader(stream, codec)
            except FormatError as error:
                left_out.append(LeftOut(what, str(error)))
        if left_out:
            yield TracksLeftOut(tuple(left_out))
        yield from _read(container, readers)


def _read(container: Any, readers: dict[int, _Reader]) -> Iterator[MediaEvent]:
    """Samples of a track that needs its first packet to be described wait until all are."""
    held: list[MediaEvent] = []
    announced = False
    streams = [stream for stream in container.streams if stream.index in readers]
    for packet in container.demux(streams) if streams else ():
        if packet.dts is None or not packet.size:
            continue
        reader = readers[packet.stream.index]
        held.append(SamplesReceived(reader.id, [reader.sample(packet)]))
        if not announced and len(held) < HELD_MAX and any(r.track is None for r in readers.values()):
            continue
        if not announced:
            announced = True
            yield TracksChanged(tuple(r.track for r in readers.values() if r.track is not None))
        yield from held
        held = []
    if held:
        yield TracksChanged(tuple(r.track for r in readers.values() if r.track is not None))
        yield from held


HELD_MAX = 1000


class _Reader:
    """One stream of the container."""

    def __init__(self, stream: Any, codec: Codec) -> None:
        self.id = stream.index + 1
        self.track: Track | None = None
        self._stream = stream
        self._codec = codec
        context = stream.codec_context
        base: Fraction = stream.time_base
        if codec.is_video:
            fine = base.numerator == 1 and base.denominator >= FINE
            self._timescale = base.denominator if fine else VIDEO_TIMESCALE
        else:
            self._timescale = context.sample_rate
        self._scale = base * self._timescale
        self._next: int | None = None
        self._convert = self._converter(context.extradata or b"")

    def sample(self, packet: Any) -> Sample:
        data = self._convert(bytes(packet))
        dts = round(packet.dts * self._scale)
        if not self._codec.is_video:
            return Sample(self._snapped(dts, packet), data)
        pts = dts if packet.pts is None else round(packet.pts * self._scale)
        return Sample(dts, data, packet.is_keyframe, pts - dts)

    def _snapped(self, dts: int, packet: Any) -> int:
        """Audio frames follow each other without gaps, however coarse the container's clock is."""
        if self._next is not None and abs(dts - self._next) * 500 < self._timescale:
            dts = self._next
        duration = FRAME_SAMPLES.get(self._codec) or round((packet.duration or 0) * self._scale)
        if self._codec is Codec.OPUS:
            duration = opus.packet_duration(bytes(packet))
        self._next = dts + duration
        return dts

    def _converter(self, extradata: bytes) -> Callable[[bytes], bytes]:
        """How a packet becomes a sample; describes the track, at once or with the first packet."""
        codec = self._codec
        if codec is Codec.MPEG2:
            return self._mpeg2
        if codec is Codec.AV1:
            av1.check_av1c(extradata)
            self._describe(extradata)
            return av1.temporal_unit
        if codec is Codec.VP9:
            self._describe(vp9.config_of(extradata))
            return bytes
        if codec.is_video:
            formats: Any = h264 if codec is Codec.H264 else h265
            if extradata[:1] == b"\x01":
                return self._with_lengths(formats, extradata)
            self._describe(_annexb_config(codec, extradata))
            return lambda data: bytes(formats.read_access_unit(data).sample)
        if codec is Codec.AAC and not extradata:
            return self._adts
        if codec in (Codec.AC3, Codec.EAC3):
            return self._ac3
        if codec is Codec.DTS:
            return self._dts
        if codec is Codec.OPUS:
            self._timescale = opus.RATE
            self._scale = self._stream.time_base * opus.RATE
            self._describe(opus.dops_of_head(extradata))
            return bytes
        self._describe(extradata if codec is Codec.AAC else b"")
        return bytes

    def _with_lengths(self, formats: Any, extradata: bytes) -> Callable[[bytes], bytes]:
        if self._codec is Codec.H264:
            size, sps, pps = h264.parse_avcc(extradata)
            self._describe(h264.build_avcc(sps, pps))
        else:
            size, vps, sps, pps = h265.parse_hvcc(extradata)
            self._describe(h265.build_hvcc(vps, sps, pps))
        return bytes if size == 4 else lambda data: _four_byte_lengths(data, size)

    def _adts(self, data: bytes) -> bytes:
        if self.track is None:
            self._describe(aac.build_audio_specific_config(aac.adts_config(data)))
        return data[aac.parse_adts_header(data).header_length :]

    def _mpeg2(self, data: bytes) -> bytes:
        if data.startswith(b"\0\0\1\xb3"):
            if self.track is None:
                self._describe(mpeg2video.sequence_config(data))
        return data

    def _ac3(self, data: bytes) -> bytes:
        if self.track is None:
            frame = ac3.parse_syncframe(data)
            self._describe(ac3.build_dec3(data) if frame.is_eac3 else ac3.build_dac3(frame))
        return data

    def _dts(self, data: bytes) -> bytes:
        if self.track is None:
            core = dts.parse_core(data)
            extended = len(data) > core.size
            self._codec = Codec.DTS_HD if extended else Codec.DTS
            self._describe(dts.build_ddts(core, extended))
        return data

    def _describe(self, config: bytes) -> None:
        context, stream = self._stream.codec_context, self._stream
        language = str(stream.metadata.get("language", "und"))
        common: dict[str, Any] = {"language": language if len(language) == 3 else "und"}
        if self._codec.is_video:
            aspect = context.sample_aspect_ratio
            common |= {
                "width": context.width,
                "height": context.height,
                "sample_aspect_ratio": (aspect.numerator, aspect.denominator) if aspect else (1, 1),
                "frame_rate": stream.average_rate or None,
            }
        else:
            common |= {"channels": context.channels, "sample_rate": context.sample_rate}
        self.track = Track(self.id, self._codec, self._timescale, config, **common)


FRAME_SAMPLES = {Codec.AAC: 1024, Codec.MP2: 1152, Codec.AC3: 1536}
"""Samples of a frame, where the codec allows only one number."""


def _annexb_config(codec: Codec, extradata: bytes) -> bytes:
    if codec is Codec.H264:
        unit = h264.read_access_unit(extradata)
        return h264.build_avcc(unit.sps, unit.pps)
    sets = h265.read_access_unit(extradata)
    return h265.build_hvcc(sets.vps, sets.sps, sets.pps)


def _four_byte_lengths(data: bytes, size: int) -> bytes:
    try:
        units = split_lengths(data, size)
    except FormatError:
        return b""
    return b"".join((stop - start).to_bytes(4, "big") + data[start:stop] for start, stop in units)
