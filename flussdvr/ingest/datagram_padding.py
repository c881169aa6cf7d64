# -*- test-case-name: tests.ingest.test_datagram_padding -*-
"""
Datagrams of transport packets with something behind them: some senders fill them up to a fixed size.

    47 ... 47 ... 47 ... | padding        every datagram begins with a packet: what is no whole packet is left out
    ...47 ... 47 ... 47 ..                packets lie across datagrams: all of it is theirs
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.formats.mpegts_packet import PACKET, SYNC

SURE = 8
"""So many odd datagrams in a row that begin with a packet are no chance: packets across datagrams seldom do."""


class DatagramPadding:
    """One sender's datagrams."""

    def __init__(self) -> None:
        self._seen = 0

    def cut(self, heap: memoryview, sizes: Sequence[int]) -> bytes:
        """The transport packets of the datagrams that lie end to end in `heap`, of lengths `sizes`."""
        if not any(size % PACKET for size in sizes):
            return bytes(heap)
        pieces: list[memoryview] = []
        at = 0
        for size in sizes:
            rest = size % PACKET
            if rest:
                whole = size > PACKET and heap[at] == SYNC and heap[at + PACKET * (size // PACKET - 1)] == SYNC
                self._seen = self._seen + 1 if whole else 0
            pieces.append(heap[at : at + size - (rest if self._seen >= SURE else 0)])
            at += size
        return b"".join(pieces)
