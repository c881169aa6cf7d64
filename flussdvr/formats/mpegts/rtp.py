"""
MPEG-TS out of RTP: headers off, order restored, what is missing counted.

    0                   1                   2                   3
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |  timestamp, SSRC, CSRC * CC, [extension], TS

Datagrams come in batches (see `ingest.udp.socket`), so sorting a batch by sequence number undoes nearly all reordering.
Only a hole close to a batch's end waits for the next batch: its packet may be the next to come.

RFC 3550 §5.1, RFC 2250 §2. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

HEADER = 12
JUMP = 512
"""A sequence number further off than this is another sender's, not a loss (RFC 3550 A.1 would wait two packets)."""
HELD_MAX = 16
"""So many packets behind a hole are kept back for the next batch, at most."""


def is_rtp(datagram: memoryview) -> bool:
    """Whether it is RTP with MPEG-TS inside; a transport packet itself begins with 0x47, of version 1."""
    start, stop = payload_span(datagram)
    return start < stop and datagram[start] == 0x47


def payload_span(packet: memoryview) -> tuple[int, int]:
    """Where an RTP packet's payload begins and ends; an empty span for what is no RTP packet."""
    if len(packet) < HEADER or packet[0] >> 6 != 2:
        return 0, 0
    start, stop = HEADER + 4 * (packet[0] & 0x0F), len(packet)
    if packet[0] & 0x10:
        if start + 4 > stop:
            return 0, 0
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    if packet[0] & 0x20:
        stop -= packet[-1]
    return (start, stop) if start < stop else (0, 0)


class RtpTs:
    """One sender's packets, put in order. `lost`, `late` and `bad` only grow."""

    def __init__(self) -> None:
        self.lost = 0
        self.late = 0
        self.bad = 0
        self._expected: int | None = None
        self._held: list[tuple[int, bytes]] = []
        self._hole_end: int | None = None

    def receive(self, batch: memoryview, sizes: Sequence[int]) -> list[bytes]:
        """What the datagrams carry that lie end to end in `batch`, of lengths `sizes`; in order."""
        packets = self._held
        at = 0
        for size in sizes:
            packet = batch[at : at + size]
            at += size
            start, stop = payload_span(packet)
            if start == stop:
                self.bad += 1
                continue
            packets.append((self._distance(packet[2] << 8 | packet[3]), bytes(packet[start:stop])))
        packets.sort(key=lambda item: item[0])
        return self._in_order(packets)

    def _distance(self, sequence: int) -> int:
        """An endless number for a 16-bit one: the one that is nearest to what is expected."""
        if self._expected is None:
            self._expected = sequence
        return self._expected + ((sequence - self._expected + 0x8000) & 0xFFFF) - 0x8000

    def _in_order(self, packets: list[tuple[int, bytes]]) -> list[bytes]:
        assert self._expected is not None or not packets
        expected = self._expected or 0
        ready: list[bytes] = []
        self._held = []
        for index, (number, payload) in enumerate(packets):
            if abs(number - expected) > JUMP:
                expected = number
            elif number < expected:
                self.late += 1
                continue
            elif number > expected:
                if number != self._hole_end and len(packets) - index <= HELD_MAX:
                    self._hole_end, self._held = number, packets[index:]
                    break
                self.lost += number - expected
            ready.append(payload)
            expected = number + 1
        self._expected = expected if packets else self._expected
        return ready
