from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.packet import PACKET, SYNC, crc32_mpeg, find_sync, packet_runs, pid_word


def packet(pid: int, counter: int, flags: int = 0x10, start: int = 0) -> bytes:
    return bytes((SYNC, start | pid >> 8, pid & 255, flags | counter & 15)) + bytes(184)


def naive_runs(data: bytes, count: int) -> tuple[list[int], list[int]]:
    heads = [data[i * PACKET : i * PACKET + 4] for i in range(count)]
    starts = [
        i
        for i, head in enumerate(heads)
        if not i
        or heads[i - 1][:3] != head[:3]
        or heads[i - 1][3] & 0xF0 != head[3] & 0xF0
        or (heads[i - 1][3] + 1) & 15 != head[3] & 15
    ]
    return starts, [int.from_bytes(heads[i], "little") for i in starts]


heads = st.tuples(
    st.sampled_from([0x47, 0x46]),
    st.sampled_from([1, 0x41, 0x81, 0x1F]),
    st.sampled_from([0, 1, 255]),
    st.one_of(st.integers(0, 255), st.sampled_from([0x10, 0x1F, 0x20, 0x2F, 0x30, 0xF0])),
)


@given(st.lists(st.tuples(heads, st.integers(1, 20)), min_size=1, max_size=12))
def test_runs(parts: list[tuple[tuple[int, int, int, int], int]]) -> None:
    data = b""
    count = 0
    for (sync, second, third, last), length in parts:
        for number in range(length):
            data += bytes((sync, second, third, last & 0xF0 | (last + number) & 15)) + bytes(184)
            count += 1
    assert packet_runs(data, count) == naive_runs(data, count)


def test_one_run_across_counter_wraps() -> None:
    data = b"".join(packet(0x1ABC, n) for n in range(40))
    starts, words = packet_runs(data, 40)
    assert starts == [0]
    assert words[0] & 0xFFFF00 & ~0x0000E000 == pid_word(0x1ABC)


@pytest.mark.parametrize(
    ("name", "data", "begin", "expected"),
    [
        ("empty", b"", 0, (0, False)),
        ("none", b"abc", 0, (3, False)),
        ("aligned", packet(1, 0) * 3, 0, (0, True)),
        ("garbage in front", b"\x47garb" + packet(1, 0) * 3, 0, (5, True)),
        ("two are not certain", b"x" + packet(1, 0) * 2, 0, (1, False)),
        ("begin", packet(1, 0) * 4, 1, (188, True)),
        ("behind the end", b"\x47", 1, (1, False)),
    ],
)
def test_find_sync(name: str, data: bytes, begin: int, expected: tuple[int, bool]) -> None:
    assert find_sync(data, begin) == expected


@given(st.lists(st.sampled_from([0x47, 0]), max_size=1200).map(bytes), st.integers(0, 10))
def test_uncertain_sync_keeps_little(data: bytes, begin: int) -> None:
    place, certain = find_sync(data, min(begin, len(data)))
    assert begin <= place <= len(data) or len(data) < begin
    if certain:
        assert data[place] == data[place + 188] == data[place + 376] == SYNC
    else:
        assert len(data) - place <= 376


def test_crc() -> None:
    assert crc32_mpeg(b"123456789") == 0x0376E6E7  # the catalogue's CRC-32/MPEG-2
    data = np.arange(200, dtype=np.uint8).tobytes()
    assert crc32_mpeg(data + crc32_mpeg(data).to_bytes(4, "big")) == 0
