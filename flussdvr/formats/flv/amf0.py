"""
AMF0: the values that RTMP commands and `onMetaData` are made of.

    marker  value                     Python
    0x00    number, 8-byte double     float
    0x01    boolean                   bool
    0x02    string, 16-bit length     str
    0x03    object: (key, value)* end dict[str, Value]
    0x05    null, 0x06 undefined      None
    0x08    ECMA array                EcmaArray, a dict
    0x0a    strict array              list[Value]
    0x0b    date                      float, milliseconds since 1970
    0x0c    long string, 0x0f XML     str
    0x10    typed object              dict, its class name dropped

Action Message Format AMF 0 (Adobe, 2007).  References (0x07) and the switch to AMF3 (0x11) are refused: no encoder
sends them in a command, and a reference lets a few bytes stand for a cyclic value.  Depth and number of values are
bounded, so hostile input costs no more than its own length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from flussdvr.errors import FormatError

__all__ = ["MAX_DEPTH", "MAX_VALUES", "EcmaArray", "Value", "decode", "encode"]

MAX_DEPTH = 16
MAX_VALUES = 16_384
"""A recorded file's `onMetaData` may carry an index of its key frames: thousands of numbers are legitimate."""

Value = float | bool | str | None | Mapping[str, "Value"] | Sequence["Value"]
"""What a decoded value may be; a `str` is never meant by `Sequence`."""

OBJECT_END = b"\x00\x00\x09"
DOUBLE = struct.Struct(">d")
U16 = struct.Struct(">H")
U32 = struct.Struct(">I")


class EcmaArray(dict[str, Value]):
    """An associative array: an object that is written with the count of its members."""


def decode(data: bytes | bytearray | memoryview) -> list[Value]:
    """Every value in `data`, one after the other. Raises `FormatError`."""
    reader = _Reader(bytes(data))
    values: list[Value] = []
    while reader.position < len(reader.data):
        values.append(reader.value(0))
    return values


class _Reader:
    """A position in the bytes, and how many values have been read of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.count = 0

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise FormatError(f"AMF0 is truncated: need {size}, have {len(self.data) - self.position}")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def value(self, depth: int) -> Value:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            raise FormatError(f"AMF0 is nested or numerous beyond {MAX_DEPTH} levels, {MAX_VALUES} values")
        marker = self.take(1)[0]
        read = READERS.get(marker)
        if read is None:
            raise FormatError(f"AMF0 marker {marker:#04x} is not supported")
        return read(self, depth)

    def number(self, depth: int) -> Value:
        return float(DOUBLE.unpack(self.take(8))[0])

    def boolean(self, depth: int) -> Value:
        return self.take(1) != b"\x00"

    def string(self, depth: int) -> str:
        return self.take(U16.unpack(self.take(2))[0]).decode("utf-8", "replace")

    def long_string(self, depth: int) -> Value:
        return self.take(U32.unpack(self.take(4))[0]).decode("utf-8", "replace")

    def null(self, depth: int) -> Value:
        return None

    def date(self, depth: int) -> Value:
        value = DOUBLE.unpack(self.take(8))[0]
        self.take(2)  # time zone, "should not be used"
        return float(value)

    def object(self, depth: int) -> Value:
        return self.members({}, depth)

    def typed_object(self, depth: int) -> Value:
        self.string(depth)
        return self.members({}, depth)

    def ecma_array(self, depth: int) -> Value:
        self.take(4)  # the count: a hint that encoders get wrong
        return self.members(EcmaArray(), depth)

    def strict_array(self, depth: int) -> Value:
        count = U32.unpack(self.take(4))[0]
        return [self.value(depth + 1) for _ in range(count)]

    def members(self, into: dict[str, Value], depth: int) -> dict[str, Value]:
        while self.data[self.position : self.position + 3] != OBJECT_END:
            if depth == 0 and into and self.position == len(self.data):
                return into  # some encoders leave the end marker of the last value out
            key = self.string(depth)
            into[key] = self.value(depth + 1)
        self.position += 3
        return into


READERS: dict[int, Callable[[_Reader, int], Value]] = {
    0x00: _Reader.number,
    0x01: _Reader.boolean,
    0x02: _Reader.string,
    0x03: _Reader.object,
    0x05: _Reader.null,
    0x06: _Reader.null,
    0x08: _Reader.ecma_array,
    0x0A: _Reader.strict_array,
    0x0B: _Reader.date,
    0x0C: _Reader.long_string,
    0x0D: _Reader.null,
    0x0F: _Reader.long_string,
    0x10: _Reader.typed_object,
}


def encode(*values: Value) -> bytes:
    """The values one after the other, as `decode` reads them."""
    return b"".join(map(_encoded, values))


def _encoded(value: Value) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, bool):
        return b"\x01\x01" if value else b"\x01\x00"
    if isinstance(value, int | float):
        return b"\x00" + DOUBLE.pack(value)
    if isinstance(value, str):
        return _encoded_string(value.encode())
    if isinstance(value, EcmaArray):
        return b"\x08" + U32.pack(len(value)) + _encoded_members(value)
    if isinstance(value, Mapping):
        return b"\x03" + _encoded_members(value)
    return b"\x0a" + U32.pack(len(value)) + b"".join(map(_encoded, value))


def _encoded_string(raw: bytes) -> bytes:
    return b"\x02" + U16.pack(len(raw)) + raw if len(raw) < 0x10000 else b"\x0c" + U32.pack(len(raw)) + raw


def _encoded_members(members: Mapping[str, Value]) -> bytes:
    keys = ((key.encode()[:0xFFFF], value) for key, value in members.items())
    return b"".join(U16.pack(len(key)) + key + _encoded(value) for key, value in keys) + OBJECT_END
