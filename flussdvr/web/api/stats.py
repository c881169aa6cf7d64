"""
What a stream does, in the words of the clients that watch it (docs/compatibility.md, Statistics).

Times are UTC milliseconds, but `dvr_info` and `lifetime`: seconds. Rates are kbit/s, `input_error_rate` packets/s.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any, Protocol

from flussdvr.archive.ports import StreamArchive
from flussdvr.archive.recorder import Recorder
from flussdvr.control.streams import Running
from flussdvr.ingest.publish.input import PublishInput
from flussdvr.ingest.source import Input
from flussdvr.live.window import LiveWindow
from flussdvr.playback.selection import track_names
from flussdvr.playback.status import describe, seconds

Document = dict[str, Any]


class Clients(Protocol):
    """Who watches."""

    def online(self, name: str) -> int: ...
    def bytes_out(self, name: str) -> int: ...
    def dropped_fragments(self, name: str) -> int: ...
    def bytes_per_s(self) -> float: ...


class Nobody:
    def online(self, name: str) -> int:
        return 0

    def bytes_out(self, name: str) -> int:
        return 0

    def dropped_fragments(self, name: str) -> int:
        return 0

    def bytes_per_s(self) -> float:
        return 0


def stream_stats(
    name: str,
    running: Running | None,
    archive: StreamArchive | None,
    clients: Clients,
    now_ms: int,
    ranges: bool,
) -> Document:
    """`ranges`: also list every recorded range, which in lists of streams would be the most of it."""
    stats: Document = {
        "id": name,
        "alive": False,
        "running": running is not None,
        "status": "waiting",
        "online_clients": clients.online(name),
        "client_count": clients.online(name),
        "bytes_in": 0,
        "bytes_out": clients.bytes_out(name),
        "dropped_fragments": clients.dropped_fragments(name),
        "bitrate": 0,
        "input_bitrate": 0,
        "input_error_rate": 0,
        "retry_count": 0,
        "dvr_enabled": running is not None and running.recorder is not None,
    }
    if running is not None:
        stats |= _running(running, now_ms)
    if archive is not None and (info := dvr_info(archive, ranges)) is not None:
        stats["dvr_info"] = info
    return stats


def _running(running: Running, now_ms: int) -> Document:
    stream, branches = running.stream, running.inputs.branches
    rate = bitrate(stream.window)
    alive = stream.alive
    error = failure(branch.input for branch in branches)
    stats: Document = {
        "alive": alive,
        "status": "running" if alive else "error" if error else "waiting",
        "bytes_in": stream.bytes_in,
        "bitrate": rate if alive else 0,
        "input_bitrate": rate if alive else 0,
        "input_error_rate": ceil(stream.losses.per_s()),
        "retry_count": sum(branch.input.counters.failed for branch in branches),
        "opened_at": stream.opened_at_ms,
        "lifetime": max(0, now_ms - stream.opened_at_ms) // 1000,
    }
    if error and not alive:
        stats["error"] = error
    if (last := last_error(running)) is not None:
        stats["last_error"] = last
    if stream.last_fragment_ms is not None:
        growing = stream.window.growing or (stream.window.segments[-1] if stream.window.segments else None)
        stats |= {"last_dts_at": stream.last_fragment_ms, "ts_delay": max(0, now_ms - stream.last_fragment_ms)}
        stats |= {"last_dts": growing.end_ms} if growing is not None else {}
        names = track_names(stream.tracks)
        tracks = [describe(track, names[track.id]) for track in stream.tracks]
        stats["media_info"] = {"tracks": tracks, "title": running.settings.title, "provider": running.settings.provider}
    if isinstance(running.recorder, Recorder):
        stats["dvr_write"] = dvr_write(running.recorder)
    return stats


def failure(inputs: Iterable[Input]) -> str | None:
    """Why the first of the inputs that has failed did so; that nobody publishes is no failure."""
    return next((one.reason for one in inputs if one.reason and not isinstance(one, PublishInput)), None)


def last_error(running: Running) -> str | None:
    """What of the source is not recorded, and why; if all is, why a source was lost the last time."""
    left_out = "; ".join(str(one) for one in running.stream.left_out if one.serious)
    inputs = [branch.input for branch in running.inputs.branches]
    return left_out or next((one.last_error for one in inputs if one.last_error), None)


def dvr_write(recorder: Recorder) -> Document:
    """What the recorder has done; `segments` are fragments here, as everything is written by them."""
    document: Document = {
        "segments_written": recorder.fragments_written,
        "segments_failed": recorder.fragments_dropped,
        "bytes_written": recorder.bytes_written,
    }
    if recorder.error is not None:
        document["error"] = recorder.error.code
    return document


def dvr_info(archive: StreamArchive, ranges: bool) -> Document | None:
    """`None` where nothing is recorded."""
    recorded = archive.ranges()
    bounds = recorded.bounds
    if bounds is None:
        return None
    begin, end = bounds.begin_ms // 1000, -(-bounds.end_ms // 1000)
    info: Document = {"from": begin, "depth": end - begin, "duration": recorded.duration_ms // 1000}
    info |= {"bytes": archive.size, "disk_size": archive.size}
    if ranges:
        info |= {"ranges": seconds(recorded), "locks": seconds(archive.locks)}
    return info


def bitrate(window: LiveWindow) -> int:
    """The rate of the segments in RAM, in kbit/s."""
    segments = [*window.segments, *([window.growing] if window.growing is not None else [])]
    duration_ms = sum(segment.end_ms - segment.begin_ms for segment in segments)
    return sum(segment.size for segment in segments) * 8 // duration_ms if duration_ms else 0
