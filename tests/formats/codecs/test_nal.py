from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import nal as nal_module
from flussdvr.formats.codecs.bits import BitReader
from flussdvr.formats.codecs.nal import (
    MAX_NALS,
    annexb_to_lengths,
    lengths_to_annexb,
    nal_units,
    split_annexb,
    split_lengths,
    unescape,
)


def escape(rbsp: bytes) -> bytes:
    """Emulation prevention, byte by byte as §7.4.1.1 says it; an RBSP does not end with zero."""
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if not byte else 0
    return bytes(out)


# Bytes in which start codes and what almost is one are frequent.
dense = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 255]), max_size=80).map(bytes)
units = st.lists(st.binary(min_size=1, max_size=30).map(lambda b: escape(b"\x41" + b + b"\x80")), max_size=8)


def units_of(data: bytes) -> list[bytes]:
    return [data[start:stop] for start, stop in split_annexb(data)]


def naive(data: bytes) -> list[bytes]:
    return [unit for part in data.split(b"\0\0\1")[1:] if (unit := part.rstrip(b"\0"))]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("empty", b"", []),
        ("no start code", b"abc", []),
        ("three", b"\0\0\1ab", [b"ab"]),
        ("four", b"\0\0\0\1ab", [b"ab"]),
        ("mixed", b"\0\0\0\1ab\0\0\1c\0\0\0\1d", [b"ab", b"c", b"d"]),
        ("trailing zeros", b"\0\0\1ab\0\0\0\0\0\0\1c\0\0\0", [b"ab", b"c"]),
        ("garbage in front", b"xyz\0\0\1ab", [b"ab"]),
        ("empty units", b"\0\0\1\0\0\1\0\0\1a\0\0\1", [b"a"]),
    ],
)
def test_split_annexb(name: str, data: bytes, expected: list[bytes]) -> None:
    assert units_of(data) == expected
    assert nal_units(data) == expected
    # The same behind a unit long enough for the vectorised search, at either parity.
    for filler in (b"\0\0\1" + b"\x55" * 5000, b"\0\0\1" + b"\x55" * 5001):
        assert units_of(filler + data) == naive(filler + data)


@given(dense, st.integers(4090, 4110), dense)
def test_both_searches_agree(front: bytes, length: int, back: bytes) -> None:
    data = front + b"\x55" * length + back
    assert units_of(data) == nal_units(data) == naive(data)
    assert units_of(front) == nal_units(front) == naive(front)
    long = front + b"\x55" * (length * 3) + back
    assert units_of(long) == nal_units(long) == naive(long)


@given(units)
def test_round_trip(units: list[bytes]) -> None:
    annexb = b"".join(b"\0\0\0\1" + unit for unit in units)
    lengths = annexb_to_lengths(annexb)
    assert lengths_to_annexb(lengths) == annexb
    assert [lengths[a:b] for a, b in split_lengths(lengths)] == units


@given(dense)
def test_escape_round_trip(rbsp: bytes) -> None:
    escaped = escape(rbsp + b"\x80")
    assert b"\0\0\0" not in escaped and b"\0\0\1" not in escaped and b"\0\0\2" not in escaped
    assert unescape(escaped) == rbsp + b"\x80"


def test_too_many() -> None:
    with pytest.raises(FormatError):
        split_annexb(b"\0\0\1a" * (MAX_NALS + 1))
    with pytest.raises(FormatError):
        nal_units(b"\0\0\1a" * (MAX_NALS + 1))
    with pytest.raises(FormatError):
        nal_units(b"\0\0\1" * (MAX_NALS + 1))
    assert len(nal_units(b"\0\0\1a" * MAX_NALS)) == MAX_NALS
    with pytest.raises(FormatError):
        split_lengths(b"\0\0\0\1a" * (MAX_NALS + 1))
    assert len(split_annexb(b"\0\0\1a" * MAX_NALS)) == MAX_NALS


def test_many_zeros() -> None:
    assert split_annexb(bytes(1 << 20)) == []
    assert units_of(b"\0\0\1a" + bytes(1 << 20) + b"\1b") == [b"a", b"b"]


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0", b"\0\0\0\5abcd", b"\xff\xff\xff\xffa"])
def test_truncated_lengths(data: bytes) -> None:
    with pytest.raises(FormatError):
        split_lengths(data)


def test_short_lengths() -> None:
    assert split_lengths(b"\0\1a\0\2bc", 2) == [(2, 3), (5, 7)]
    assert lengths_to_annexb(b"\1a\2bc", 1) == b"\0\0\0\1a\0\0\0\1bc"


def test_random_large() -> None:
    source = random.Random(7)
    short = nal_module._SHORT
    for size in (4096, short - 1, short, short + 1, 50000, 50001):
        data = bytearray(source.randbytes(size))
        for _ in range(9):
            place = source.randrange(size - 3)
            data[place : place + 3] = b"\0\0\1"
        assert units_of(bytes(data)) == naive(bytes(data))


@given(st.binary(max_size=40), st.lists(st.sampled_from(["u", "ue", "se", "flag", "skip", "align"]), max_size=60))
def test_bits_stay_inside(data: bytes, calls: list[str]) -> None:
    reader = BitReader(data)
    for name in calls:
        try:
            if name in ("u", "skip"):
                getattr(reader, name)(13)
            else:
                getattr(reader, name)()
        except FormatError:
            pass
        assert 0 <= reader.remaining


@pytest.mark.parametrize(
    ("bits", "ue", "se"), [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00101", 4, -2)]
)
def test_exp_golomb(bits: str, ue: int, se: int) -> None:
    data = int(bits.ljust(8, "0"), 2).to_bytes(1, "big")
    assert BitReader(data).ue() == ue
    assert BitReader(data).se() == se


@given(st.binary(min_size=1, max_size=20), st.data())
def test_bits_moved(data: bytes, draw: st.DataObject) -> None:
    begin = draw.draw(st.integers(0, len(data) * 8))
    end = draw.draw(st.integers(begin, len(data) * 8))
    text = "".join(f"{byte:08b}" for byte in data)[begin:end]
    text += "0" * (-len(text) & 7)
    assert BitReader(data).bits(begin, end) == bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
