"""AMF0: rows of (bytes, value), both directions; hostile input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.flv.amf0 import MAX_DEPTH, MAX_VALUES, EcmaArray, Value, decode, encode

ROWS: list[tuple[str, Value]] = [
    ("00 3ff0000000000000", 1.0),
    ("01 00", False),
    ("01 01", True),
    ("02 0004 6c697665", "live"),
    ("03 0003617070 02 0001 78 000009", {"app": "x"}),
    ("03 000009", {}),
    ("05", None),
    ("08 00000001 0001 61 05 000009", EcmaArray(a=None)),
    ("0a 00000002 05 0101", [None, True]),
]

READ_ONLY_ROWS: list[tuple[str, Value]] = [
    ("06", None),
    ("0b 4000000000000000 0000", 2.0),
    ("0c 00000001 61", "a"),
    ("10 0001 43 0001 61 05 000009", {"a": None}),
    ("08 00000001 0001 61 05", {"a": None}),  # the end marker is missing
    ("02 0001 ff", "�"),
]


@pytest.mark.parametrize(("hexadecimal", "value"), ROWS)
def test_both_directions(hexadecimal: str, value: Value) -> None:
    data = bytes.fromhex(hexadecimal)
    assert decode(data) == [value]
    assert encode(value) == data


@pytest.mark.parametrize(("hexadecimal", "value"), READ_ONLY_ROWS)
def test_what_others_write(hexadecimal: str, value: Value) -> None:
    assert decode(bytes.fromhex(hexadecimal)) == [value]


def test_several_values() -> None:
    assert decode(encode("connect", 1, {"app": "live"})) == ["connect", 1.0, {"app": "live"}]


def test_a_long_string_takes_the_long_form() -> None:
    assert encode("x" * 70_000)[0] == 0x0C
    assert decode(encode("x" * 70_000)) == ["x" * 70_000]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x01", "truncated: need 8, have 1"),
        (b"\x02\x00\x05abc", "truncated: need 5, have 3"),
        (b"\x0a\xff\xff\xff\xff\x05", "truncated"),
        (b"\x03\x00\x01a", "truncated"),
        (b"\x07\x00\x01", "0x07 is not supported"),
        (b"\x11\x05", "0x11 is not supported"),
        (b"\x0a\x00\x00\x00\x01" * (MAX_DEPTH + 1) + b"\x05", "nested"),
        (b"\x03\x00\x01a" * 100_000, "nested"),
        (b"\x05" * (MAX_VALUES + 1), "numerous"),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        decode(data)


@given(st.binary(max_size=200))
def test_garbage_gives_format_error_or_values(data: bytes) -> None:
    try:
        decode(data)
    except FormatError:
        pass


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(values, max_size=4))
def test_round_trip(items: list[Value]) -> None:
    assert decode(encode(*items)) == items


@given(values)
def test_every_truncation_is_refused(value: Value) -> None:
    data = encode([value])
    for end in range(1, len(data)):
        with pytest.raises(FormatError):
            decode(data[:end])
