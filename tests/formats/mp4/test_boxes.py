from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import (
    MAX_BOXES,
    U32,
    Box,
    box,
    boxes,
    child,
    children,
    find,
    full_box,
    full_box_header,
    unpack,
)

MOOV = box(b"moov", box(b"mvhd", b"12"), full_box(b"trak", 1, 0x20038, box(b"tkhd")))


def test_boxes_and_their_places() -> None:
    data = MOOV + box(b"free")
    assert list(boxes(data)) == [Box(b"moov", 0, 8, len(MOOV)), Box(b"free", len(MOOV), len(data), len(data))]
    moov = next(boxes(data))
    assert [item.type for item in children(data, moov)] == [b"mvhd", b"trak"]
    assert find(data, moov, b"mvhd") == Box(b"mvhd", 8, 16, 18)
    assert find(data, moov, b"mvex", b"trex") is None
    assert full_box_header(data, child(data, moov, b"trak")) == (1, 0x20038)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0\0\0\1mdat\0\0\0\0\0\0\0\x12ab", (16, 18)),  # 64-bit size
        (b"\0\0\0\0mdatab", (8, 10)),  # to the end
        (memoryview(box(b"mdat", b"x")), (8, 9)),
    ],
)
def test_sizes(data: bytes, expected: tuple[int, int]) -> None:
    (item,) = boxes(data)
    assert (item.body, item.end) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\7free",
        b"\0\0\0\x09free",
        b"\0\0\0\1free\0\0\0\0\0\0\0\x0f",
        b"\0\0\0\1free\0\0\0",
        b"\0\0\0\1free\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0",
        box(b"free") * (MAX_BOXES + 1),
    ],
)
def test_damage(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(boxes(data))


def test_fields_end_with_their_box() -> None:
    data = box(b"mfhd", b"1234") + b"5678"
    item = next(boxes(data[:12]))
    assert unpack(U32, data, item, 0) == (0x31323334,)
    with pytest.raises(FormatError):
        unpack(U32, data, item, 1)
    with pytest.raises(FormatError):
        child(data, item, b"none")


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    try:
        for item in boxes(data):
            assert 0 <= item.start < item.body <= item.end <= len(data)
    except FormatError:
        pass
