"""TDT and TOT for tests, made by hand from ETSI EN 300 468."""

from __future__ import annotations

from datetime import UTC, datetime

from flussdvr.formats.mpegts.packet import crc32_mpeg

PACKET = 188
MJD_2000 = 51_544
"""2000-01-01, a date that every table of Julian days has."""


def utc_time(utc_ms: int) -> bytes:
    moment = datetime.fromtimestamp(utc_ms // 1000, UTC)
    days = MJD_2000 + (moment.date() - datetime(2000, 1, 1, tzinfo=UTC).date()).days
    return days.to_bytes(2, "big") + bytes.fromhex(moment.strftime("%H%M%S"))


def tdt(utc_ms: int) -> bytes:
    return b"\x70\x70\x05" + utc_time(utc_ms)


def tot(utc_ms: int, countries: int = 1) -> bytes:
    """With a local_time_offset_descriptor of so many countries."""
    entry = b"DEU\x02\x01\x00\xe5\xb9\x01\x00\x00\x02\x00"
    parts = [entry * min(18, countries - at) for at in range(0, countries, 18)]
    descriptors = b"".join(bytes((0x58, len(part))) + part for part in parts)
    body = utc_time(utc_ms) + (0xF000 | len(descriptors)).to_bytes(2, "big") + descriptors
    section = b"\x73" + (0x7000 | len(body) + 4).to_bytes(2, "big") + body
    return section + crc32_mpeg(section).to_bytes(4, "big")


def packets(section: bytes, counter: int = 0, pid: int = 0x14) -> bytes:
    """A section in as many packets as it takes."""
    data, out = b"\0" + section, b""
    for number, at in enumerate(range(0, len(data), PACKET - 4)):
        start = 0 if at else 0x40
        head = bytes((0x47, start | pid >> 8, pid & 0xFF, 0x10 | counter + number & 15))
        out += head + data[at : at + PACKET - 4].ljust(PACKET - 4, b"\xff")
    return out


def with_times(data: bytes, times: dict[int, bytes]) -> bytes:
    """A transport stream with these packets in front of its packets of these numbers."""
    parts, last = [], 0
    for number in sorted(times):
        parts += [data[last * PACKET : number * PACKET], times[number]]
        last = number
    return b"".join([*parts, data[last * PACKET :]])
