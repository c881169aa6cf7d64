"""
Sources whose pictures show a clock, rewritten on the way, and what a decoder shows of the recording.

    encode() -> Unit (Annex B, times) -> pack() -> transport stream, cut as a test wants
    record(events) -> fragmented MP4 as it would be on the disk -> shown() -> (milliseconds, number of the picture)
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import av
import numpy as np

from flussdvr.formats.codecs.nal import split_annexb
from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.psi import ElementaryStream
from flussdvr.formats.stamp import read_stamp, write_stamp
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.media import MediaEvent, SamplesReceived, Track, TracksChanged
from tests.formats.transport import VIDEO_PID, Packets

WIDTH, HEIGHT, FPS = 160, 64, 25
SECOND = 1_700_000_000
FRAME = 90_000 // FPS
FIRST = 20 * 90_000
START_MS = 1_795_194_000_000
H264, H265 = ElementaryStream(VIDEO_PID, 0x1B), ElementaryStream(VIDEO_PID, 0x24)
CODES = {"libx264": "x264-params", "libx265": "x265-params"}


class Unit(NamedTuple):
    """An access unit in Annex B; times in 90 kHz."""

    data: bytes
    pts: int
    dts: int
    key: bool = False

    @property
    def nals(self) -> list[bytes]:
        return [self.data[start:stop] for start, stop in split_annexb(self.data)]


@cache
def encode(encoder: str, parameters: str, frames: int = 50, width: int = WIDTH, first: int = 0) -> tuple[Unit, ...]:
    """Pictures `first` ... at 25 per second, each of which shows its number."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = width, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.options = {"preset": "ultrafast", CODES[encoder]: f"log-level=none:repeat-headers=1:{parameters}"}
    assert isinstance(context, av.VideoCodecContext)
    packets = []
    for number in range(first, first + frames):
        luma = np.full((HEIGHT * 3 // 2, width), 128, np.uint8)
        luma[32:HEIGHT] = (np.mgrid[0 : HEIGHT - 32, 0:width].sum(0) * 3 + number * 5) % 256
        write_stamp(luma[:HEIGHT], SECOND + number // FPS, number % FPS)
        frame = av.VideoFrame.from_ndarray(luma, "yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    early = min(0, min(packet.dts for packet in packets))
    return tuple(
        Unit(
            bytes(packet), FIRST + packet.pts * FRAME, FIRST + (packet.dts - early + early) * FRAME, packet.is_keyframe
        )
        for packet in packets
    )


class Piece(NamedTuple):
    """The payload of a PES packet."""

    data: bytes
    pts: int | None = None
    dts: int | None = None


def pack(pieces: Iterable[Piece], video: ElementaryStream = H264) -> bytes:
    """A transport stream of video PES packets."""
    out = Packets()
    out.tables([video])
    for piece in pieces:
        out.pes(VIDEO_PID, piece.data, piece.pts, piece.dts, bounded=False)
    return out.data


def demux(data: bytes, step: int = 1316) -> list[MediaEvent]:
    demuxer = TsDemuxer()
    events = [event for at in range(0, len(data), step) for event in demuxer.feed(data[at : at + step])]
    return events + demuxer.flush()


@dataclass
class Recording:
    """What a segmenter made: (init segment, its fragments) whenever the tracks changed or a gap was."""

    files: list[tuple[tuple[Track, ...], list[LiveFragment]]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def opened(self, tracks: tuple[Track, ...]) -> None:
        self.files.append((tracks, []))

    def made(self, fragment: LiveFragment) -> None:
        self.files[-1][1].append(fragment)


def record(events: Iterable[MediaEvent]) -> Recording:
    """The events, each as if it had come when its last sample was due."""
    recording = Recording()
    segmenter = Segmenter(recording.opened, recording.made, recording.gaps.append, lambda: 0)
    tracks: dict[int, Track] = {}
    now_ms, first = START_MS, None
    for event in events:
        if isinstance(event, TracksChanged):
            tracks = {track.id: track for track in event.tracks}
            segmenter.tracks_received(event.tracks)
        elif isinstance(event, SamplesReceived):
            for sample in event.samples:
                at_ms = sample.dts * 1000 // tracks[event.track_id].timescale
                first = at_ms if first is None else first
                now_ms = max(now_ms, START_MS + at_ms - first)
                segmenter.samples_received(event.track_id, [sample], now_ms)
    segmenter.lost("over")
    return recording


def shown(recording: Recording) -> list[tuple[int, int]]:
    """(UTC in ms, number of the picture) as a decoder shows the recording's files one after the other."""
    found = []
    for tracks, fragments in recording.files:
        if not fragments:
            continue
        data = write_init(tracks) + b"".join(fragment.data for fragment in fragments)
        with av.open(io.BytesIO(data)) as file:
            if not file.streams.video:
                continue
            for frame in file.decode(video=0):
                luma = frame.reformat(format="gray").to_ndarray()
                stamp = read_stamp(luma[:, :WIDTH]) if luma.shape[1] == WIDTH else read_stamp(luma)
                assert stamp is not None and frame.pts is not None and frame.time_base is not None
                number = (stamp[0] - SECOND) * FPS + stamp[1]
                found.append((round(frame.pts * frame.time_base * 1000), number))
    return found


def numbers(recording: Recording) -> list[int]:
    return [number for _, number in shown(recording)]


def spread_ms(found: Sequence[tuple[int, int]]) -> int:
    """How far the pictures' times are from the clocks that they show, the latest less the earliest."""
    off = [at - number * 1000 // FPS for at, number in found]
    return max(off) - min(off)
