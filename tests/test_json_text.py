"""JSON of others is read within bounds: whatever it is, the answer is a value or `ValueError`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.json_text import MAX_DEPTH, parse_json

LIMIT = 1 << 20
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_is_json_is_read(value: object, plain: bool) -> None:
    text = json.dumps(value, ensure_ascii=plain)
    assert parse_json(text, LIMIT) == value
    if plain:
        assert parse_json(text.encode(), LIMIT) == value


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\ -+.eE0123456789tfn', max_size=200).map(str.encode))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    try:
        parse_json(data, LIMIT)
    except ValueError:
        pass


@pytest.mark.parametrize("bracket", ["[]", "{}"])
def test_depth(bracket: str) -> None:
    def nested(depth: int) -> str:
        return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1) if bracket == "{}" else "[" * depth + "]" * depth

    parse_json(nested(MAX_DEPTH), LIMIT)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="deeper"):
            parse_json(nested(depth), LIMIT)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1" * 5000, "", "[1", b"\xff"])
def test_what_is_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text, LIMIT)


def test_brackets_in_strings_do_not_nest() -> None:
    text = json.dumps(["[" * 1000, "\\", '"[{', "\\\\["])
    assert parse_json(text, LIMIT) == json.loads(text)


def test_length() -> None:
    assert parse_json("[1, 2]", 6) == [1, 2]
    with pytest.raises(ValueError, match="6 characters"):
        parse_json("[1, 2]", 5)
