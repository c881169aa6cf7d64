# -*- test-case-name: tests.playback.test_limits -*-
"""
What a viewer's request may cost.

The work of a playlist or a file is reading indexes, so it is counted in bytes of these: about 2 MB for an hour of one
camera, which take some 0.1 s. An MP4's head has 1.5 MB of an hour, and is never in memory as a whole. A window that
would be more work is refused before anything is read, with the limit in the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import HOUR_MS, Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.ports import StreamArchive

HEAD_BYTES = 144 << 20
"""Of indexes, for one computed head: three days, which are read before the first byte can be sent."""
WALK_BYTES = 400 << 20
"""Of indexes, where only their extents are used: a week."""
SEGMENTS = 600_000
"""In one playlist: a month of five seconds each."""
SMALL_BYTES = 4 << 20
"""Of indexes: work that waits for nobody."""
SMALL_SEGMENTS = 20_000
"""A day of a playlist."""


def index_bytes(archive: StreamArchive, window: Range, limit: int, what: str) -> int:
    """
    What of the indexes lies in the window, about. Reads nothing. `what` is what is made of it, for the error:
    DvrError TOO_LARGE where it is more than `limit`; it says how long a window may be.
    """

    def cost(blob: Blob, inside_ms: int) -> int:
        return blob.index_size * inside_ms // max(1, blob.end_ms - blob.begin_ms)

    return _total(archive, window, cost, limit, what)


def segment_count(archive: StreamArchive, window: Range) -> int:
    """How many segments a list of the window has, about; at least one for each blob. Else as `index_bytes`."""

    def cost(blob: Blob, inside_ms: int) -> int:
        return 1 + inside_ms // max(500, blob.segment_ms)

    return _total(archive, window, cost, SEGMENTS, "a playlist")


def _total(archive: StreamArchive, window: Range, cost: Callable[[Blob, int], int], limit: int, what: str) -> int:
    """Looks at no more blobs than it needs to say no."""
    total = fitting_ms = 0
    for blob in archive.blobs(window):
        inside_ms = blob.range.intersection(window).duration_ms
        total += cost(blob, inside_ms)
        if total > limit:
            hours, has = fitting_ms / HOUR_MS, archive.ranges(window).duration_ms / HOUR_MS
            title = f"{what} has at most {hours:.1f} hours of these recordings, this window has {has:.1f}"
            raise DvrError(Kind.TOO_LARGE, "window_too_long", title, {"parameter": "duration"})
        fitting_ms += inside_ms
    return total
