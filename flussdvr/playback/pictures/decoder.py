# -*- test-case-name: tests.playback.pictures.test_decoder -*-
# mypy: allow-untyped-calls
"""
Coded pictures to JPEG: FFmpeg decodes and scales, Pillow encodes. In a codec thread.

    sample(s) of a track --> picture --> scaled to fit, square pixels --> JPEG

What comes in is hostile: a picture may claim any size or be no picture at all. Whatever is wrong with it is a
`DvrError` with the code "undecodable_picture".
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import av
from av.codec.context import Flags
from PIL import Image

from flussdvr.errors import DvrError, Kind
from flussdvr.media import Codec, Track
from flussdvr.process.memory import trim

MAX_PIXELS = 36_000_000
HUGE_PIXELS = 3840 * 2160
"""8K is the largest picture that is looked at: 7680 x 4320."""
QUALITY = 80
NICENESS = 5
"""Pictures come after recording and playing."""
VERSION = "1"
"""Part of every entity tag: what the same sample is made into."""

CODECS = {
    Codec.H264: "h264",
    Codec.H265: "hevc",
    Codec.MJPEG: "mjpeg",
    Codec.MPEG2: "mpeg2video",
    Codec.AV1: "libdav1d",
    Codec.VP9: "vp9",
}
_niced = threading.local()


@dataclass(frozen=True, slots=True)
class Box:
    """The largest that a picture may be; it is made to fit with its aspect kept, and never enlarged."""

    width: int
    height: int

    def fit(self, width: int, height: int, aspect: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """The size at which a picture of these samples, `aspect` being the width of one over its height, is shown."""
        shown = max(1.0, width * aspect[0] / max(1, aspect[1]))
        scale = min(1.0, self.width / shown, self.height / height)
        return max(1, round(shown * scale)), max(1, round(height * scale))


def undecodable(reason: object) -> DvrError:
    return DvrError(Kind.CORRUPT, "undecodable_picture", f"the picture cannot be decoded: {reason}")


def key_frame_jpeg(track: Track, sample: bytes, box: Box) -> bytes:
    """The JPEG of a key frame. Raises `DvrError`."""
    be_nice()
    try:
        return encode(decode(track, [(0, sample)], 0, _scales_down(track, box)), track, box)
    finally:
        _give_back(track)


def moment_jpeg(track: Track, samples: Sequence[tuple[int, bytes]], pts: int, box: Box) -> bytes:
    """The JPEG of the picture shown at `pts`, one of the (`pts`, sample), in decoding order. Raises `DvrError`."""
    be_nice()
    try:
        return encode(decode(track, samples, pts, False), track, box)
    finally:
        _give_back(track)


def _give_back(track: Track) -> None:
    """
    The memory of huge pictures, at once.

    A picture of 8K and what is made of it on its way to a JPEG take some 200 MB; the C library keeps them for the next,
    once in each codec thread.
    """
    if track.width * track.height >= HUGE_PIXELS:
        trim()


def decode(track: Track, samples: Iterable[tuple[int, bytes]], pts: int, fast: bool) -> av.VideoFrame:
    """The picture shown at `pts`. `fast` leaves out the loop filter, which nobody sees in a smaller picture."""
    name = CODECS.get(track.codec)
    if name is None:
        raise undecodable(f"{track.codec} has no pictures")
    chosen: av.VideoFrame | None = None
    try:
        context: Any = av.CodecContext.create(name, "r")
        if track.config and track.codec is not Codec.VP9:
            context.extradata = track.config
        context.thread_count = 1
        context.options = {"max_pixels": str(MAX_PIXELS), **({"skip_loop_filter": "all"} if fast else {})}
        # An open group begins with a picture that no decoder would believe in alone.
        context.flags |= Flags.output_corrupt
        for number, data in samples:
            packet: Any = av.Packet(data)
            packet.pts = packet.dts = number
            chosen = _closest(chosen, context.decode(packet), pts)
        chosen = _closest(chosen, context.decode(None), pts)
    except (av.FFmpegError, ValueError, EOFError, MemoryError) as error:
        raise undecodable(error) from None
    if chosen is None:
        raise undecodable("nothing came out")
    return chosen


def encode(frame: av.VideoFrame, track: Track, box: Box) -> bytes:
    """A decoded picture as JPEG. Raises `DvrError`."""
    width, height = box.fit(frame.width, frame.height, track.sample_aspect_ratio)
    try:
        scaled = frame.reformat(width, height, "rgb24", interpolation="AREA")
        image = Image.fromarray(scaled.to_ndarray())
        out = io.BytesIO()
        image.save(out, "JPEG", quality=QUALITY)
    except (av.FFmpegError, ValueError, OSError, MemoryError) as error:
        raise undecodable(error) from None
    return out.getvalue()


def be_nice() -> None:
    """Once in each codec thread: in Linux a thread has a priority of its own."""
    if not getattr(_niced, "done", False) and threading.current_thread() is not threading.main_thread():
        _niced.done = True
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        except (OSError, AttributeError):
            return


def _closest(chosen: av.VideoFrame | None, frames: Iterable[Any], pts: int) -> av.VideoFrame | None:
    for frame in frames:
        if frame.pts == pts or chosen is None:
            chosen = frame
        elif chosen.pts != pts and (frame.pts or 0) <= pts:
            chosen = frame
    return chosen


def _scales_down(track: Track, box: Box) -> bool:
    return track.width >= 2 * box.width or track.height >= 2 * box.height
