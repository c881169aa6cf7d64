"""
The rules of MPEG transport streams that everything we send keeps, checked on the packets themselves.

    faults(parts)    what is wrong with the parts, joined in this order; nothing where all is right

It knows nothing of our muxer and does not use our demuxer. ISO/IEC 13818-1 §2.4.3 (packets, continuity, adaptation
fields, PES), §2.4.4 (sections), §2.7 (intervals); ETSI TR 101 290 §5.2.1 (PSI within 0.5 s).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache

PACKET = 188
NULL_PID = 0x1FFF
WRAP = 1 << 33
TICKS = 90_000
PCR_MAX = TICKS // 10
PSI_MAX = TICKS // 2
LEAD_MAX = 2 * TICKS
"""By how much a DTS may be after the PCR: more, no decoder would buffer."""
REORDER_MAX = 2 * TICKS
"""By how much a PTS may be after its DTS."""


@dataclass
class _Stream:
    counter: int | None = None
    dts: int | None = None
    pes: bytearray | None = None
    dated: bool = False


@dataclass
class TsRules:
    """`feed` packets; `found` says what is wrong with them, `programs` which (PMT sections) there were."""

    found: list[str] = field(default_factory=list)
    programs: list[bytes] = field(default_factory=list)
    pcrs: list[int] = field(default_factory=list)
    dts: dict[int, list[int]] = field(default_factory=dict)
    pts: dict[int, list[int]] = field(default_factory=dict)
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _pmt_pid: int | None = None
    _pcr_pid: int | None = None
    _types: dict[int, int] = field(default_factory=dict)
    _pmt: bytes = b""
    _pcr: int | None = None
    _clock: int | None = None
    _sections: dict[int, int] = field(default_factory=dict)

    def feed(self, data: bytes, said: bool = False) -> None:
        """More packets; `said`: something outside the stream (a playlist) says that they do not continue the others."""
        if said:
            self.flush()
            self._streams.clear()
            self._sections.clear()
            self._pcr = self._clock = None
            self._pmt_pid = self._pcr_pid = None
            self._pmt = b""
        if len(data) % PACKET:
            self._fault(f"{len(data)} bytes are no whole packets")
        for at in range(0, len(data) - PACKET + 1, PACKET):
            self._packet(data[at : at + PACKET])

    def flush(self) -> None:
        """Nothing follows: PES packets that stand open are whole."""
        for pid, stream in self._streams.items():
            self._end_pes(pid, stream)

    def _fault(self, text: str) -> None:
        if len(self.found) < 50:
            self.found.append(text)

    # -- packets ------------------------------------------------------------------------------------------------------

    def _packet(self, packet: bytes) -> None:
        if packet[0] != 0x47:
            return self._fault("no sync byte")
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        control, counter, starts = packet[3] >> 4 & 3, packet[3] & 15, bool(packet[1] & 0x40)
        if packet[1] & 0x80 or packet[3] & 0xC0:
            self._fault(f"pid {pid:#x}: error indicator or scrambled")
        if pid == NULL_PID:
            return None
        if control == 0:
            return self._fault(f"pid {pid:#x}: neither payload nor adaptation field")
        at, jump = 4, False
        if control & 2:
            at, jump = self._adaptation(packet, pid, bool(control & 1))
        payload = packet[at:] if control & 1 else b""
        if control & 1 and not payload:
            self._fault(f"pid {pid:#x}: payload of no bytes")
        stream = self._streams.setdefault(pid, _Stream())
        if control & 1:
            if stream.counter is not None and not jump and counter != (stream.counter + 1) % 16:
                self._fault(f"pid {pid:#x}: counter {counter} after {stream.counter}")
            stream.counter = counter
            if pid in (0, self._pmt_pid):
                self._section(pid, payload, starts)
            elif pid in self._types:
                self._pes(pid, stream, payload, starts)
            else:
                self._fault(f"pid {pid:#x} is in no table before it comes")
        elif stream.counter is not None and counter != stream.counter:
            self._fault(f"pid {pid:#x}: counter {counter} without payload after {stream.counter}")
        return None

    def _adaptation(self, packet: bytes, pid: int, has_payload: bool) -> tuple[int, bool]:
        """Where the payload begins, and whether the field says that there is a discontinuity."""
        length = packet[4]
        if length > 183 or (has_payload and length > 182) or (not has_payload and length != 183):
            self._fault(f"pid {pid:#x}: adaptation field of {length} bytes")
        if not length:
            return 5, False
        flags, at = packet[5], 6
        jump = bool(flags & 0x80)
        if flags & 0x10:
            base = int.from_bytes(packet[6:11], "big") >> 7
            if (packet[10] & 1) << 8 | packet[11] > 299:
                self._fault("PCR extension above 299")
            if packet[10] & 0x7E != 0x7E:
                self._fault("reserved bits of a PCR are not set")
            self._clock_reference(pid, base, jump)
            at += 6
        at += 6 * bool(flags & 0x08) + bool(flags & 0x04)
        if at > 5 + length:
            self._fault(f"pid {pid:#x}: adaptation field is shorter than what it has")
        elif not flags & 0x03 and set(packet[at : 5 + length]) - {0xFF}:
            self._fault(f"pid {pid:#x}: stuffing is not 0xff")
        return 5 + length, jump

    def _clock_reference(self, pid: int, base: int, jump: bool) -> None:
        if self._pcr_pid is None:
            return self._fault(f"PCR on pid {pid:#x} before any PMT")
        if pid != self._pcr_pid:
            return self._fault(f"PCR on pid {pid:#x}, the PMT says {self._pcr_pid:#x}")
        if self._pcr is not None and not jump:
            step = _near(base - self._pcr)
            if step < 0:
                self._fault(f"PCR steps back by {-step / 90:.1f} ms")
            elif step > PCR_MAX:
                self._fault(f"PCRs are {step / 90:.1f} ms apart")
            self._clock = (self._clock or 0) + max(step, 0)
        elif self._clock is None:
            self._clock = 0
        for table, at in self._sections.items():
            if self._clock - at > PSI_MAX + PCR_MAX:
                self._fault(f"pid {table:#x}: no table for {(self._clock - at) / 90:.0f} ms")
                self._sections[table] = self._clock
        self._pcr = base
        self.pcrs.append(base)
        return None

    # -- tables -------------------------------------------------------------------------------------------------------

    def _section(self, pid: int, payload: bytes, starts: bool) -> None:
        if not starts:
            return
        name = "PAT" if pid == 0 else "PMT"
        section = payload[1 + payload[0] :]
        length = 3 + ((section[1] & 0x0F) << 8 | section[2])
        section = section[:length]
        if len(section) < length or _crc(section):
            return self._fault(f"{name} is damaged or larger than a packet")
        self._sections[pid] = self._clock or 0
        if pid == 0:
            self._pmt_pid = (section[10] & 0x1F) << 8 | section[11]
        else:
            self._program(section)

    def _program(self, section: bytes) -> None:
        before, self._pmt = self._pmt, section
        if section == before:
            return
        self.programs.append(section)
        old, new = before[5] >> 1 & 31 if before else None, section[5] >> 1 & 31
        if old is not None and (_content(before) != _content(section)) != (old != new):
            changed = "does" if old == new else "does not"
            self._fault(f"PMT changes from version {old} to {new}, its content {changed}")
        self._pcr_pid = (section[8] & 0x1F) << 8 | section[9]
        at = 12 + ((section[10] & 0x0F) << 8 | section[11])
        self._types.clear()
        while at < len(section) - 4:
            self._types[(section[at + 1] & 0x1F) << 8 | section[at + 2]] = section[at]
            at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
        if self._pcr_pid not in (*self._types, NULL_PID):
            self._fault(f"the PCR's pid {self._pcr_pid:#x} is none of the program's")

    # -- PES ----------------------------------------------------------------------------------------------------------

    def _pes(self, pid: int, stream: _Stream, payload: bytes, starts: bool) -> None:
        if starts:
            self._end_pes(pid, stream)
            stream.pes, stream.dated = bytearray(payload), False
        elif stream.pes is None:
            self._fault(f"pid {pid:#x}: begins in the middle of a PES packet")
        else:
            stream.pes += payload
        if stream.pes is not None and not stream.dated and len(stream.pes) >= 9 + (stream.pes + bytes(9))[8]:
            stream.dated = True
            self._header(pid, stream, bytes(stream.pes))

    def _header(self, pid: int, stream: _Stream, payload: bytes) -> None:
        if payload[:3] != b"\0\0\1" or payload[6] & 0xC0 != 0x80:
            return self._fault(f"pid {pid:#x}: no PES header at the beginning of a unit")
        flags, size = payload[7] >> 6, payload[8]
        if flags not in (2, 3) or size < (10 if flags == 3 else 5) or len(payload) < 9 + size:
            return self._fault(f"pid {pid:#x}: PES header without a PTS")
        pts = _timestamp(payload, 9)
        dts = _timestamp(payload, 14) if flags == 3 else pts
        if set(payload[9 + (10 if flags == 3 else 5) : 9 + size]) - {0xFF}:
            self._fault(f"pid {pid:#x}: stuffing of a PES header is not 0xff")
        if not 0 <= _near(pts - dts) <= REORDER_MAX:
            self._fault(f"pid {pid:#x}: PTS {_near(pts - dts) / 90:.1f} ms after its DTS")
        if stream.dts is not None and _near(dts - stream.dts) <= 0:
            self._fault(f"pid {pid:#x}: DTS steps by {_near(dts - stream.dts) / 90:.1f} ms")
        stream.dts = dts
        self.dts.setdefault(pid, []).append(dts)
        self.pts.setdefault(pid, []).append(pts)
        if self._pcr is not None and not 0 <= _near(dts - self._pcr) <= LEAD_MAX:
            self._fault(f"pid {pid:#x}: DTS {_near(dts - self._pcr) / 90:.1f} ms after the PCR")
        return None

    def _end_pes(self, pid: int, stream: _Stream) -> None:
        data, stream.pes = stream.pes, None
        if data is None:
            return
        if not stream.dated:
            return self._fault(f"pid {pid:#x}: PES packet of {len(data)} bytes has no whole header")
        length = data[4] << 8 | data[5]
        if length and length + 6 != len(data):
            self._fault(f"pid {pid:#x}: PES packet of {len(data)} bytes says {length + 6}")
        if not length and not 0xE0 <= data[3] <= 0xEF:
            self._fault(f"pid {pid:#x}: unbounded PES packet that is no video")
        return None


def faults(parts: Sequence[bytes] | bytes, said: Collection[int] = ()) -> list[str]:
    """What is wrong with `parts`; a playlist says that those with the numbers `said` begin anew."""
    rules = rules_of(parts, said)
    return rules.found


def rules_of(parts: Sequence[bytes] | bytes, said: Collection[int] = ()) -> TsRules:
    """The rules after all of `parts`."""
    rules = TsRules()
    for number, part in enumerate([parts] if isinstance(parts, bytes) else parts):
        rules.feed(part, number in said)
    rules.flush()
    return rules


def _content(section: bytes) -> bytes:
    """A section without what its version changes."""
    return section[:5] + section[6:-4]


def _near(difference: int) -> int:
    """A difference of 33-bit clocks as the smallest number that it can be."""
    return (difference + WRAP // 2) % WRAP - WRAP // 2


def _timestamp(data: bytes, at: int) -> int:
    value = int.from_bytes(data[at : at + 5], "big")
    return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF


@cache
def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc
