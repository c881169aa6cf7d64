"""
Encoding of the built-in test source: pictures and sound of UTC moments in, samples dated in UTC out.

    second, index --> FakePicture --> libx264 | libx265 --> Annex B --> samples, pts = the moment the picture shows
                  \\-> tones ------> aac ------------------------------> samples, pts = the moment the sound is of

The encoders count from the second at which the source began; UTC is added to what they give. A decoding time is
earlier than the first picture by the reordering, as libx264 says it, so composition offsets are never negative. The
AAC encoder's first 1024 samples are silence before the beginning ("priming"): that frame is not delivered. No clock
here and no reactor: whoever calls decides when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.codec.context
import numpy as np

from flussdvr.formats.codecs import h264, h265
from flussdvr.formats.stamp import tones
from flussdvr.ingest.fake.picture import FakePicture
from flussdvr.media import Codec, MediaEvent, Sample, SamplesReceived, Track

TIMESCALE = 90_000
SAMPLE_RATE = 48_000
CHANNELS = 2
AUDIO_BITRATE = 96_000
AUDIO_FRAME = 1024
VIDEO_ID, AUDIO_ID = 1, 2


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """What the test source makes. `codec` None: sound only; `audio` False: pictures only. `bitrate` in bit/s."""

    width: int = 640
    height: int = 360
    fps: int = 25
    gop: int = 50
    bframes: int = 0
    bitrate: int = 800_000
    codec: Codec | None = Codec.H264
    audio: bool = True
    open_gop: bool = False

    @property
    def title(self) -> str:
        name = "sound only" if self.codec is None else self.codec.upper().replace("H26", "H.26")
        return f"{self.width}x{self.height} {self.fps} fps {name}"


class FakeEncoder:
    """Encodes frame after frame, from the beginning of the UTC second `second` on."""

    def __init__(self, settings: FakeSettings, second: int, name: str = "") -> None:
        self.settings = settings
        self.second = second
        self._video = None if settings.codec is None else _VideoEncoder(settings, settings.codec, second, name)
        self._audio = _AudioEncoder(second) if settings.audio else None
        self.tracks = tuple(encoder.track for encoder in (self._video, self._audio) if encoder is not None)

    def encode(self, index: int) -> list[MediaEvent]:
        """Frame `index` since the beginning, and the sound up to its end. An index may be left out, none come twice."""
        events: list[MediaEvent] = []
        if self._video is not None and (samples := self._video.encode(index)):
            events.append(SamplesReceived(VIDEO_ID, samples))
        if self._audio is not None and (samples := self._audio.encode((index + 1) * SAMPLE_RATE // self.settings.fps)):
            events.append(SamplesReceived(AUDIO_ID, samples))
        return events

    def flush(self) -> list[MediaEvent]:
        """What the encoders still hold. Nothing can be encoded afterwards."""
        events: list[MediaEvent] = []
        if self._video is not None and (samples := self._video.flush()):
            events.append(SamplesReceived(VIDEO_ID, samples))
        if self._audio is not None and (samples := self._audio.flush()):
            events.append(SamplesReceived(AUDIO_ID, samples))
        return events


class _VideoEncoder:
    def __init__(self, settings: FakeSettings, codec: Codec, second: int, name: str) -> None:
        self._fps = settings.fps
        self._second = second
        self._formats: Any = h265 if codec is Codec.H265 else h264
        self._picture = FakePicture(settings.width, settings.height, f"{name}  {settings.title}".strip())
        self._context = _open_video(settings, codec)
        extradata = self._context.extradata or b""
        self.track = Track(
            VIDEO_ID,
            codec,
            TIMESCALE,
            config=_decoder_configuration(codec, extradata),
            width=settings.width,
            height=settings.height,
            frame_rate=Fraction(settings.fps),
        )

    def encode(self, index: int) -> list[Sample]:
        seconds, in_second = divmod(index, self._fps)
        yuv = self._picture.draw(self._second + seconds, in_second, self._fps)
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        frame.pts = index
        frame.time_base = Fraction(1, self._fps)
        return self._samples(self._context.encode(frame))

    def flush(self) -> list[Sample]:
        return self._samples(self._context.encode(None))

    def _samples(self, packets: Iterable[Any]) -> list[Sample]:
        samples = []
        tick = TIMESCALE // self._fps
        begin = self._second * TIMESCALE
        for packet in packets:
            unit = self._formats.read_access_unit(bytes(packet))
            dts = begin + packet.dts * tick
            samples.append(Sample(dts, unit.sample, packet.is_keyframe, (packet.pts - packet.dts) * tick))
        return samples


class _AudioEncoder:
    def __init__(self, second: int) -> None:
        self._begin = second * SAMPLE_RATE
        self._done = 0
        context: Any = av.CodecContext.create("aac", "w")
        context.sample_rate = SAMPLE_RATE
        context.layout = "stereo"
        context.format = "fltp"
        context.bit_rate = AUDIO_BITRATE
        context.time_base = Fraction(1, SAMPLE_RATE)
        context.flags |= av.codec.context.Flags.global_header
        context.open()
        self._context = context
        self.track = Track(
            AUDIO_ID,
            Codec.AAC,
            SAMPLE_RATE,
            config=bytes(context.extradata),
            channels=CHANNELS,
            sample_rate=SAMPLE_RATE,
        )

    def encode(self, until: int) -> list[Sample]:
        """Whole frames up to the sample `until` since the beginning, or a little further."""
        samples = []
        while self._done < until:
            pcm = tones(self._begin + self._done, AUDIO_FRAME, SAMPLE_RATE)
            frame: Any = av.AudioFrame.from_ndarray(np.stack([pcm] * CHANNELS), format="fltp", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._done
            frame.time_base = Fraction(1, SAMPLE_RATE)
            self._done += AUDIO_FRAME
            samples += self._samples(self._context.encode(frame))
        return samples

    def flush(self) -> list[Sample]:
        return self._samples(self._context.encode(None))

    def _samples(self, packets: Iterable[Any]) -> list[Sample]:
        return [Sample(self._begin + packet.pts, bytes(packet)) for packet in packets if packet.pts >= 0]


def _open_video(settings: FakeSettings, codec: Codec) -> Any:
    context: Any = av.CodecContext.create("libx265" if codec is Codec.H265 else "libx264", "w")
    context.width, context.height, context.pix_fmt = settings.width, settings.height, "yuv420p"
    context.time_base = Fraction(1, settings.fps)
    context.framerate = Fraction(settings.fps)
    context.gop_size = settings.gop
    context.max_b_frames = settings.bframes
    context.bit_rate = settings.bitrate
    context.thread_count = 1  # one input, one thread: other streams need the cores too
    context.flags |= av.codec.context.Flags.global_header
    # No look-ahead: a picture is to leave the encoder when it is complete, not some dozen pictures later.
    shared = (
        f"keyint={settings.gop}:min-keyint={settings.gop}:scenecut=0:open-gop={int(settings.open_gop)}:b-adapt=0"
        f":bframes={settings.bframes}"
    )
    if codec is Codec.H265:
        look = settings.bframes + 1
        own = f"log-level=error:pools=none:frame-threads=1:wpp=0:rc-lookahead={look}:lookahead-slices=0"
        context.options = {"preset": "ultrafast", "x265-params": f"{shared}:{own}"}
    else:
        own = "rc-lookahead=0:sync-lookahead=0:mbtree=0:force-cfr=1"
        context.options = {"preset": "ultrafast", "x264-params": f"{shared}:{own}"}
    context.open()
    return context


def _decoder_configuration(codec: Codec, annexb: bytes) -> bytes:
    if codec is Codec.H265:
        unit = h265.read_access_unit(annexb)
        return h265.build_hvcc(unit.vps, unit.sps, unit.pps)
    sets = h264.read_access_unit(annexb)
    return h264.build_avcc(sets.sps, sets.pps)
