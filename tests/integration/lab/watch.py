"""Eyes and ears: what a decoder shows of a URL or a file, as the UTC that was burnt into it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flussdvr.formats.stamp import read_stamp


@dataclass(frozen=True)
class Seen:
    """A presented picture: its presentation time, and the UTC that it shows (None: the stamp is unreadable)."""

    at_s: float
    utc_s: float | None


def pictures(
    url: str, fps: int = 25, options: dict[str, str] | None = None, seek_s: float = 0, track: int = 0
) -> Iterator[Seen]:
    """Every picture that PyAV presents of a track, in order of presentation; edit lists apply."""
    with av.open(url, options=options or {}, timeout=30) as container:
        stream = container.streams.video[track]
        if seek_s:
            container.seek(int(seek_s * 1_000_000))
        for frame in container.decode(stream):
            assert isinstance(frame, av.VideoFrame)
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:32, : frame.width]
            stamp = read_stamp(luma)
            yield Seen(float(frame.time or 0), None if stamp is None else stamp[0] + stamp[1] / fps)


def first_picture(url: str, fps: int = 25) -> Seen:
    return next(pictures(url, fps))


def sound(url: str, rate: int = 8000) -> tuple[float, NDArray[np.float64]]:
    """(presentation time of the first sample in s, mono samples)."""
    parts, begin = [], None
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(url, timeout=30) as container:
        for frame in container.decode(container.streams.audio[0]):
            assert isinstance(frame, av.AudioFrame)
            if begin is None:
                begin = float(frame.time or 0)
            parts += [np.asarray(part.to_ndarray()).reshape(-1) for part in resampler.resample(frame)]
    return begin or 0.0, np.concatenate(parts).astype(float) if parts else np.zeros(0)


def seconds_heard(url: str, rate: int = 8000) -> list[float]:
    """The presentation times at which a UTC second begins in the sound: where it becomes loud."""
    begin, samples = sound(url, rate)
    step = rate // 200  # 5 ms
    level = np.abs(samples[: len(samples) // step * step]).reshape(-1, step).max(axis=1)
    loud = level > 0.5 * level.max()
    quiet = np.convolve(~loud, np.ones(20), "full")[: len(loud)]  # quiet blocks among the 20 up to here
    starts = [i for i in range(21, len(loud)) if loud[i] and not loud[i - 1] and quiet[i - 1] > 18]
    return [begin + i * step / rate for i in starts]


def ffmpeg_complaints(url: str, *options: str) -> str:
    """
    What ffmpeg says when it decodes all of `url` and may not overlook an error; empty if all is well.

    What it decodes is timed in the ticks of `url`, not in frames of the rate that it guesses: two pictures that are
    60 us nearer than usual (a source's clock is being followed) may else be rounded into one frame. Times that are
    equal or step back in `url` are complained of all the same.
    """
    command = ["ffmpeg", "-v", "error", "-xerror", *options, "-i", url, "-enc_time_base", "-1", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stderr + (f"exit {done.returncode}" if done.returncode else "")


def picture_file(path: Path, fps: int = 25) -> float | None:
    """The UTC that a screenshot shows."""
    with Image.open(path) as image:
        stamp = read_stamp(np.asarray(image.convert("L")))
    return None if stamp is None else stamp[0] + stamp[1] / fps
