"""
Transport packets that are longer than 188 bytes.

    188   packet
    192   timestamp 4 | packet          M2TS (Blu-ray, AVCHD), many cameras' files and Japanese receivers
    204   packet | parity 16            with Reed-Solomon parity (ETSI EN 300 429), from modulators and satellite cards

Whatever lies between two packets is left out: what follows is the stream of 188-byte packets that it carries.
"""

from __future__ import annotations

import numpy as np

from flussdvr.formats.mpegts.packet import PACKET, SYNC

LONG_SIZES = (192, 204)
SYNCS = 5
"""So many sync bytes at equal distances are no chance: one in 256**4 places of noise has them."""
SEARCH_AFTER = 96
"""It is worth searching when so many bytes have come: who feeds single ones must not make us search for each."""
LONGEST_SEARCH = (SYNCS - 1) * max(LONG_SIZES) + SEARCH_AFTER
"""Bytes at the end of what was searched in vain, in which the first of the sync bytes may be."""


def find_long_packets(data: bytes, begin: int = 0) -> tuple[int, int] | None:
    """(where packets begin at or behind `begin`, their size) if they are longer than 188 bytes; `None` if not found."""
    is_sync = np.frombuffer(data, np.uint8, len(data) - begin, begin) == SYNC
    found: tuple[int, int] | None = None
    for size in LONG_SIZES:
        stop = len(is_sync) - (SYNCS - 1) * size
        if stop <= 0:
            continue
        begins = is_sync[:stop].copy()
        for number in range(1, SYNCS):
            begins &= is_sync[number * size : number * size + stop]
        place = int(begins.argmax())
        if begins[place] and (found is None or begin + place < found[0]):
            found = begin + place, size
    return found


class LongPackets:
    """Cuts packets of `size` bytes down to 188. Begins at a sync byte."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rest = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """(whole packets of 188 bytes, the data from where the sync byte is not at its place, else `None`)."""
        data = self._rest + data
        count = len(data) // self.size
        rows = np.frombuffer(data, np.uint8, count * self.size).reshape(count, self.size)
        wrong = (rows[:, 0] != SYNC).nonzero()[0]
        whole = int(wrong[0]) if len(wrong) else count
        rest = data[whole * self.size :]
        packets = rows[:whole, :PACKET].tobytes()
        if len(wrong):
            self._rest = b""
            return packets, rest
        self._rest = rest
        return packets, None

    def flush(self) -> bytes:
        """The last packet, though what lies between it and the next has not come."""
        rest, self._rest = self._rest, b""
        return rest[:PACKET] if len(rest) >= PACKET else b""
