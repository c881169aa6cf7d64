"""
Recordings whose pictures show when they were taken: encoded by PyAV with the stamp, cut by our own segmenter.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.formats.mp4.fmp4 import BlobInfo, blob_info_box, write_init
from flussdvr.formats.stamp import read_stamp, write_stamp
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.media import Codec, Sample, Track
from tests.playback.recordings import Recording, T

__all__ = ["FPS", "KINDS", "T", "Recording", "Shot", "lay_down", "result", "seen", "seen_in_mp4", "shoot"]

FPS = 10
GOP = 20
SIZE = (320, 180)

KINDS = {
    "h264": ("libx264", {"preset": "ultrafast", "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0"}),
    "h264-b": (
        "libx264",
        {"preset": "veryfast", "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=3:b-adapt=0"},
    ),
    "h264-open": (
        "libx264",
        {
            "preset": "veryfast",
            "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=3:b-adapt=0:open-gop=1",
        },
    ),
    "h265": (
        "libx265",
        {
            "preset": "ultrafast",
            "x265-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=2:log-level=none",
        },
    ),
    "h265-open": (
        "libx265",
        {
            "preset": "ultrafast",
            "x265-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=2:open-gop=1:log-level=none",
        },
    ),
}


@dataclass
class Shot:
    """Fragments of one take, `[begin_ms, end_ms)`."""

    init: bytes
    track: Track
    fragments: list[LiveFragment]

    @property
    def begin_ms(self) -> int:
        return self.fragments[0].begin_ms

    @property
    def end_ms(self) -> int:
        return self.fragments[-1].end_ms


def result(work: Any) -> Any:
    """Of a coroutine that has nothing to wait for."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def picture(second: int, frame: int) -> Any:
    width, height = SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    luma = ((columns * 2 + rows + 20 * frame) % 256).astype(np.uint8)
    write_stamp(luma, second, frame)
    planes = np.concatenate([luma.reshape(-1), np.full(width * height // 2, 128, np.uint8)])
    return av.VideoFrame.from_ndarray(planes.reshape(height * 3 // 2, width), "yuv420p")


@cache
def shoot(kind: str, begin_s: int, seconds: int) -> Shot:
    """A take of `seconds` from `begin_s`, UTC; each picture shows its own moment."""
    encoder, options = KINDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as out:
        video: Any = out.add_stream(encoder, FPS)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.options = options
        for number in range(seconds * FPS):
            frame = picture(begin_s + number // FPS, number % FPS)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode())
    file.seek(0)
    fragments: list[LiveFragment] = []
    codec = Codec.H265 if kind.startswith("h265") else Codec.H264
    with av.open(file) as source:
        context: Any = source.streams.video[0].codec_context
        track = Track(1, codec, 90_000, context.extradata, width=SIZE[0], height=SIZE[1], frame_rate=Fraction(FPS))
        segmenter = Segmenter(lambda tracks: None, fragments.append, lambda reason: None, lambda: 0)
        segmenter.tracks_received([track])
        segmenter.utc_received(begin_s * 1000, 0, 90_000)
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            scale = packet.time_base * 90_000
            dts, pts = round(packet.dts * scale), round(packet.pts * scale)
            sample = Sample(dts, bytes(packet), packet.is_keyframe or starts_open_group(codec, packet), pts - dts)
            segmenter.samples_received(1, [sample], begin_s * 1000 + pts // 90)
        segmenter.lost("end")
    return Shot(write_init([track]), track, fragments)


def starts_open_group(codec: Codec, packet: Any) -> bool:
    """An I picture with a recovery point, or a CRA: FFmpeg's MP4 muxer calls neither a key frame everywhere."""
    data = bytes(packet)
    at = 0
    while at + 5 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        nal = data[at + 4]
        if codec is Codec.H265 and 16 <= (nal >> 1 & 63) <= 21:
            return True
        if codec is Codec.H264 and nal & 31 == 6 and data[at + 5] == 6:
            return True
        at += 4 + size
    return False


def lay_down(recording: Recording, shot: Shot, after: str | None = None, closed: bool = True) -> Blob:
    """The take as a blob of `recording`."""
    data = index = shot.init + blob_info_box(BlobInfo(recording.name, 2000, 100, after))
    for fragment in shot.fragments:
        data += fragment.data
        index += fragment.data[: fragment.head_size]
    state = BlobState.CLOSED if closed else BlobState.OPEN
    blob = Blob(
        *(recording.name, str(recording.root), shot.begin_ms, shot.end_ms, len(data), len(index), state, 2000, 100),
        after,
    )
    Path(blob.path).parent.mkdir(parents=True, exist_ok=True)
    Path(blob.path).write_bytes(data)
    Path(blob.index_path).write_bytes(index)
    recording.archive.add(blob)
    return blob


def seen(jpeg: bytes) -> int | None:
    """What a JPEG of full size shows, ms."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return _ms(read_stamp(np.asarray(image.convert("L"))))


def seen_in_mp4(data: bytes) -> list[int | None]:
    """What all the pictures of an MP4 show, ms."""
    with av.open(io.BytesIO(data)) as container:
        shown = []
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : frame.width]
            shown.append(_ms(read_stamp(luma)))
    return shown


def _ms(stamp: tuple[int, int] | None) -> int | None:
    return None if stamp is None else stamp[0] * 1000 + stamp[1] * 1000 // FPS
