"""
Small real recordings for tests: encoded by PyAV, fragmented by us, laid down as blobs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.body.file import BodyFile, Directory, Place
from flussdvr.formats.mp4.fmp4 import BlobInfo, Run, blob_info_box, write_fragment, write_init
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import LiveWindow
from flussdvr.media import Codec, Sample, Track
from flussdvr.threads import InlineWorker

T = 1_795_194_000_000  # 2026-11-20T17:00:00Z
FPS = 10
SEGMENT_MS = 2000


@dataclass
class Media:
    """Tracks and their samples, whose times begin near 0."""

    tracks: tuple[Track, ...]
    samples: dict[int, list[tuple[Sample, int]]]  # with durations


@cache
def media(seconds: int = 12, audios: int = 1, b_frames: int = 0, width: int = 64, encoder: str = "libx264") -> Media:
    """A key frame each second, `FPS` pictures; AAC."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as out:
        video: Any = out.add_stream(encoder, FPS)
        video.width, video.height, video.pix_fmt = width, 48, "yuv420p"
        video.options = {"g": str(FPS), "bf": str(b_frames), "sc_threshold": "0", "preset": "ultrafast"}
        if encoder == "libx265":
            video.options = {
                "preset": "ultrafast",
                "x265-params": f"keyint={FPS}:min-keyint={FPS}:scenecut=0:bframes={b_frames}:log-level=none",
            }
        video.time_base = Fraction(1, FPS)
        tones: list[Any] = []
        for _ in range(audios):
            tone: Any = out.add_stream("aac", 48000)
            tone.layout = "mono"
            tones.append(tone)
        for number in range(seconds * FPS):
            picture = av.VideoFrame.from_ndarray(np.full((48, width, 3), number % 250, np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(picture))
        out.mux(video.encode())
        for tone in tones:
            for number in range(seconds * 48000 // 1024):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                sound.sample_rate, sound.pts, sound.time_base = 48000, number * 1024, Fraction(1, 48000)
                out.mux(tone.encode(sound))
            out.mux(tone.encode())
    file.seek(0)
    tracks, samples = [], {}
    with av.open(file) as source:
        for stream in source.streams:
            track_id = stream.index + 1
            context: Any = stream.codec_context
            if stream.type == "video":
                codec = {"h264": Codec.H264, "hevc": Codec.H265}[context.name]
                size = {"width": width, "height": 48}
                track = Track(track_id, codec, 90000, context.extradata, frame_rate=Fraction(FPS), **size)
            else:
                track = Track(track_id, Codec.AAC, 48000, context.extradata, "und", channels=1, sample_rate=48000)
            tracks.append(track)
            samples[track_id] = []
        for packet in source.demux():
            if packet.dts is None:
                continue
            track = tracks[packet.stream.index]
            scale = packet.time_base * track.timescale
            dts, pts, duration = (round(value * scale) for value in (packet.dts, packet.pts, packet.duration))
            samples[track.id].append((Sample(dts, bytes(packet), packet.is_keyframe, pts - dts), duration))
    return Media(tuple(tracks), samples)


def fragments(source: Media, begin_ms: int, seconds: int, skip: int = 0) -> list[tuple[LiveFragment, int]]:
    """One a second, the first presented at `begin_ms`; `skip` seconds of the source before them."""
    result = []
    start_pts = next((s.pts for s, _ in source.samples[1] if s.sync), 0)
    for number in range(seconds):
        runs = []
        for track in source.tracks:
            begin = (skip + number) * track.timescale + (start_pts if track.is_video else 0)
            end = begin + track.timescale
            if track.is_video:
                order = [sample for sample, _ in source.samples[track.id]]
                keys = [i for i, sample in enumerate(order) if sample.sync] + [len(order)]
                chosen = source.samples[track.id][keys[skip + number] : keys[skip + number + 1]]
            else:
                chosen = [item for item in source.samples[track.id] if begin <= item[0].dts < end]
            if not chosen:
                continue
            origin = begin_ms * track.timescale // 1000 - skip * track.timescale - (start_pts if track.is_video else 0)
            runs.append(Run(track, chosen[0][0].dts + origin, [d for _, d in chosen], [s for s, _ in chosen]))
        head, payload = write_fragment(number + 1, runs)
        at = begin_ms + number * 1000
        result.append((LiveFragment(head + payload, len(head), at, at + 1000, True), number))
    return result


@dataclass
class Recording:
    """A stream's archive on a real directory, and its live window. `place`: what playback reads the directory by."""

    root: Path
    name: str = "ort"
    archive: LocalStreamArchive = field(init=False)
    window: LiveWindow = field(init=False)
    opened_at_ms: int = 0
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        self.archive = LocalStreamArchive(self.name, IndexCache(lambda blob: InlineWorker()), self.file)
        self.place = Directory(str(self.root), InlineWorker())
        self.window = LiveWindow(SEGMENT_MS, 4)

    def file(self, blob: Blob, suffix: str) -> BodyFile:
        return self.place.file(blob.name + suffix)

    def blob(
        self,
        begin_ms: int = T,
        seconds: int = 10,
        sequence: int = 100,
        after: str | None = None,
        source: Media | None = None,
        closed: bool = True,
        skip: int = 0,
    ) -> Blob:
        """Lay down a blob of `seconds` fragments."""
        source = source or media()
        info = BlobInfo(self.name, SEGMENT_MS, sequence, after)
        data = index = write_init(source.tracks) + blob_info_box(info)
        for fragment, _ in fragments(source, begin_ms, seconds, skip):
            data += fragment.data
            index += fragment.data[: fragment.head_size]
        state = BlobState.CLOSED if closed else BlobState.OPEN
        end_ms = begin_ms + seconds * 1000
        blob = Blob(
            self.name,
            str(self.root),
            begin_ms,
            end_ms,
            len(data),
            len(index),
            state,
            SEGMENT_MS,
            sequence,
            after,
        )
        Path(blob.path).parent.mkdir(parents=True, exist_ok=True)
        Path(blob.path).write_bytes(data)
        Path(blob.index_path).write_bytes(index)
        self.archive.add(blob)
        return blob

    def play_live(self, begin_ms: int = T, seconds: int = 10, source: Media | None = None, skip: int = 0) -> None:
        """Let fragments arrive in the live window."""
        source = source or media()
        self.window.open(write_init(source.tracks), source.tracks)
        for fragment, _ in fragments(source, begin_ms, seconds, skip):
            self.window.append(fragment, self.window.begins_segment(fragment))


class Streams:
    """What web and playback ask for."""

    def __init__(self, recordings: Sequence[Recording] = (), live: bool = False) -> None:
        self.recordings = {recording.name: recording for recording in recordings}
        self.is_live = live

    def live(self, name: str) -> Recording | None:
        return self.recordings.get(name) if self.is_live else None

    def archive(self, name: str) -> LocalStreamArchive | None:
        recording = self.recordings.get(name)
        return recording.archive if recording is not None else None

    def names(self) -> list[str]:
        return list(self.recordings)


def decoded(data: bytes, kind: str = "video") -> list[float]:
    """Presentation times of all frames of one kind that PyAV can decode."""
    with av.open(io.BytesIO(data)) as container:
        times = [frame.time for frame in container.decode(**{kind: 0})]
    return [float(time) for time in times if time is not None]
