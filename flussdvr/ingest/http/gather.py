"""
Small pieces of a TCP stream made into pieces that are worth a demultiplexer's while.

A socket delivers what one packet brought, 1400 bytes or so; the demultiplexer works on arrays and costs nearly the
same for 10 transport packets as for 200.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

GATHER_S = 0.04
ENOUGH = 32_768


class Gather:
    """Hands on to `ready` what `add` got: when it is `ENOUGH`, or the oldest of it is 40 ms old."""

    def __init__(self, clock: IReactorTime, ready: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._ready = ready
        self._pieces: list[bytes] = []
        self._size = 0
        self._timer: IDelayedCall | None = None

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= ENOUGH:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(GATHER_S, self._due)

    def flush(self) -> None:
        """Hand on what there is, now."""
        self._cancel()
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces:
            self._ready(b"".join(pieces))

    def clear(self) -> None:
        """Forget what there is."""
        self._cancel()
        self._pieces, self._size = [], 0

    def _due(self) -> None:
        self._timer = None
        self.flush()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
