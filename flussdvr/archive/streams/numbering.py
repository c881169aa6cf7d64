"""
Where the numbers of discontinuities begin (`EXT-X-DISCONTINUITY-SEQUENCE`, RFC 8216 section 4.3.3.3).

A stream's discontinuities are counted on in its blobs. A stream that has none (nothing is recorded, or all of it was
deleted) begins with a number that depends on the time, so that it hardly ever falls behind what players have seen.
The numbers stay small: hls.js keeps an array that is as long as the number.
"""

from __future__ import annotations

EPOCH_MS = 1_767_225_600_000  # 2026-01-01
STEP_MS = 300_000
"""A stream with more discontinuities than one in so long may begin again with a lower number."""


def first_discontinuity(utc_ms: int) -> int:
    """The number of discontinuities that a stream is said to have had when it begins; at least 1."""
    return max(1, (utc_ms - EPOCH_MS) // STEP_MS)
