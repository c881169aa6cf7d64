"""Streams as they come in, with one bit of one timestamp flipped, and what is recorded of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import av
import numpy as np

from flussdvr.formats.flv.demuxer import FlvDemuxer
from flussdvr.formats.mp4.fmp4 import parse_fragment
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.media import MediaEvent, SamplesReceived, TracksChanged
from tests.formats.transport import AUDIO_PID, VIDEO_PID, program

NOW_MS = 1_795_194_000_000
FRAMES = 100
PICTURE_MS = 40
TAG = 11


@dataclass
class Recorded:
    """What a segmenter made of a stream."""

    gaps: list[str] = field(default_factory=list)
    fragments: list[LiveFragment] = field(default_factory=list)

    @property
    def begin_ms(self) -> int:
        return self.fragments[0].begin_ms

    @property
    def end_ms(self) -> int:
        return self.fragments[-1].end_ms

    @property
    def tiles(self) -> bool:
        fragments = self.fragments
        return all(a.end_ms == b.begin_ms for a, b in zip(fragments, fragments[1:], strict=False))

    def shown_ms(self, track_id: int, timescale: int) -> list[int]:
        """When each sample of a track is shown, in order."""
        found: list[int] = []
        for fragment in self.fragments:
            for run in parse_fragment(fragment.data, {}).runs:
                if run.track_id != track_id:
                    continue
                at = run.dts or 0
                for row in run.rows:
                    found.append((at + row.cto) * 1000 // timescale)
                    at += row.duration
        return sorted(found)


def record(steps: Iterator[list[MediaEvent]]) -> Recorded:
    """Each step comes 40 ms after the one before."""
    made, now_ms = Recorded(), NOW_MS
    segmenter = Segmenter(lambda tracks: None, made.fragments.append, made.gaps.append, lambda: 0)
    for events in steps:
        for event in events:
            if isinstance(event, TracksChanged):
                segmenter.tracks_received(event.tracks)
            elif isinstance(event, SamplesReceived):
                segmenter.samples_received(event.track_id, event.samples, now_ms)
        now_ms += PICTURE_MS
    segmenter.flush()
    return made


def record_ts(data: bytes) -> Recorded:
    def steps() -> Iterator[list[MediaEvent]]:
        demuxer = TsDemuxer()
        size = len(data) // FRAMES // 188 * 188
        for at in range(0, len(data), size):
            yield demuxer.feed(data[at : at + size])
        yield demuxer.flush()

    return record(steps())


def ts(video: str, audio: str, bframes: int, offset_s: float = 0) -> bytes:
    return program(FRAMES, video, audio, bframes, offset_s)


def ts_stamps(data: bytes) -> list[tuple[int, bool]]:
    """Where each PTS and DTS stands, and whether it is a picture's."""
    found = []
    for at in range(0, len(data), 188):
        pid = (data[at + 1] & 31) << 8 | data[at + 2]
        if not data[at + 1] & 0x40 or pid not in (VIDEO_PID, AUDIO_PID):
            continue
        pes = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        flags = data[pes + 7] >> 6
        found += [(pes + 9 + 5 * number, pid == VIDEO_PID) for number in range({2: 1, 3: 2}.get(flags, 0))]
    return found


def flip_ts(data: bytes, stamp: int, bit: int) -> bytes:
    """With a bit, 0 to 32, of the timestamp at `stamp` flipped."""
    place, shift = {True: (4, bit + 1), False: (0, 0)}[bit < 7]
    if 7 <= bit < 15:
        place, shift = 3, bit - 7
    elif 15 <= bit < 22:
        place, shift = 2, bit - 14
    elif 22 <= bit < 30:
        place, shift = 1, bit - 22
    elif bit >= 30:
        place, shift = 0, bit - 29
    damaged = bytearray(data)
    damaged[stamp + place] ^= 1 << shift
    return bytes(damaged)


@lru_cache
def flv(bframes: int, audio: str = "aac") -> list[tuple[int, int, bytes]]:
    """(type, timestamp, body) of the tags of a file with `FRAMES` pictures and sound."""
    out = io.BytesIO()
    with av.open(out, "w", "flv") as file:
        options = {"preset": "ultrafast", "bf": str(bframes), "x264-params": "log-level=none:scenecut=0"}
        picture = file.add_stream("libx264", rate=25, options=options)
        picture.width, picture.height, picture.pix_fmt, picture.gop_size = 64, 64, "yuv420p", 10
        sound = file.add_stream(audio, rate=48000, layout="stereo")
        done = 0
        for number in range(FRAMES):
            noise = np.full((64, 64, 3), number, np.uint8)
            file.mux(picture.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
            while done < (number + 1) * 1920:
                frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
                frame.sample_rate, frame.pts = 48000, done
                done += 1024
                file.mux(sound.encode(frame))
        file.mux(picture.encode(None))
        file.mux(sound.encode(None))
    data, at, tags = out.getvalue(), 13, []
    while at + TAG <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        timestamp = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        tags.append((data[at], timestamp, data[at + TAG : at + TAG + size]))
        at += TAG + size + 4
    return tags


def record_flv(tags: list[tuple[int, int, bytes]]) -> Recorded:
    """A tag comes when its time has come."""
    made, now_ms = Recorded(), NOW_MS
    segmenter = Segmenter(lambda tracks: None, made.fragments.append, made.gaps.append, lambda: 0)
    demuxer, pictures = FlvDemuxer(), 0
    for kind, timestamp, body in tags:
        if kind == 9:
            pictures += 1
        now_ms = NOW_MS + pictures * PICTURE_MS
        for event in demuxer.feed_tag(kind, timestamp, body):
            if isinstance(event, TracksChanged):
                segmenter.tracks_received(event.tracks)
            elif isinstance(event, SamplesReceived):
                segmenter.samples_received(event.track_id, event.samples, now_ms)
    segmenter.flush()
    return made
