"""A camera for the archive's tests: fragments of invented H.264 and AAC samples, canonical as the segmenter's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from flussdvr.formats.mp4.fmp4 import Run, write_fragment, write_init
from flussdvr.media import Codec, Sample, Track

UTC_MS = 1_795_194_000_000
"""2026-11-20T17:00:00Z."""
AVCC = bytes.fromhex("0142001effe1000467420 01e".replace(" ", "")) + bytes.fromhex("01000268ce")
VIDEO = Track(1, Codec.H264, 90_000, AVCC, width=320, height=240)
AUDIO = Track(2, Codec.AAC, 48_000, bytes.fromhex("1190"), channels=2, sample_rate=48_000)


@dataclass(frozen=True, slots=True)
class Taken:
    data: bytes
    head_size: int
    begin_ms: int
    end_ms: int
    sync: bool


class Camera:
    """One fragment a second; every `gop`-th begins with a sync sample."""

    def __init__(self, begin_ms: int = UTC_MS, gop: int = 2, size: int = 300, tracks: int = 2, seed: int = 1) -> None:
        self.tracks = (VIDEO, AUDIO)[:tracks]
        self.init = write_init(self.tracks)
        self.now_ms = begin_ms
        self.gop = gop
        self.size = size
        self.count = 0
        self._random = random.Random(seed)

    def take(self, sync: bool | None = None, duration_ms: int = 1000) -> Taken:
        sync = self.count % self.gop == 0 if sync is None else sync
        self.count += 1
        ticks = duration_ms * 90 // 5
        pictures = [Sample(0, self._bytes(self.size // 5), sync and not n) for n in range(5)]
        runs = [Run(VIDEO, self.now_ms * 90, [ticks] * 5, pictures)]
        if len(self.tracks) > 1:
            frames = [Sample(0, self._bytes(20)) for _ in range(3)]
            runs.append(Run(AUDIO, self.now_ms * 48, [1024] * 3, frames))
        head, payload = write_fragment(self.count, runs)
        begin_ms, self.now_ms = self.now_ms, self.now_ms + duration_ms
        return Taken(head + payload, len(head), begin_ms, self.now_ms, sync)

    def film(self, count: int) -> Iterator[Taken]:
        return (self.take() for _ in range(count))

    def _bytes(self, size: int) -> bytes:
        return self._random.randbytes(max(1, size))
