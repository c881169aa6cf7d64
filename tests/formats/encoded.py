"""Pictures and sound by FFmpeg's encoders, and what FFmpeg decodes of what was recorded of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from flussdvr.formats.mp4.fmp4 import Run, write_fragment, write_init
from flussdvr.media import Sample, Track

OPTIONS: dict[str, dict[str, str]] = {
    "libsvtav1": {"preset": "12", "svtav1-params": "keyint=12:lookahead=0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}


@cache
def encoded(
    format_: str,
    video: str | None = None,
    audio: str | None = None,
    frames: int = 50,
    bframes: int = 0,
    channels: int = 2,
) -> bytes:
    """A recording of 25 fps with a key frame each 12, and of sound, in a container of FFmpeg."""
    out = io.BytesIO()
    with av.open(out, "w", format=format_) as file:
        picture: Any = None
        if video is not None:
            options = OPTIONS.get(video, {}) | ({"bf": str(bframes)} if bframes else {})
            picture = file.add_stream(video, rate=25, options=options)
            picture.width, picture.height, picture.pix_fmt, picture.gop_size = 96, 64, "yuv420p", 12
            picture.bit_rate = 400_000
        sound: Any = None
        if audio is not None:
            sound = file.add_stream(audio, rate=48_000, layout="stereo" if channels == 2 else "mono")
        chance = np.random.default_rng(3)
        done = 0
        for number in range(frames):
            if picture is not None:
                shown = np.full((64, 96, 3), 40 + number * 3, np.uint8) + chance.integers(0, 9, (64, 96, 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(shown, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                file.mux(picture.encode(frame))
            size = 960 if sound is None else sound.codec_context.frame_size or 960
            resampler = None
            while sound is not None and done < (number + 1) * 1920:
                wave = (chance.random((channels, size), np.float32) - 0.5) * 0.2
                piece = av.AudioFrame.from_ndarray(wave, "fltp", "stereo" if channels == 2 else "mono")
                piece.sample_rate, piece.pts, piece.time_base = 48_000, done, Fraction(1, 48_000)
                done += size
                resampler = av.AudioResampler(sound.codec_context.format.name, sound.codec_context.layout.name, 48_000)
                for part in resampler.resample(piece):
                    file.mux(sound.encode(part))
        for stream in filter(None, (picture, sound)):
            file.mux(stream.encode(None))
    return out.getvalue()


def packets_of(data: bytes, format_: str) -> tuple[Any, list[tuple[str, Any]]]:
    """(extradata by type of stream, packets with the type of theirs in order)."""
    with av.open(io.BytesIO(data), format=format_) as file:
        extra = {stream.type: bytes(stream.codec_context.extradata or b"") for stream in file.streams}
        return extra, [(packet.stream.type, packet) for packet in file.demux() if packet.size]


def recorded(tracks: Sequence[Track], samples: dict[int, list[Sample]]) -> bytes:
    """As it would be recorded: one fragment for each key frame of the first track."""
    reference = tracks[0]
    cuts = [sample.dts for sample in samples[reference.id] if sample.sync or not reference.is_video]
    cuts = cuts if reference.is_video else cuts[:1]
    data = write_init(tracks)
    for number, begin in enumerate(cuts):
        end = cuts[number + 1] if number + 1 < len(cuts) else 1 << 62
        span = begin / reference.timescale, end / reference.timescale
        made = [_run(track, samples[track.id], *span, not number) for track in tracks]
        runs = [run for run in made if run is not None]
        data += b"".join(write_fragment(number + 1, runs))
    return data


def _run(track: Track, samples: list[Sample], begin: float, end: float, first: bool) -> Run | None:
    times = [one.dts / track.timescale for one in samples]
    found = [n for n, time in enumerate(times) if (first or begin <= time) and time < end]
    if not found:
        return None
    steps = [after.dts - before.dts for before, after in zip(samples, samples[1:], strict=False)]
    durations = [steps[n] if n < len(steps) else (steps or [3600])[-1] for n in found]
    return Run(track, samples[found[0]].dts, durations, [samples[n] for n in found])


def decoded(data: bytes, format_: str, kind: str) -> list[tuple[float, bytes]]:
    """(seconds, picture or sound) of each frame that FFmpeg decodes."""
    frames = []
    with av.open(io.BytesIO(data), format=format_) as file:
        for frame in file.decode(**{kind: 0}):
            frames.append((float(frame.time or 0), frame.to_ndarray().tobytes()))
    return frames


def same_pictures(found: Iterable[tuple[float, bytes]], expected: Iterable[tuple[float, bytes]]) -> None:
    """The same pictures, the same time apart."""
    ours, theirs = list(found), list(expected)
    assert [data for _, data in ours] == [data for _, data in theirs]
    shift = ours[0][0] - theirs[0][0]
    assert all(abs(a[0] - b[0] - shift) < 0.002 for a, b in zip(ours, theirs, strict=True))
