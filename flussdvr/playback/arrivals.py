# -*- test-case-name: tests.web.test_starting -*-
"""
Waiting for what a running stream brings next.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from flussdvr.live.window import LiveWindow
from flussdvr.playback.sources import Source

STARTING_MS = 8_000
"""A stream that was opened less than this ago may have its first segment soon."""


async def next_arrival(window: LiveWindow | None, clock: IReactorTime, timeout_s: float) -> None:
    """Wait for the next fragment or gap, at most `timeout_s`; that long for a stream that does not run."""
    arrived: Deferred[None] = Deferred()
    stop = window.subscribe(lambda _: None if arrived.called else arrived.callback(None)) if window else None
    arrived.addTimeout(timeout_s, clock, onTimeoutCancel=lambda result, timeout: None)
    try:
        await arrived
    finally:
        if stop is not None:
            stop()


def is_coming_up(source: Source, now_ms: int) -> bool:
    """Whether the stream is about to have a segment: one is growing, or the stream has just been opened."""
    live = source.live
    return live is not None and (live.window.growing is not None or 0 <= now_ms - live.opened_at_ms < STARTING_MS)
