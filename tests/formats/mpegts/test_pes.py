from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.pes import FAR, Clock, build_pes_headers, parse_pes
from tests.formats.transport import WRAP, Packets

stamps = st.integers(0, WRAP - 1)


@given(stamps, stamps, st.integers(0, 70000), st.integers(0, 20))
def test_round_trip(pts: int, dts: int, size: int, stuffing: int) -> None:
    columns = [np.array([value], np.int64) for value in (pts, dts, size, stuffing)]
    rows, used = build_pes_headers(0xC0, *columns)
    data = rows.tobytes()[: int(used[0])]
    header = parse_pes(data)
    assert header is not None
    assert (header.pts, header.dts, header.stream_id, header.size) == (pts, dts, 0xC0, len(data))
    whole = len(data) + size
    assert header.length == (whole if size and whole - 6 < 65536 else 0)


@given(stamps)
def test_as_written_by_hand(pts: int) -> None:
    packets = Packets()
    packets.pes(0x101, b"abc", pts, pts + 1)
    data = packets.data[-(19 + 3) :]
    header = parse_pes(data)
    assert header is not None
    assert (header.pts, header.dts, header.size, header.length) == (pts, (pts + 1) % WRAP, 19, 22)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("truncated", b"\0\0\1\xe0\0\0\x80\0"),
        ("truncated timestamps", b"\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0"),
        ("no start code", b"\0\1\1\xe0\0\0\x80\0\0"),
        ("padding", b"\0\0\1\xbe\0\3\xff\xff\xff"),
        ("MPEG-1", b"\0\0\1\xe0\0\0\x21\0\0"),
    ],
)
def test_what_is_none(name: str, data: bytes) -> None:
    assert parse_pes(data) is None


def test_without_a_time() -> None:
    data = b"\0\0\1\xe0\0\0\x80\0\2\xff\xff"
    header = parse_pes(data)
    assert header is not None
    assert (header.pts, header.dts, header.size) == (None, None, 11)


def test_flags_without_room_for_the_time() -> None:
    header = parse_pes(b"\0\0\1\xe0\0\0\x80\xc0\2\xff\xff")
    assert header is not None
    assert header.pts is None


@given(
    st.integers(0, WRAP),
    st.lists(st.integers(-FAR, FAR), max_size=20),
    st.dictionaries(st.integers(0, 19), st.integers(0, WRAP - 1)),
)
def test_clock(begin: int, steps: list[int], damaged: dict[int, int]) -> None:
    """Wraps are continuous time, and a damaged timestamp does not change what the next ones are."""
    clock = Clock()
    time = begin % WRAP
    assert clock.unwrap(time) == time
    before = False
    for number, step in enumerate(steps):
        if number in damaged and not before:
            clock.unwrap((time + step + WRAP // 4 + damaged[number] % (WRAP // 2)) % WRAP)
            before = True
            continue
        before = False
        time += step
        assert clock.unwrap(time % WRAP) == time


@given(st.integers(0, WRAP - 1), st.integers(-WRAP // 2 + 1, WRAP // 2 - 1))
def test_a_clock_that_has_jumped_goes_on_from_there(begin: int, jump: int) -> None:
    clock = Clock()
    clock.unwrap(begin)
    assert [clock.unwrap((begin + jump + ms * 90) % WRAP) - begin - jump for ms in (0, 40, 80)] == [0, 3600, 7200]
    assert clock.last == begin + jump + 7200


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_garbage(data: bytes, more: bytes) -> None:
    parse_pes(data)
    parse_pes(b"\0\0\1" + more)
