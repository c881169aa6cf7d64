"""
What is recorded and what a stream consists of, in the JSON that clients read.

    recording_status.json   [{"stream": name, "ranges": [{"from", "duration"}], "locks": [...], "brief_thumbnails": []}]
    media_info.json         {"name", "title", "provider", "stats": {"status", "media_info": {"tracks": []}, "dvr_info"}}

Seconds, as the clients of both expect; flussonic-compat §3.6, §2.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from flussdvr.media import Track
from flussdvr.playback.selection import track_names
from flussdvr.playback.sources import Source
from flussdvr.timeline import Range

ALIVE_MS = 12_000


def recording_status(
    source: Source, window: Range, requested: frozenset[str], thumbnails: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """The array that `recording_status.json` is, for `write_status`; what is not `requested` is left out."""
    status: dict[str, Any] = {"stream": source.name}
    if "ranges" in requested:
        status["ranges"] = source.archive.ranges(window) if source.archive is not None else []
    if "locks" in requested:
        status["locks"] = source.archive.locks.within(window) if source.archive is not None else []
    if "brief_thumbnails" in requested:
        status["brief_thumbnails"] = list(thumbnails)
    return [status]


def write_status(value: Any) -> bytes:
    """As JSON. In any thread: 10 000 ranges take 10 ms."""
    return json.dumps(value, default=seconds).encode() + b"\n"


def seconds(ranges: Iterable[Range]) -> list[dict[str, int]]:
    """
    Ranges in whole seconds, rounded outwards: a client that asks for such a range gets all of it.

    They never overlap: where a gap lies inside one second, the range before it ends with that second's beginning.
    """
    result: list[dict[str, int]] = []
    for item in ranges:
        begin, end = item.begin_ms // 1000, -(-item.end_ms // 1000)
        if result and begin < result[-1]["from"] + result[-1]["duration"]:
            if begin > result[-1]["from"]:
                result[-1]["duration"] = begin - result[-1]["from"]
            else:
                result.pop()
        result.append({"from": begin, "duration": end - begin})
    return result


def media_info(source: Source, tracks: tuple[Track, ...], title: str | None, provider: str | None, now_ms: int) -> Any:
    """The public description of a stream, for `write_status`; `tracks` are its newest."""
    window = source.window
    newest = window.segments[-1].end_ms if window is not None and window.segments else None
    alive = newest is not None and now_ms - newest < ALIVE_MS + (window.segment_ms if window else 0)
    stats: dict[str, Any] = {
        "alive": alive,
        "status": "running" if alive else "waiting",
        "media_info": {"tracks": [describe(track, name) for track, name in _named(tracks)]},
    }
    if newest is not None:
        stats["last_dts_at"] = newest
    if source.archive is not None:
        ranges = source.archive.ranges()
        bounds = ranges.bounds
        if bounds is not None:
            begin = bounds.begin_ms // 1000
            stats["dvr_info"] = {
                "from": begin,
                "depth": -(-bounds.end_ms // 1000) - begin,
                "duration": ranges.duration_ms // 1000,
                "ranges": ranges,
            }
    return {"name": source.name, "title": title, "provider": provider, "stats": stats}


async def newest_tracks(source: Source) -> tuple[Track, ...]:
    """The tracks of the running stream, or of its last recording."""
    if source.window is not None and source.window.tracks:
        return source.window.tracks
    blobs = source.archive.blobs() if source.archive is not None else []
    return (await source.archive.table(blobs[-1])).tracks if blobs and source.archive is not None else ()


def describe(track: Track, name: str) -> dict[str, Any]:
    """One track as `media_info` shows it."""
    info: dict[str, Any] = {
        "track_id": name,
        "content": "video" if track.is_video else "audio",
        "codec": {"h265": "hevc", "mp3": "mp3"}.get(str(track.codec), str(track.codec)),
        "language": track.language,
    }
    if track.is_video:
        info |= {"width": track.width, "height": track.height, "pixel_width": track.width, "pixel_height": track.height}
        if track.frame_rate:
            info["fps"] = float(round(track.frame_rate, 3))
    else:
        info |= {"channels": track.channels, "sample_rate": track.sample_rate}
    return info


def _named(tracks: tuple[Track, ...]) -> list[tuple[Track, str]]:
    names = track_names(tracks)
    return [(track, names[track.id]) for track in tracks]
