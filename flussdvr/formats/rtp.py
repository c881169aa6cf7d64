"""
RTP: packets, their order, and MPEG-TS in them.

    V=2 P X CC:4 | M PT:7 | sequence number:16 | timestamp:32 | SSRC:32 | CSRC * CC | [extension] | payload [padding]

RFC 3550 §5.1 and Appendix A.1, RFC 2250 §2. Pure: no clock, so a missing packet is waited for until `depth` later
ones have come, not for a time.
"""

from __future__ import annotations

from typing import NamedTuple

from flussdvr.errors import FormatError

HEADER = 12
MPEGTS_PAYLOAD_TYPE = 33
DEPTH = 32
JUMP = 1024
"""A sequence number further off than this is a sender that started again, not a loss."""


class RtpPacket(NamedTuple):
    """`sequence` of 16 and `timestamp` of 32 bits, as they are."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(datagram: bytes) -> RtpPacket:
    """Parse one packet. Raises `FormatError` for what is no RTP of version 2."""
    size = len(datagram)
    if size < HEADER or datagram[0] >> 6 != 2:
        raise FormatError("no RTP packet of version 2")
    first, second = datagram[0], datagram[1]
    start = HEADER + 4 * (first & 15)
    if first & 0x10:
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    stop = size - datagram[-1] if first & 0x20 else size
    if start > stop or (first & 0x20 and not datagram[-1]):
        raise FormatError(f"RTP packet is truncated: payload from {start} to {stop}")
    return RtpPacket(
        bool(second & 0x80),
        second & 0x7F,
        datagram[2] << 8 | datagram[3],
        int.from_bytes(datagram[4:8], "big"),
        int.from_bytes(datagram[8:12], "big"),
        datagram[start:stop],
    )


class RtpOrder:
    """
    One sender's packets in the order of their sequence numbers.

    Counters: `lost` were waited for in vain, `late` came when they were no longer waited for or twice, `restarts`.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self.lost = 0
        self.late = 0
        self.restarts = 0
        self._depth = depth
        self._next = -1
        self._ssrc = -1
        self._waiting: dict[int, RtpPacket] = {}

    def feed(self, packet: RtpPacket) -> list[RtpPacket]:
        """The packets whose turn it is now."""
        if packet.ssrc != self._ssrc:
            if self._ssrc >= 0:
                self.restarts += 1
            return [*self._restart(packet), packet]
        if packet.sequence == self._next:
            self._next = (packet.sequence + 1) & 0xFFFF
            return [packet, *self._following()] if self._waiting else [packet]
        ahead = (packet.sequence - self._next) & 0xFFFF
        if JUMP <= ahead <= 0x10000 - JUMP:
            self.restarts += 1
            return [*self._restart(packet), packet]
        if ahead > JUMP or packet.sequence in self._waiting:
            self.late += 1
            return []
        self._waiting[packet.sequence] = packet
        return self._skip() if len(self._waiting) > self._depth else []

    def flush(self) -> list[RtpPacket]:
        """Those still waiting, whatever is missing between them."""
        ready = []
        while self._waiting:
            ready += self._skip()
        return ready

    def _restart(self, packet: RtpPacket) -> list[RtpPacket]:
        ready = self.flush()
        self._ssrc = packet.ssrc
        self._next = (packet.sequence + 1) & 0xFFFF
        return ready

    def _skip(self) -> list[RtpPacket]:
        """Give up what is missing in front of the first that waits."""
        missing = min((sequence - self._next) & 0xFFFF for sequence in self._waiting)
        self.lost += missing
        self._next = (self._next + missing) & 0xFFFF
        return self._following()

    def _following(self) -> list[RtpPacket]:
        ready = []
        while (packet := self._waiting.pop(self._next, None)) is not None:
            ready.append(packet)
            self._next = (self._next + 1) & 0xFFFF
        return ready


class RtpTsReader:
    """
    Transport packets out of RTP datagrams, in order. `bad` counts datagrams that are no RTP with MPEG-TS; for the
    others see `order`.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self.order = RtpOrder(depth)
        self.bad = 0

    def feed(self, datagram: bytes) -> bytes:
        """What can be read on now. Never raises."""
        try:
            packet = parse_rtp(datagram)
        except FormatError:
            self.bad += 1
            return b""
        if not packet.payload.startswith(b"\x47"):
            self.bad += 1
            return b""
        ready = self.order.feed(packet)
        return ready[0].payload if len(ready) == 1 else b"".join([one.payload for one in ready])

    def flush(self) -> bytes:
        """What was still waiting."""
        return b"".join([packet.payload for packet in self.order.flush()])
