"""
MPEG-2 video, and MPEG-1: what the sequence header says, and pictures out of a stream of bytes.

    00 00 01 B3   sequence header         [B5 1 sequence extension]     a place to begin
    00 00 01 B8   group of pictures
    00 00 01 00   picture header          [B5 8 picture coding extension]
    00 00 01 01..AF   slices

    an access unit: all of that up to the next sequence header, group or picture behind its slices; both fields

ISO/IEC 13818-2 (H.262) §6.2, §6.3; 13818-1 §2.4.3.7: a PTS is of the first picture whose header begins in the PES.
A sync sample always begins with a sequence header: where the stream has none, the last one is put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader
from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.media import Codec, PictureTrouble, Sample, Track

SEQUENCE, EXTENSION, USER_DATA, GROUP, PICTURE, SEQUENCE_END = 0xB3, 0xB5, 0xB2, 0xB8, 0x00, 0xB7
SLICE_FIRST, SLICE_LAST = 0x01, 0xAF
SEQUENCE_EXTENSION, DISPLAY_EXTENSION, CODING_EXTENSION = 1, 2, 8
I_PICTURE, FRAME = 1, 3
MPEG1_TYPE, MPEG2_TYPES = 0x6A, {5: 0x60, 4: 0x61, 3: 0x62, 2: 0x63, 1: 0x64}
PROFILE_422, MAIN_TYPE = 0x65, 0x61
CARRIED_MAX = 4 << 20
"""Bytes: no picture is larger."""
MARKS_MAX = 64
_PREFIX = b"\0\0\1"
_BEGINS = tuple(_PREFIX + bytes((code,)) for code in (SEQUENCE, GROUP, PICTURE))
_RATES = (
    None,
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_ASPECTS = {2: (4, 3), 3: (16, 9), 4: (221, 100)}
"""Of the whole picture."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """`object_type` as in `esds`. Equal ones need the same decoder."""

    width: int
    height: int
    sample_aspect_ratio: tuple[int, int]
    frame_rate: Fraction
    object_type: int
    chroma: int


def parse_sequence(data: bytes) -> Sequence:
    """`data` begins with a sequence header's start code, extensions may follow. Raises `FormatError`."""
    if not data.startswith(b"\0\0\1\xb3"):
        raise FormatError("no MPEG video sequence header")
    bits = BitReader(data[4:12])
    width, height, aspect, rate_code = bits.u(12), bits.u(12), bits.u(4), bits.u(4)
    rate = _RATES[rate_code] if rate_code < len(_RATES) else None
    object_type, chroma = MPEG1_TYPE, 1
    if (extension := _extension(data, SEQUENCE_EXTENSION)) is not None:
        bits = BitReader(extension)
        bits.skip(4)
        profile = bits.u(8)
        object_type = PROFILE_422 if profile & 0x80 else MPEG2_TYPES.get(profile >> 4 & 7, MAIN_TYPE)
        bits.skip(1)
        chroma = bits.u(2)
        width, height = width | bits.u(2) << 12, height | bits.u(2) << 12
        bits.skip(12 + 1 + 8 + 1)
        numerator, denominator = bits.u(2) + 1, bits.u(5) + 1
        rate = None if rate is None else rate * numerator / denominator
    if not width or not height or rate is None:
        raise FormatError(f"MPEG video of {width} x {height} at frame rate code {rate_code}")
    return Sequence(width, height, _sample_aspect(aspect, width, height, object_type), rate, object_type, chroma)


def object_type_of(config: bytes) -> int:
    """The object type of `esds` for a track's config. Raises `FormatError`."""
    return parse_sequence(config).object_type


def _sample_aspect(code: int, width: int, height: int, object_type: int) -> tuple[int, int]:
    if object_type == MPEG1_TYPE or code not in _ASPECTS:
        return 1, 1
    horizontal, vertical = _ASPECTS[code][0] * height, _ASPECTS[code][1] * width
    common = gcd(horizontal, vertical)
    return horizontal // common, vertical // common


def _extension(data: bytes, wanted: int) -> bytes | None:
    """The payload of an extension behind the header at the beginning of `data`."""
    at = 0
    while (at := data.find(b"\0\0\1\xb5", at)) >= 0:
        if at + 4 < len(data) and data[at + 4] >> 4 == wanted:
            return data[at + 4 : at + 20]
        at += 4
    return None


def sequence_config(unit: bytes) -> bytes:
    """The sequence header with its extensions out of an access unit that begins with it."""
    end = 4
    while (end := unit.find(_PREFIX, end)) >= 0:
        extension = unit[end + 4] >> 4 if unit[end + 3 : end + 4] == b"\xb5" and end + 4 < len(unit) else 0
        if extension not in (SEQUENCE_EXTENSION, DISPLAY_EXTENSION):
            return unit[:end]
        end += 4
    return unit


@dataclass(slots=True)
class _Unit:
    """An access unit in the buffer: where it begins, where its picture header is, what that says."""

    begin: int
    picture: int = -1
    kind: int = 0
    temporal: int = 0
    structure: int = FRAME
    has_sequence: bool = False
    has_group: bool = False


