"""Transport streams for tests: made by FFmpeg's muxer, and packet by packet by hand."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache

import av
import numpy as np

from flussdvr.formats.mpegts.psi import ElementaryStream, ProgramAssociation, ProgramMap, build_pat, build_pmt
from flussdvr.media import DataLost, MediaEvent, Sample, SamplesReceived, Track, TracksChanged

PMT_PID, VIDEO_PID, AUDIO_PID = 0x1000, 0x100, 0x101
WRAP = 1 << 33


@lru_cache
def program(
    frames: int = 25,
    video: str = "libx264",
    audio: str = "aac",
    bframes: int = 0,
    offset_s: float = 0,
    width: int = 64,
    flags: str = "",
) -> bytes:
    """Video and audio of `frames` pictures at 25 per second, a key frame every 10, muxed by FFmpeg."""
    out = io.BytesIO()
    options = {"output_ts_offset": str(offset_s)} if offset_s else {}
    if flags:
        options["mpegts_flags"] = flags
    quiet = {"x264-params": "log-level=none:scenecut=0", "x265-params": "log-level=none:scenecut=0"}
    with av.open(out, "w", "mpegts", options=options) as file:
        picture = file.add_stream(video, rate=25, options={"preset": "ultrafast", "bf": str(bframes), **quiet})
        picture.width, picture.height, picture.pix_fmt, picture.gop_size = width, 64, "yuv420p", 10
        sound = file.add_stream(audio, rate=48000, layout="stereo")
        size = sound.codec_context.frame_size or 1024
        resampler = av.AudioResampler(sound.codec_context.format.name, "stereo", 48000)
        chance = np.random.default_rng(1)
        done = 0
        for number in range(frames):
            noise = chance.integers(0, 255, (64, width, 3), np.uint8)
            for packet in picture.encode(av.VideoFrame.from_ndarray(noise, "rgb24")):
                file.mux(packet)
            while done < (number + 1) * 1920:
                wave = (chance.random((2, size), np.float32) - 0.5) * 0.2
                frame = av.AudioFrame.from_ndarray(wave, "fltp", "stereo")
                frame.sample_rate, frame.pts = 48000, done
                done += size
                for part in resampler.resample(frame):
                    file.mux(sound.encode(part))
        file.mux(picture.encode(None))
        file.mux(sound.encode(None))
    return out.getvalue()


def av_packets(data: bytes) -> dict[int, list[av.Packet]]:
    """By PID."""
    found: dict[int, list[av.Packet]] = {}
    with av.open(io.BytesIO(data), format="mpegts") as file:
        for packet in file.demux():
            if packet.size:
                found.setdefault(packet.stream.id, []).append(packet)
    return found


def samples_of(events: Iterable[MediaEvent]) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for event in events:
        if isinstance(event, SamplesReceived):
            found.setdefault(event.track_id, []).extend(event.samples)
    return found


def tracks_of(events: Iterable[MediaEvent]) -> list[tuple[Track, ...]]:
    return [event.tracks for event in events if isinstance(event, TracksChanged)]


def losses_of(events: Iterable[MediaEvent]) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events:
        if isinstance(event, DataLost):
            found[event.reason] = found.get(event.reason, 0) + event.count
    return found


class Packets:
    """Writes packets one by one and counts their continuity."""

    def __init__(self) -> None:
        self.data = b""
        self.counters: dict[int, int] = {}

    def packet(self, pid: int, payload: bytes, start: bool = False, flags: int = 0, adaptation: bytes = b"") -> None:
        """`flags`: 0x80 for transport_error; `adaptation`: an adaptation field without its length."""
        counter = self.counters[pid] = (self.counters.get(pid, -1) + 1) & 15
        room = 184 - len(payload)
        field = b""
        if room or adaptation:
            body = adaptation or (b"\0" if room > 1 else b"")
            field = bytes((room - 1,)) + body + b"\xff" * (room - 1 - len(body))
        head = bytes((0x47, flags | 0x40 * start | pid >> 8, pid & 0xFF, 0x10 | 0x20 * bool(field) | counter))
        self.data += head + field + payload
        assert len(self.data) % 188 == 0

    def split(self, pid: int, data: bytes) -> None:
        for at in range(0, len(data), 184):
            self.packet(pid, data[at : at + 184], start=not at)

    def section(self, pid: int, section: bytes) -> None:
        data = b"\0" + section
        self.split(pid, data + b"\xff" * (-len(data) % 184))

    def tables(self, streams: Sequence[ElementaryStream], version: int = 0, pmt_pid: int = PMT_PID) -> None:
        self.section(0, build_pat(ProgramAssociation(((1, pmt_pid),), version=version)))
        self.section(pmt_pid, build_pmt(ProgramMap(1, VIDEO_PID, tuple(streams), version=version)))

    def pes(self, pid: int, payload: bytes, pts: int | None, dts: int | None = None, bounded: bool = True) -> None:
        stamps = b"" if pts is None else _stamp(3 if dts is not None else 2, pts)
        stamps += b"" if dts is None else _stamp(1, dts)
        flags = (0x80 if pts is not None else 0) | (0x40 if dts is not None else 0)
        body = bytes((0x80, flags, len(stamps))) + stamps + payload
        length = len(body) if bounded and len(body) < 65536 else 0
        video = 0xE0 if pid == VIDEO_PID else 0xC0
        self.split(pid, b"\0\0\1" + bytes((video,)) + length.to_bytes(2, "big") + body)


def _stamp(flags: int, time: int) -> bytes:
    time %= WRAP
    fields = (flags << 4 | time >> 29 & 14 | 1, time >> 22 & 255, time >> 14 & 254 | 1, time >> 7 & 255)
    return bytes((*fields, time << 1 & 254 | 1))
