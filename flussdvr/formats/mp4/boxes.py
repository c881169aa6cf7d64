"""
Boxes: what every ISO base media file is made of.

    size 32 | type 4 | [size 64 if size == 1] | payload
                       size == 0: to the end of the file
    full box: payload starts with version 8 | flags 24

ISO/IEC 14496-12 §4.2.  Reading is bounded by the bytes at hand: a box never reaches beyond what contains it, nesting
is followed only as deep as the caller asks, and nothing is copied.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from flussdvr.errors import FormatError

__all__ = ["MAX_BOXES", "Box", "box", "boxes", "child", "children", "find", "full_box", "full_box_header", "unpack"]

MAX_BOXES = 4096
"""More boxes than this inside one parent are nobody's file."""

HEADER = struct.Struct(">I4s")
U32 = struct.Struct(">I")
U64 = struct.Struct(">Q")

Buffer = bytes | bytearray | memoryview


class Box(NamedTuple):
    """Where a box stands: `start` its header, `body` its payload, `end` the byte behind it."""

    type: bytes
    start: int
    body: int
    end: int


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box of 32-bit size around the concatenated `payload`."""
    body = b"".join(payload)
    return HEADER.pack(8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box whose payload starts with `version` and `flags`."""
    return box(kind, U32.pack(version << 24 | flags), *payload)


def boxes(data: Buffer, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """
    The boxes in `data[start:stop]`, one after the other, not what is inside them.

    Raises `FormatError` where a box is cut off, smaller than its header or one of too many.
    """
    stop = len(data) if stop is None else stop
    for _ in range(MAX_BOXES):
        if start == stop:
            return
        if stop - start < 8:
            raise FormatError(f"box header at {start} is truncated: need 8, have {stop - start}")
        size, kind = HEADER.unpack_from(data, start)
        body = start + 8
        if size == 1:
            if stop - start < 16:
                raise FormatError(f"box header at {start} is truncated: need 16, have {stop - start}")
            (size,) = U64.unpack_from(data, body)
            body += 8
        elif size == 0:
            size = stop - start
        if size < body - start or size > stop - start:
            raise FormatError(f"box {kind!r} at {start}: size {size}, have {stop - start}")
        yield Box(kind, start, body, start + size)
        start += size
    if start != stop:
        raise FormatError(f"more than {MAX_BOXES} boxes before {start}")


def children(data: Buffer, parent: Box) -> Iterator[Box]:
    """The boxes inside `parent`."""
    return boxes(data, parent.body, parent.end)


def find(data: Buffer, parent: Box, *path: bytes) -> Box | None:
    """The first box at `path` below `parent`, or `None`."""
    for kind in path:
        for item in children(data, parent):
            if item.type == kind:
                parent = item
                break
        else:
            return None
    return parent


def child(data: Buffer, parent: Box, *path: bytes) -> Box:
    """The first box at `path` below `parent`. Raises `FormatError` where there is none."""
    item = find(data, parent, *path)
    if item is None:
        raise FormatError(f"{parent.type!r} at {parent.start} has no {b'/'.join(path)!r}")
    return item


def full_box_header(data: Buffer, item: Box) -> tuple[int, int]:
    """Version and flags of a full box; its fields start at `item.body + 4`. Raises `FormatError`."""
    (word,) = unpack(U32, data, item, 0)
    return word >> 24, word & 0xFFFFFF


def unpack(layout: struct.Struct, data: Buffer, item: Box, at: int) -> tuple[int, ...]:
    """The fields of `layout` at byte `at` of the payload of `item`. Raises `FormatError` where it ends before."""
    if item.body + at + layout.size > item.end:
        raise FormatError(
            f"{item.type!r} at {item.start} is truncated: need {at + layout.size}, have {item.end - item.body}"
        )
    return layout.unpack_from(data, item.body + at)
