# -*- test-case-name: tests.archive.test_forecast -*-
"""
How long a disk will do: its space, what is recorded on it, and how fast that grows.

    full_s     until nothing is free at the rate of the last hour, if nothing expired
    depth_s    how far back the disk can reach at that rate: free space and recordings
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from flussdvr.archive.disk.root import Root
from flussdvr.archive.retention import DiskUsage, disk_usage
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.timeline import HOUR_MS, Range

ANSWER_TIMEOUT_S = 2.0
"""A disk that does not tell its space within this has no figures this time."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Sizes in bytes; `rate` in bytes per second, as measured over `measured_s`; 0 if nothing was recorded."""

    usage: DiskUsage
    recorded: int
    rate: float
    measured_s: float

    @property
    def full_s(self) -> float | None:
        return self.usage.free / self.rate if self.rate else None

    @property
    def depth_s(self) -> float | None:
        return (self.usage.free + self.recorded) / self.rate if self.rate else None


async def forecast(
    root: Root, archives: Iterable[LocalStreamArchive], now_ms: int, reactor: IReactorTime
) -> Forecast | None:
    """Of a root and the archives on it; `None` for a disk that is not mounted, hangs or is too busy to answer."""
    try:
        asked = root.reader.do(disk_usage, root.path)
        usage = await asked.addTimeout(ANSWER_TIMEOUT_S, reactor)
    except Exception:
        return None
    recorded, rate, measured_s = recorded_on(root.path, archives, now_ms)
    return Forecast(usage, recorded, rate, measured_s)


def recorded_on(path: str, archives: Iterable[LocalStreamArchive], now_ms: int) -> tuple[int, float, float]:
    """Bytes on a root, bytes per second of the last hour, and over how many seconds that is."""
    size, recent, begin = 0, 0.0, now_ms
    hour = Range(now_ms - HOUR_MS, now_ms)
    for archive in archives:
        if archive.roots == {path}:
            size += archive.size
        else:
            size += sum(blob.disk_size for blob in archive.blobs() if blob.root == path)
        share, first = _within(archive, path, hour)
        recent += share
        begin = min(begin, first)
    measured_s = (now_ms - begin) / 1000
    return size, recent / max(1.0, measured_s) if recent else 0.0, measured_s


def _within(archive: LocalStreamArchive, path: str, window: Range) -> tuple[float, int]:
    """About how many bytes of a stream lie in a window, and where they begin."""
    size, begin = 0.0, window.end_ms
    for blob in archive.blobs(window):
        part = blob.range.intersection(window)
        if part and blob.root == path:
            size += blob.size * part.duration_ms / blob.range.duration_ms
            begin = min(begin, part.begin_ms)
    return size, begin