class MpegVideoStream:
    """PES payloads to samples; a picture comes out when the next one begins."""

    def __init__(self, pid: int, language: str) -> None:
        self.track: Track | None = None
        self.losses: dict[str, int] = {}
        self._damaged = False
        """Whether a picture of this group was lost."""
        self._pid = pid
        self._language = language
        self._sequence: Sequence | None = None
        self._config = b""
        self._data = b""
        self._marks: list[tuple[int, int, int]] = []
        """(position in the data, pts, dts) of PES packets."""
        self._next: tuple[int, int] | None = None
        """(dts, pts of temporal reference 0) for a picture without a time of its own."""
        self._group_end = 0
        self._spans = False
        """Whether PES packets begin in the middle of pictures."""

    def lost(self) -> None:
        """A PES packet is missing: what is there of a picture is not whole."""
        self._data, self._marks, self._next = b"", [], None
        self._lose(PictureTrouble.INCOMPLETE)
        self._damaged = True

    def _lose(self, reason: PictureTrouble) -> None:
        if self.track is not None:
            self.losses[reason] = self.losses.get(reason, 0) + 1

    def flush(self) -> list[Sample]:
        """The last picture, as far as it has come."""
        samples = self._take(whole=True)
        self._data, self._marks = b"", []
        return samples

    def finish(self) -> list[Sample]:
        """The last picture, where one ends with its PES packet."""
        return [] if self._spans else self._take(whole=True)

    def read(self, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
        if payload and self._data and not payload.startswith(_BEGINS):
            self._spans = True
        if pts is not None and dts is not None:
            self._marks.append((len(self._data), pts, dts))
        self._data += payload
        samples = self._take(whole=False)
        if len(self._data) > CARRIED_MAX:
            self.lost()
            raise FormatError(f"a picture of more than {CARRIED_MAX} bytes")
        return samples

    def _take(self, whole: bool) -> list[Sample]:
        """The pictures that are whole; `whole`: nothing follows the last one."""
        units = list(_units(self._data))
        stops = [unit.begin for unit in units[1:]] + [len(self._data)]
        ready = len(units) if whole else max(0, len(units) - 1)
        if ready and not whole and units[-1].picture < 0 and units[ready - 1].structure != FRAME:
            ready -= 1  # the second field may follow
        samples: list[Sample] = []
        number = 0
        while number < ready:
            unit, stop = units[number], stops[number]
            if number + 1 < len(units) and _is_second(unit, units[number + 1]):
                if number + 1 >= ready and not whole:
                    break
                number += 1
                stop = stops[number]
            number += 1
            if (sample := self._sample(unit, self._data[unit.begin : stop])) is not None:
                samples.append(sample)
        kept = units[number].begin if number < len(units) else (len(self._data) if units and whole else 0)
        if not units and len(self._data) > 4:
            kept = len(self._data) - 4  # of no picture, but for the begin of a start code
        self._data = self._data[kept:]
        self._marks = [(max(0, at - kept), pts, dts) for at, pts, dts in self._marks[-MARKS_MAX:]]
        return samples

    def _sample(self, unit: _Unit, data: bytes) -> Sample | None:
        if unit.has_sequence:
            self._configure(sequence_config(data))
        times = self._times(unit) if unit.picture >= 0 else None
        if self.track is None or times is None:
            return None
        dts, pts = times
        sync = unit.kind == I_PICTURE and (unit.has_sequence or unit.has_group)
        if sync and not unit.has_sequence:
            data = self._config + data
        if sync:
            self._damaged = False
        elif self._damaged:
            self._lose(PictureTrouble.DAMAGED)
        return Sample(dts, data, sync, pts - dts, self._damaged)

    def _configure(self, config: bytes) -> None:
        try:
            sequence = parse_sequence(config)
        except FormatError:
            return
        self._config = config
        if sequence == self._sequence:
            return
        self._sequence = sequence
        self.track = Track(
            self._pid,
            Codec.MPEG2,
            TICKS,
            config,
            self._language,
            sequence.width,
            sequence.height,
            sequence.sample_aspect_ratio,
            sequence.frame_rate,
        )

    def _times(self, unit: _Unit) -> tuple[int, int] | None:
        """dts and pts: as a PES says, else a frame later in each order."""
        frame = round(TICKS / self._sequence.frame_rate) if self._sequence is not None else TICKS // 25
        stated = [mark for mark in self._marks if mark[0] <= unit.picture]
        if stated:
            self._marks = [mark for mark in self._marks if mark[0] > unit.picture]
            _, pts, dts = stated[-1]
        elif self._next is None:
            return None
        else:
            dts, origin = self._next
            if unit.has_group:
                origin += self._group_end * frame
                self._group_end = 0
            pts = max(dts, origin + unit.temporal * frame)
        if unit.has_group:
            self._group_end = 0
        self._group_end = max(self._group_end, unit.temporal + 1)
        self._next = dts + frame, pts - unit.temporal * frame
        return dts, pts


def _is_second(first: _Unit, second: _Unit) -> bool:
    """Whether `second` is the other field of the frame that `first` begins."""
    return (
        first.structure != FRAME
        and second.structure == FRAME - first.structure
        and first.temporal == second.temporal
        and not second.has_sequence
        and not second.has_group
    )


def _units(data: bytes) -> list[_Unit]:
    """The access units in `data`, the last of them perhaps not whole. What is in front of the first is left out."""
    units: list[_Unit] = []
    sliced = True
    at = -1
    while (at := data.find(_PREFIX, at + 1)) >= 0 and at + 4 <= len(data):
        code = data[at + 3]
        if SLICE_FIRST <= code <= SLICE_LAST:
            sliced = True
            continue
        if code in (SEQUENCE, GROUP, PICTURE) and (sliced or (code == PICTURE and units[-1].picture >= 0)):
            units.append(_Unit(at))
            sliced = False
        if not units:
            continue
        unit = units[-1]
        if code == SEQUENCE:
            unit.has_sequence = True
        elif code == GROUP:
            unit.has_group = True
        elif code == PICTURE and at + 6 <= len(data):
            unit.picture = at
            unit.temporal = data[at + 4] << 2 | data[at + 5] >> 6
            unit.kind = data[at + 5] >> 3 & 7
        elif code == EXTENSION and at + 7 <= len(data) and data[at + 4] >> 4 == CODING_EXTENSION:
            unit.structure = data[at + 6] & 3 or FRAME
    return units
