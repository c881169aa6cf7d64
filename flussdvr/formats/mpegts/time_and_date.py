"""
The UTC that a DVB multiplex states: the time and date table, and the time offset table.

    TDT  70 | 0 111 length:12 = 5 | UTC:40
    TOT  73 | 0 111 length:12     | UTC:40 | 1111 length:12 | descriptors | CRC
    UTC  MJD:16, then six BCD digits: hours, minutes, seconds

ETSI EN 300 468 §5.2.5, §5.2.6 and Annex C; PID 0x14, each 30 s at least (ETSI TR 101 211 §4.4). A whole second, from a
multiplexer that may not know the time itself: good as a witness of a clock, never as a date.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.packet import PACKET, SYNC, crc32_mpeg
from flussdvr.formats.mpegts.psi import SECTION_MAX

TIME_PID = 0x14
TDT_TABLE, TOT_TABLE = 0x70, 0x73
TDT_SIZE = 8
TOT_MIN = 14
EPOCH_MJD = 40_587
"""1970-01-01. What 16 bits can say ends on 2038-04-22."""
DAY_MS = 86_400_000


def parse_utc(data: bytes) -> int:
    """UTC in milliseconds of the 5 bytes of a UTC_time. Raises `FormatError` for what is no time since 1970."""
    if len(data) != 5:
        raise FormatError(f"UTC_time has {len(data)} bytes, not 5")
    days = (data[0] << 8 | data[1]) - EPOCH_MJD
    if days < 0:
        raise FormatError("UTC_time is before 1970")
    hours, minutes, seconds = (_bcd(byte, below) for byte, below in zip(data[2:], (24, 60, 60), strict=True))
    return days * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000


def parse_time_and_date(section: bytes) -> int:
    """UTC in milliseconds of a whole TDT or TOT. Raises `FormatError` for what is neither, or damaged."""
    if len(section) < TDT_SIZE or section[0] not in (TDT_TABLE, TOT_TABLE):
        raise FormatError("neither a TDT nor a TOT")
    size = 3 + ((section[1] & 0x0F) << 8 | section[2])
    if section[1] & 0x80 or size != len(section) or size > SECTION_MAX:
        raise FormatError("the head of a TDT or TOT is damaged")
    if section[0] == TDT_TABLE:
        if size != TDT_SIZE:
            raise FormatError(f"TDT of {size} bytes, not {TDT_SIZE}")
    elif size < TOT_MIN or crc32_mpeg(section):
        raise FormatError("TOT is damaged")
    return parse_utc(section[3:8])


class TimeReader:
    """
    UTC out of the packets of `TIME_PID`; keeps one section at most.

    A TDT has no CRC, so it counts only where it lies in one packet: it has 8 bytes. Continuity counters are not looked
    at: many multiplexers leave them at 0, and the CRC of a TOT says whether its parts belong together.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, packet: bytes) -> int | None:
        """The last UTC (ms) that is complete with this packet of 188 bytes, `None` if there is none."""
        payload = _payload(packet)
        if not payload:
            return None
        if not packet[1] & 0x40:
            return self._take(self._rest + payload, TOT_TABLE) if self._rest else None
        begin = 1 + payload[0]
        ended = self._take(self._rest + payload[1:begin], TOT_TABLE) if self._rest else None
        self._rest = b""
        began = self._take(payload[begin:])
        return ended if began is None else began

    def _take(self, data: bytes, continued: int | None = None) -> int | None:
        """Read the sections in `data`; the first one, where it is `continued` from before, only of that table."""
        found, position = None, 0
        self._rest = b""
        while position < len(data) and data[position] != 0xFF:
            head = data[position : position + 3]
            stop = position + 3 + ((head[1] & 0x0F) << 8 | head[2]) if len(head) == 3 else len(data) + 1
            if stop > len(data):
                self._rest = data[position:][:SECTION_MAX]
                break
            section, position = data[position:stop], stop
            if continued is None or section[0] == continued:
                try:
                    found = parse_time_and_date(section)
                except FormatError:
                    pass  # a running status or stuffing table, or damaged: there will be another one
            continued = None
        return found


def _bcd(byte: int, below: int) -> int:
    tens, ones = byte >> 4, byte & 15
    value = 10 * tens + ones
    if tens > 9 or ones > 9 or value >= below:
        raise FormatError(f"{byte:02x} is no BCD number below {below}")
    return value


def _payload(packet: bytes) -> bytes:
    """What a packet carries; empty where that is nothing, damaged or scrambled (ISO/IEC 13818-1 §2.4.3.3)."""
    if len(packet) != PACKET or packet[0] != SYNC or packet[1] & 0x80 or packet[3] & 0xC0 or not packet[3] & 0x10:
        return b""
    begin = 5 + packet[4] if packet[3] & 0x20 else 4
    return packet[begin:]
