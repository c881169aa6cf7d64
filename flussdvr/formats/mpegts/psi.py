"""
Program specific information: which PIDs make up a program.

    PAT  pid 0     program number -> PMT's pid
    PMT            PCR pid, descriptors, and for each elementary stream: type, pid, descriptors
    section        id 1011 length:12 | id version current number last | body | CRC
    in packets     PUSI: pointer_field, end of a section, sections, ff ff ff

ISO/IEC 13818-1 §2.4.4 and §2.6; ETSI EN 300 468 Annex D (AC-3), ATSC A/52 Annex A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.packet import crc32_mpeg
from flussdvr.formats.mpegts.stream_types import (
    LANGUAGE,
    REGISTRATION,
    Descriptor,
    Framing,
    framing_of,
    language_of,
    name_of,
)

PAT_TABLE, PMT_TABLE = 0x00, 0x02
SECTION_MAX = 1024
VERSIONS = 32
"""`version_number` has 5 bits."""


@dataclass(frozen=True, slots=True)
class ProgramAssociation:
    """`programs`: (program_number, PID of its PMT), the network's (number 0) left out."""

    programs: tuple[tuple[int, int], ...]
    transport_stream_id: int = 1
    version: int = 0


_OF_PROGRAM = {b"CUEI": range(0x86, 0x87), b"HDMV": range(0x80, 0x100)}
"""Registrations of a whole program, and of which stream types they tell what these are."""


@dataclass(frozen=True, slots=True)
class ElementaryStream:
    """An entry of a PMT; `descriptors` are (tag, payload)."""

    pid: int
    stream_type: int
    descriptors: tuple[Descriptor, ...] = ()

    @property
    def framing(self) -> Framing | None:
        """What is in it, `None` when it is nothing that we record."""
        return framing_of(self.stream_type, self.descriptors)

    @property
    def language(self) -> str:
        """ISO 639-2 code, `und` when it is not said or is no code."""
        return language_of(self.descriptors)

    @property
    def name(self) -> tuple[str, bool]:
        """(what it is called when it is not recorded, whether it is a picture or sound)."""
        return name_of(self.stream_type, self.descriptors)


@dataclass(frozen=True, slots=True)
class ProgramMap:
    program_number: int
    pcr_pid: int
    streams: tuple[ElementaryStream, ...]
    descriptors: tuple[Descriptor, ...] = ()
    version: int = 0


def parse_pat(section: bytes) -> ProgramAssociation:
    """Parse a whole section with its CRC. Raises `FormatError` for what is no PAT in force."""
    body = _body(section, PAT_TABLE)
    entries = ((_u16(body, at), _u16(body, at + 2) & 0x1FFF) for at in range(0, len(body) - 3, 4))
    return ProgramAssociation(tuple(entry for entry in entries if entry[0]), _u16(section, 3), section[5] >> 1 & 31)


def parse_pmt(section: bytes) -> ProgramMap:
    """Parse a whole section with its CRC. Raises `FormatError` for what is no PMT in force."""
    body = _body(section, PMT_TABLE)
    if len(body) < 4:
        raise FormatError(f"PMT is truncated: need 4, have {len(body)}")
    position = 4 + (_u16(body, 2) & 0x0FFF)
    descriptors = _parse_descriptors(body[4:position])
    streams = []
    while position + 5 <= len(body):
        stop = position + 5 + (_u16(body, position + 3) & 0x0FFF)
        pid = _u16(body, position + 1) & 0x1FFF
        streams.append(ElementaryStream(pid, body[position], _parse_descriptors(body[position + 5 : stop])))
        position = stop
    return ProgramMap(_u16(section, 3), _u16(body, 0) & 0x1FFF, tuple(streams), descriptors, section[5] >> 1 & 31)


def with_registrations(pmt: ProgramMap) -> ProgramMap:
    """
    The same, each private entry without a registration with that of the program, where it tells what the entry is.

    SCTE 35 §8.1 registers `CUEI` for the program, and Blu-ray `HDMV`; both have a stream type 0x86.
    """
    registered = next(
        (item for item in pmt.descriptors if item[0] == REGISTRATION and item[1][:4] in _OF_PROGRAM), None
    )
    if registered is None:
        return pmt
    types = _OF_PROGRAM[registered[1][:4]]
    streams = []
    for entry in pmt.streams:
        if entry.stream_type in types and all(tag != REGISTRATION for tag, _ in entry.descriptors):
            entry = replace(entry, descriptors=(*entry.descriptors, registered))
        streams.append(entry)
    return replace(pmt, streams=tuple(streams))


def build_pat(pat: ProgramAssociation) -> bytes:
    """The section, with its CRC."""
    body = b"".join(_pair(number, 0xE000 | pid) for number, pid in pat.programs)
    return _section(PAT_TABLE, pat.transport_stream_id, pat.version, body)


