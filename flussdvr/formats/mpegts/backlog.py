# -*- test-case-name: tests.formats.mpegts.test_backlog -*-
"""
Transport packets that have come before it was known which program is taken: they are read when it is.

    packets, packets, packets ... | chosen: those of its PIDs are read, and what follows

`KEPT_BYTES` at most, and `KEPT` of the media's time: the oldest goes first, and only while no program can be taken at
all, which is said (`TsDemuxer.complaint`). Pure.
"""

from __future__ import annotations

from collections import deque

from flussdvr.formats.mpegts.packet import TICKS

KEPT = 10 * TICKS
"""Longer than anything takes that is waited for before a program is chosen."""
KEPT_BYTES = 16 << 20
"""Three seconds of a whole multiplex at 38 Mbit/s."""
CHUNK = 1 << 16
"""Pieces can be single packets: they are put together up to this size."""


class Backlog:
    """Pieces of whole packets, in order."""

    def __init__(self) -> None:
        self.size = 0
        self._chunks: deque[tuple[bytearray, int]] = deque()

    def keep(self, packets: bytes, now: int) -> None:
        """Keep whole packets that have come at the media's time `now`, in ticks of 90 kHz."""
        if self._chunks and len(self._chunks[-1][0]) < CHUNK:
            self._chunks[-1][0].extend(packets)
        else:
            self._chunks.append((bytearray(packets), now))
        self.size += len(packets)
        while self._chunks and (self.size > KEPT_BYTES or now - self._chunks[0][1] > KEPT):
            self.size -= len(self._chunks.popleft()[0])

    def take(self) -> list[bytes]:
        """All pieces, the oldest first; none are left."""
        taken = [bytes(packets) for packets, _ in self._chunks]
        self._chunks.clear()
        self.size = 0
        return taken
