"""
Access units: the NAL units of a stream, put together to pictures as the standards say where a picture begins.

    PES payloads   ...e of 1 | AUD 2 SPS PPS slice sli | ce of 2 SEI 3 slice ...     cut anywhere
    ByteStream     NAL units, each with the time of the PES that it begins in
    Assembler      access units, each with the time of the first PES that no access unit before it began in

A byte stream's unit is over when the next start code is seen, an access unit when the first NAL unit of the next one
is. `ByteStream.peek` shows both the first bytes of what follows, so that a picture need not wait for all of the next.

ITU-T H.264 §7.4.1.2.3 and §7.4.1.2.4, H.265 §7.4.2.4.4; ISO/IEC 13818-1 §2.4.3.7 and §2.14.1 (times). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.nal import MAX_NALS, nal_units, split_annexb
from flussdvr.formats.pictures.coded import Coded

__all__ = ["AccessUnit", "Assembler", "ByteStream", "Role", "Stamp", "Syntax"]

UNIT_MAX = 16 << 20
"""Bytes of an access unit; level 6.2 of H.265 allows less in a picture that anybody records."""
_CODE = b"\0\0\1"


@dataclass(slots=True)
class Stamp:
    """The times of a PES packet, in ticks. They are those of one access unit, which has taken them when `used`."""

    pts: int
    dts: int
    used: bool = False


class Role(Enum):
    """What a NAL unit does to the access unit in front of it."""

    OPENS = "opens"
    """It ends one that has a picture: delimiter, parameter sets, SEI."""
    PICTURE = "picture"
    """It is the first of a picture."""
    SLICE = "slice"
    """It belongs to the picture that there is."""
    PREFIX = "prefix"
    """It belongs to the NAL unit that follows."""
    OTHER = "other"
    """It belongs where it stands."""


# To look at a member of an enumeration takes as long as a call.
_OPENS, _PREFIX, _PICTURE, _SLICE, _OTHER = Role.OPENS, Role.PREFIX, Role.PICTURE, Role.SLICE, Role.OTHER
_BEGINS = (Role.OPENS, Role.PICTURE)


class Syntax(Protocol):
    """What an assembler asks of a codec."""

    def role(self, nal: bytes) -> Role | None:
        """Of a NAL unit, whose end may be missing; `None` where it is too short to say. Changes nothing."""

    def accept(self, nal: bytes, role: Role) -> None:
        """`nal`, which is whole, is part of the access unit now."""

    def whole(self, nals: list[bytes]) -> tuple[bytes, Coded] | None:
        """
        A picture's first slice and what the NAL units become, if they are one access unit with nothing odd about it.

        They are part of the access unit then, as by `accept`; else nothing has changed. For an answer in one pass.
        """

    def lost(self) -> None:
        """NAL units are missing: the next picture begins with its first slice."""


@dataclass(slots=True)
class AccessUnit:
    """The NAL units of one picture, not empty. `pts` and `dts` are those that a PES stated, `None` without."""

    nals: list[bytes] = field(default_factory=list)
    pts: int | None = None
    dts: int | None = None
    picture: bytes = b""
    """Its first slice."""
    size: int = 0
    coded: Coded | None = field(default=None, compare=False)
    """What the NAL units become, where that is known."""


class Assembler:
    """
    NAL units in, access units out. `dropped` counts those that were not whole; it only grows.

    After `lost`, what comes is of no use until an access unit begins.
    """

    def __init__(self, syntax: Syntax) -> None:
        self.dropped = 0
        self._syntax = syntax
        self._unit = AccessUnit()
        self._prefixes: list[tuple[bytes, Stamp | None]] = []
        self._broken = False
        self._last_pts: int | None = None

    def add(self, nal: bytes, stamp: Stamp | None, first: bool = False) -> AccessUnit | None:
        """
        Take a NAL unit; the access unit that it ends, if it does.

        `stamp`: of the packet in which the NAL unit begins; `first`: the packet begins with it.
        """
        role = self._syntax.role(nal) or _OTHER
        begins = role is _OPENS or role is _PICTURE
        prefixes = self._prefixes
        if role is _PREFIX and len(prefixes) < MAX_NALS:
            prefixes.append((nal, stamp))
            return None
        done = self._end() if begins and self._unit.picture else None
        if prefixes:
            self._prefixes = []
        if self._broken:
            if not begins:
                return done
            self._broken = False
        for prefix, prefix_stamp in prefixes:
            self._append(prefix, _PREFIX, prefix_stamp, False)
        self._append(nal, role, stamp, first)
        return done

    def whole(self, nals: list[bytes], pts: int | None, dts: int | None, follows: bytes) -> list[AccessUnit] | None:
        """
        Take the NAL units of a packet with that time at once, and what the next one begins with (`next_begins`).

        The access units that this ends; `None` if it cannot be done at once, and nothing has changed.
        """
        if self._broken or self._prefixes or self._unit.nals or (found := self._syntax.whole(nals)) is None:
            return None
        if pts is None or dts is None:
            pts = dts = None
        unit = AccessUnit(nals, pts, dts, found[0], sum(map(len, nals)), found[1])
        if self._syntax.role(follows) not in _BEGINS:
            self._unit = unit
            return []
        if pts is not None:
            self._last_pts = pts
        return [unit]

    @property
    def has_picture(self) -> bool:
        """Whether a picture is being put together."""
        return bool(self._unit.picture)

    def next_begins(self, nal: bytes) -> AccessUnit | None:
        """The next NAL unit begins with these bytes: the access unit that it ends, if it is certain that it does."""
        role = self._syntax.role(nal)
        return self._end() if self._unit.picture and role in _BEGINS else None

    def lost(self) -> None:
        """NAL units are missing: what was begun is not whole, and if nothing was, then what would have begun."""
        if not self._broken:
            self.dropped += 1
        self._unit = AccessUnit()
        self._prefixes = []
        self._broken = True
        self._syntax.lost()

    def flush(self) -> AccessUnit | None:
        """Nothing more comes: the last access unit."""
        return self._end()

    def _end(self) -> AccessUnit | None:
        unit, self._unit = self._unit, AccessUnit()
        if not unit.nals:
            return None
        if unit.pts is not None:
            self._last_pts = unit.pts
        return unit

    def _append(self, nal: bytes, role: Role, stamp: Stamp | None, first: bool) -> None:
        unit = self._unit
        nals, size = unit.nals, unit.size + len(nal)
        if len(nals) >= MAX_NALS or size > UNIT_MAX:
            self.lost()
            return
        if stamp is not None and not stamp.used:
            begins = not nals
            # Not by the standard, but seen: SEI in packets of their own, without a time or with that of the picture
            # before. Then the time is that of the packet which the picture begins.
            late = role is _PICTURE and first and unit.pts in (None, self._last_pts)
            if begins or late:
                unit.pts, unit.dts, stamp.used = stamp.pts, stamp.dts, True
        nals.append(nal)
        unit.size = size
        unit.coded = None
        if not unit.picture and (role is _PICTURE or role is _SLICE):
            unit.picture = nal
        self._syntax.accept(nal, role)


class ByteStream:
    """An Annex B byte stream in pieces, to access units."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self._rest: bytes | bytearray = b""
        """
        The NAL unit that is growing, with its start code; or what may be the beginning of a start code.

        It is bytes until it grows: mostly it is whole.
        """
        self._begins: list[tuple[int, Stamp | None]] = []
        """Where in the rest, or before it, packets begin, as far as a NAL unit can begin in them."""

    def feed(self, payload: bytes, pts: int | None, dts: int | None, head: bytes | None = None) -> list[AccessUnit]:
        """
        The access units that a PES payload completes. What it begins is kept.

        `head`: what the next payload begins with, if that is known; then this does what `peek` does, too.

        Raises `FormatError` for more NAL units than a picture can have, or a NAL unit without end; all is dropped then.
        """
        rest, carried = self._rest, len(self._rest)
        if head and not carried and not self._begins and (at_once := self._whole(payload, pts, dts, head)) is not None:
            return at_once
        if carried:
            if not isinstance(rest, bytearray):
                rest = self._rest = bytearray(rest)
            rest += payload
        else:
            rest = payload
        begins = self._begins
        if begins and begins[-1][0] == carried:
            begins.pop()  # a packet without payload
        begins.append((carried, None if pts is None or dts is None else Stamp(pts, dts)))
        # What is carried is not searched again: a large NAL unit in many packets would be searched once for each.
        if carried > len(_CODE) and rest.find(_CODE, carried - 2) < 0:
            self._grown(len(rest))
            return self.peek(head) if head else []
        data = bytes(rest)
        try:
            units = split_annexb(data)
            if len(data) > UNIT_MAX and len(data) - (units[-1][0] if units else 0) > UNIT_MAX:
                raise FormatError("NAL unit without end")
        except FormatError:
            self.lost()
            raise
        found = []
        follows = _behind_code(head) if head else None
        if follows is not None and units:
            # The last one is whole, too: nothing is carried, which is what most packets come to.
            for start, stop in units:
                if (done := self._add(data[start:stop], start - 3)) is not None:
                    found.append(done)
            self._rest, self._begins = b"", []
            if follows and (done := self._assembler.next_begins(follows)) is not None:
                found.append(done)
            return found
        if units:
            begin = units.pop()[0] - 3
            for start, stop in units:
                if (done := self._add(data[start:stop], start - 3)) is not None:
                    found.append(done)
        else:
            begin = data.rfind(_CODE)
        if begin < 0:  # what may be the beginning of a start code
            begin = max(len(data.rstrip(b"\0")), len(data) - 3)
        self._rest = data[begin:] if begin else data
        if len(begins) == 1 and carried <= begin:
            self._begins = [(carried - begin, begins[0][1])]
            return [*found, *self.peek(head)] if head else found
        # A NAL unit may begin at the beginning of the rest, and with a start code that is not whole yet at its end.
        self._pass(begin)
        last = len(data) - 3
        self._begins = [(at - begin, stamp) for at, stamp in begins if at <= begin or at > last]
        return [*found, *self.peek(head)] if head else found

    def _whole(self, payload: bytes, pts: int | None, dts: int | None, head: bytes) -> list[AccessUnit] | None:
        """As `feed`, of a payload that is just a picture, as most are; `None` if it is not, and nothing has changed."""
        follows = _behind_code(head)
        if not follows or len(payload) > UNIT_MAX:
            return None
        try:
            nals = nal_units(payload)
        except FormatError:
            return None
        return self._assembler.whole(nals, pts, dts, follows)

    def _grown(self, size: int) -> None:
        """The NAL unit of the rest goes on, it is `size` now. FormatError."""
        if size - len(_CODE) > UNIT_MAX:
            self.lost()
            raise FormatError("NAL unit without end")
        self._begins = [(at, stamp) for at, stamp in self._begins if at <= 0 or at > size - len(_CODE)]

    def peek(self, head: bytes) -> list[AccessUnit]:
        """The next payload begins with `head`: what that completes."""
        follows = _behind_code(head)
        if follows is None:
            return []
        found = self._finish()
        unit = self._assembler.next_begins(follows) if follows else None
        return found if unit is None else [*found, unit]

    @property
    def pending(self) -> bool:
        """Whether a NAL unit or a picture has begun that is not over."""
        return bool(self._rest) or self._assembler.has_picture

    def lost(self) -> None:
        """Bytes are missing."""
        self._rest, self._begins = b"", []
        self._assembler.lost()

    def flush(self) -> list[AccessUnit]:
        """Nothing more comes: the last access unit."""
        found = self._finish()
        unit = self._assembler.flush()
        return found if unit is None else [*found, unit]

    def _finish(self) -> list[AccessUnit]:
        """The NAL unit that was begun is over. Behind it there may be start codes that nothing follows."""
        rest, self._rest = bytes(self._rest), b""
        nal = rest[3:] if rest.startswith(_CODE) else b""
        if nal.endswith(b"\0"):
            nal = nal.rstrip(b"\0")
        if nal.endswith(_CODE):
            nal = b"".join([rest[start:stop] for start, stop in split_annexb(rest)])
        unit = self._add(nal, 0) if nal else None
        self._begins = []
        return [] if unit is None else [unit]

    def _add(self, nal: bytes, code: int) -> AccessUnit | None:
        """
        A NAL unit whose start code begins at `code`, in the packet that this byte is in.

        Zeros in front of the three bytes of the start code do not tell packets apart.
        """
        begins = self._begins
        if len(begins) > 1:
            self._pass(code)
        if not begins or begins[0][0] > code:
            return self._assembler.add(nal, None)
        at, stamp = begins[0]
        return self._assembler.add(nal, stamp, at == code)

    def _pass(self, place: int) -> None:
        """Forget the packets that are over in front of `place`."""
        begins = self._begins
        while len(begins) > 1 and begins[1][0] <= place:
            del begins[0]


def _behind_code(head: bytes) -> bytes | None:
    """What follows the start code that `head` begins with, `None` if there is none. Zeros may stand in front of it."""
    place = head.find(_CODE)
    return None if place < 0 or head[:place].strip(b"\0") else head[place + 3 :]