def build_pmt(pmt: ProgramMap) -> bytes:
    """The section, with its CRC."""
    body = _with_descriptors(_pair(0xE000 | pmt.pcr_pid), pmt.descriptors)
    for stream in pmt.streams:
        body += _with_descriptors(bytes((stream.stream_type,)) + _pair(0xE000 | stream.pid), stream.descriptors)
    return _section(PMT_TABLE, pmt.program_number, pmt.version, body)


def content_version(pmt: ProgramMap) -> int:
    """
    A `version_number` that follows from what is in the PMT alone.

    Who makes segments without knowing what came before them still gives another number to another program: one
    elementary stream more at the end, or one of another type, always changes it; of programs that differ in
    descriptors or in more, one pair in 16 has the same.
    """
    total = 0
    for place, stream in enumerate(pmt.streams):
        # Odd codes and factors: none is lost modulo 32, and what is added is never 0.
        total += (2 * place + 1) * (2 * stream.stream_type + 1)
        for tag, payload in stream.descriptors:
            total += 2 * crc32_mpeg(bytes((tag, place)) + payload)
    return total % VERSIONS


class SectionReader:
    """
    Sections out of the packet payloads of one PID, bounded to one section's length.

    A section that is the same as the one before is not reported again: they repeat ten times a second.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._last_payload = b""
        self._last: dict[int, bytes] = {}

    def feed(self, payload: bytes, starts: bool) -> list[bytes]:
        """Whole new sections with a right CRC; `starts` is the packet's payload_unit_start_indicator."""
        if starts:
            if payload == self._last_payload and not self._buffer:
                return []
            begin = 1 + payload[0] if payload else 0
            sections = self._take(self._buffer + payload[1:begin]) if self._buffer else []
            self._buffer = b""
            sections += self._take(payload[begin:])
            self._last_payload = b"" if self._buffer else payload
            return sections
        return self._take(self._buffer + payload) if self._buffer else []

    def lost(self) -> None:
        """A packet is missing."""
        self._buffer = b""

    def _take(self, data: bytes) -> list[bytes]:
        sections: list[bytes] = []
        position = 0
        while position < len(data) and data[position] != 0xFF:
            stop = position + 3 + (_u16(data, position + 1) & 0x0FFF) if position + 3 <= len(data) else 0
            if stop > len(data) or not stop:
                self._buffer = data[position:]
                return sections
            section = data[position:stop]
            position = stop
            # A table id and number on its place: several PMTs can share a PID.
            place = int.from_bytes(section[:1] + section[3:5] + section[6:7], "big")
            if len(section) <= SECTION_MAX and self._last.get(place) != section and not crc32_mpeg(section):
                if len(self._last) >= 64:
                    self._last.clear()
                self._last[place] = section
                sections.append(section)
        self._buffer = b""
        return sections


def packets_payload(section: bytes) -> bytes:
    """A section behind its pointer_field, filled up to whole packet payloads of 184 bytes."""
    data = b"\x00" + section
    return data + b"\xff" * (-len(data) % 184)


def language_descriptor(language: str) -> Descriptor:
    """`language` is an ISO 639-2 code."""
    return LANGUAGE, language.encode("ascii")[:3].ljust(3) + b"\x00"


def _body(section: bytes, table: int) -> bytes:
    if len(section) < 12 or section[0] != table or not section[1] & 0x80:
        raise FormatError(f"not a section of table {table}")
    if 3 + (_u16(section, 1) & 0x0FFF) != len(section) or crc32_mpeg(section):
        raise FormatError("section is damaged")
    if not section[5] & 1:
        raise FormatError("section is not in force yet")
    return section[8:-4]


def _section(table: int, id_: int, version: int, body: bytes) -> bytes:
    length = len(body) + 9
    if length + 3 > SECTION_MAX:
        raise FormatError(f"section of {length + 3} bytes, at most {SECTION_MAX} are allowed")
    head = bytes((table,)) + _pair(0xB000 | length, id_) + bytes((0xC1 | version << 1, 0, 0))
    return head + body + crc32_mpeg(head + body).to_bytes(4, "big")


def _parse_descriptors(data: bytes) -> tuple[Descriptor, ...]:
    """Damaged ones at the end are left out: none is needed."""
    found = []
    position = 0
    while position + 2 <= len(data):
        stop = position + 2 + data[position + 1]
        if stop > len(data):
            break
        found.append((data[position], data[position + 2 : stop]))
        position = stop
    return tuple(found)


def _with_descriptors(head: bytes, descriptors: Sequence[Descriptor]) -> bytes:
    data = b"".join(bytes((tag, len(payload))) + payload for tag, payload in descriptors)
    return head + _pair(0xF000 | len(data)) + data


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _pair(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)
