# -*- test-case-name: tests.playback.pictures.test_image_playlist -*-
"""
Pictures along an HLS window: a playlist of images beside those of the video, for players that show them while seeking.

    index-F-D.m3u8?thumbnails=N      #EXT-X-IMAGE-STREAM-INF:...,URI="images-320x180/tpl-F-D-N.m3u8"
    images-320x180/tpl-F-D-N.m3u8    N images of equal parts of what is recorded: gaps are skipped as in the video
    images-320x180/seg-F-O.hls.jpg   the picture of F + O seconds

After Roku's "HLS image media playlist" specification 0.4, with one picture per image (LAYOUT=1x1).
"""

from __future__ import annotations

from collections.abc import Iterator

from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import RangeSet

MAX_IMAGES = 1000
IMAGE_BYTES = 10_000
"""The size of a JPEG of 320 x 180, from which the bandwidth is estimated."""


def image_count(text: str) -> int:
    """N of `thumbnails=N`. Raises `DvrError` BAD_REQUEST."""
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_IMAGES):
        title = f"thumbnails is a number from 1 to {MAX_IMAGES}"
        raise DvrError(Kind.BAD_REQUEST, "bad_request", title, {"parameter": "thumbnails"})
    return int(text)


def image_stream(uri: str, width: int, height: int, duration_ms: int, count: int) -> bytes:
    """The line of the multivariant playlist."""
    size = IMAGE_BYTES * width * height // (320 * 180)
    bandwidth = max(1, size * 8 * count * 1000 // max(duration_ms, 1))
    fields = f'BANDWIDTH={bandwidth},RESOLUTION={width}x{height},CODECS="jpeg",URI="{uri}"'
    return f"#EXT-X-IMAGE-STREAM-INF:{fields}\n".encode()


def image_playlist(ranges: RangeSet, from_ms: int, count: int, width: int, height: int, query: str) -> bytes:
    """The playlist of `count` images over `ranges`, what is recorded of the window from `from_ms` on."""
    duration = ranges.duration_ms / 1000 / count
    lines = [
        "#EXTM3U",
        f"#EXT-X-TARGETDURATION:{max(1, -int(-duration // 1))}",
        "#EXT-X-VERSION:7",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    begin = _spell(from_ms)
    query = f"?{query}" if query else ""
    for at_ms in moments(ranges, count):
        lines.append(f"#EXTINF:{duration:.3f},")
        lines.append(f"#EXT-X-TILES:RESOLUTION={width}x{height},LAYOUT=1x1,DURATION={duration:.3f}")
        lines.append(f"seg-{begin}-{_spell(at_ms - from_ms)}.hls.jpg{query}")
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def moments(ranges: RangeSet, count: int) -> Iterator[int]:
    """When each of `count` equal parts of what is recorded begins, UTC ms."""
    total, number, passed = ranges.duration_ms, 0, 0
    for item in ranges:
        while number < count and total * number // count < passed + item.duration_ms:
            yield item.begin_ms + total * number // count - passed
            number += 1
        passed += item.duration_ms


def _spell(ms: int) -> str:
    return f"{ms // 1000}" if ms % 1000 == 0 else f"{ms // 1000}.{ms % 1000:03d}"
