# -*- test-case-name: tests.ingest.udp.test_padding -*-
"""
Datagrams of transport packets with something behind them: some senders fill them up to a fixed size.

    47 ... 47 ... 47 ... | padding        every datagram begins with a packet: what is no packet behind is left out
    47 ... 47 ... 47 ..  | .. 47 ... 47   packets lie across datagrams: all of it is theirs

Where the rest begins like a packet only the next datagram tells: it goes on with the packet, or begins with one of its
own. Until then the rest (less than a packet) is held back. Padding is left out from the first datagram on.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from flussdvr.formats.mpegts.packet import PACKET, SYNC
from flussdvr.formats.mpegts.packet_size import LONG_SIZES

SURE = 2
"""So many packets in a row at the begin of a datagram are no chance."""
_SYNCS = bytes((SYNC,)) * (65_536 // PACKET + 1)


class Layout(Enum):
    """How the packets of a sender lie in its datagrams."""

    UNKNOWN = "unknown"
    PADDED = "padded"
    ACROSS = "across"


class DatagramPadding:
    """One sender's datagrams."""

    def __init__(self) -> None:
        self._layout = Layout.UNKNOWN
        self._phase = 0
        """Where the next datagram's first packet begins, if packets lie across datagrams."""
        self._held = b""
        """The rest of the last datagram, of which is not known yet what it is."""

    def cut(self, batch: memoryview, sizes: Sequence[int]) -> bytes:
        """The transport packets of the datagrams that lie end to end in `batch`, of lengths `sizes`."""
        if not self._held and not any(size % PACKET for size in sizes):
            syncs = bytes(batch[::PACKET])
            if syncs.count(SYNC) == len(syncs):
                return bytes(batch)
        pieces: list[memoryview | bytes] = []
        at = 0
        for size in sizes:
            self._datagram(batch[at : at + size], pieces)
            at += size
        return b"".join(pieces)

    def _datagram(self, datagram: memoryview, pieces: list[memoryview | bytes]) -> None:
        held, self._held = self._held, b""
        size = len(datagram)
        if self._layout is Layout.ACROSS:
            if _packets_at(datagram, self._phase):
                pieces.append(datagram)
                self._phase = (self._phase - size) % PACKET
                return
            self._layout = Layout.UNKNOWN  # a datagram is missing
        count = _count(datagram)
        if held:
            phase = PACKET - len(held)
            goes_on = held[0] == SYNC and _packets_at(datagram, phase)
            if goes_on and len(range(phase, size, PACKET)) >= count:
                pieces += (held, datagram)
                self._layout, self._phase = Layout.ACROSS, (phase - size) % PACKET
                return
            if count:
                self._layout = Layout.PADDED
            else:
                pieces.append(held)
        whole = count * PACKET
        if not count or whole == size:
            pieces.append(datagram)
            if not count:
                self._find_phase(datagram)
            return
        rest = datagram[whole:]
        pieces.append(datagram[:whole])
        if self._layout is Layout.PADDED or (count >= SURE and rest[0] != SYNC):
            self._layout = Layout.PADDED
        else:
            self._held = bytes(rest)

    def _find_phase(self, datagram: memoryview) -> None:
        """It does not begin with a packet: where in it the first one begins."""
        self._layout = Layout.UNKNOWN
        if len(datagram) < (SURE + 1) * PACKET:
            return
        for phase in range(1, PACKET):
            if datagram[phase] == SYNC and _packets_at(datagram, phase):
                self._layout, self._phase = Layout.ACROSS, (phase - len(datagram)) % PACKET
                return


def _packets_at(datagram: memoryview, phase: int, step: int = PACKET) -> bool:
    """Whether packets can begin at `phase` and each `step` bytes behind it."""
    syncs = bytes(datagram[phase::step])
    return syncs == _SYNCS[: len(syncs)]


def _count(datagram: memoryview) -> int:
    """
    How many packets a datagram begins with, if what is behind them can be padding; else 0.

    It cannot where more packets follow: then one of them is damaged; nor where packets are longer than 188 bytes.
    """
    for long in LONG_SIZES:
        if len(datagram) >= 2 * long and _packets_at(datagram, 0, long):
            return 0
    syncs = bytes(datagram[: len(datagram) // PACKET * PACKET : PACKET])
    count = len(syncs) - len(syncs.lstrip(_SYNCS[:1]))
    return 0 if SYNC in syncs[count:] else count
