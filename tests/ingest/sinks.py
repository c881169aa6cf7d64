"""Doubles that the tests of inputs share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import Any

import av
import numpy as np

from flussdvr.media import Codec, LeftOut, Sample, Track

VIDEO = Track(1, Codec.H264, 90_000, config=b"avcC", width=64, height=48)


class RecordingSink:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.tracks: tuple[Track, ...] = ()
        self.samples: dict[int, list[Sample]] = {}

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        self.tracks = tuple(tracks)
        self.calls.append(("tracks", tuple(tracks)))

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.samples.setdefault(track_id, []).extend(samples)
        self.calls.append(("samples", track_id, [s.data for s in samples]))

    def data_lost(self, reason: str, count: int) -> None:
        self.calls.append(("data_lost", reason, count))

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        self.calls.append(("left_out", tuple(str(one) for one in left_out)))

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None:
        self.calls.append(("utc", utc_ms, dts, timescale))

    def source_lost(self, reason: str) -> None:
        self.calls.append(("lost", reason))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == name]

    def taken(self) -> list[tuple[Any, ...]]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


@cache
def media(format_: str, frames: int = 50, audio: str | None = "aac") -> bytes:
    """A small recording in a container of FFmpeg: H.264 64x48 at 25 fps, keyframes each 10, and a tone."""
    file = BytesIO()
    with av.open(file, "w", format=format_) as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.gop_size = 10
        video.codec_context.options = {"preset": "ultrafast", "bf": "0", "x264-params": "scenecut=0"}
        sound: Any = container.add_stream(audio, rate=48_000, layout="stereo") if audio else None
        done = 0
        for index in range(frames):
            picture = np.full((72, 64), 40 + 3 * index % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
            while sound is not None and done < (index + 1) * 48_000 // 25:
                size = sound.codec_context.frame_size or 1024
                pcm = np.zeros((2, size), np.float32)
                piece: Any = av.AudioFrame.from_ndarray(pcm, format="fltp", layout="stereo")
                piece.sample_rate, piece.pts, piece.time_base = 48_000, done, Fraction(1, 48_000)
                container.mux(sound.encode(piece))
                done += size
        for stream in filter(None, (video, sound)):
            container.mux(stream.encode(None))
    return file.getvalue()
