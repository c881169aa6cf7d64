"""Small streams made with PyAV's encoders: an implementation that is not ours."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np


def video(codec: str, container: str, width: int = 176, height: int = 144, frames: int = 12, **options: Any) -> bytes:
    """A file of `frames` pictures, a key frame at least every 6."""
    out = io.BytesIO()
    aspect = options.pop("sample_aspect_ratio", None)
    pixels = options.pop("pix_fmt", "yuv420p")
    with av.open(out, "w", container) as file:
        stream = file.add_stream(codec, rate=25, options={k.replace("_", "-"): str(v) for k, v in options.items()})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, pixels, 6
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for number in range(frames):
            picture = np.full((height, width, 3), number * 9 % 255, np.uint8)
            picture[number * 3 :, :40] = 200
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


def audio(
    codec: str, container: str, rate: int = 48000, layout: str = "stereo", blocks: int = 12, **options: Any
) -> bytes:
    """A file of 1024-sample blocks of a quiet tone."""
    out = io.BytesIO()
    with av.open(out, "w", container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout, **options)
        channels = stream.codec_context.layout.nb_channels
        resampler = av.AudioResampler(
            stream.codec_context.format.name, layout, rate, stream.codec_context.frame_size or 1024
        )
        for number in range(blocks):
            phase = (np.arange(1024) + number * 1024) * (440 * 2 * np.pi / rate)
            samples = np.tile((np.sin(phase) * 0.2).astype(np.float32), (channels, 1))
            frame = av.AudioFrame.from_ndarray(samples, "fltp", layout)
            frame.sample_rate, frame.pts = rate, number * 1024
            for part in resampler.resample(frame):
                file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def packets(data: bytes, container: str | None = None) -> tuple[Any, list[Any]]:
    """(stream's codec context, packets) of the only stream of a file."""
    with av.open(io.BytesIO(data), format=container) as file:
        stream = file.streams[0]
        return stream.codec_context, [packet for packet in file.demux(stream) if packet.size]


def remux(data: bytes, container: str, tag: str | None = None) -> bytes:
    """The same packets in another container."""
    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(out, "w", container) as file:
        stream = file.add_stream_from_template(source.streams[0])
        if tag:
            stream.codec_context.codec_tag = tag
        for packet in source.demux(source.streams[0]):
            if packet.size:
                packet.stream = stream
                file.mux(packet)
    return out.getvalue()
