from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.made import Made, Making, size_of


@given(st.binary(max_size=50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_any_part(data: bytes, start: int, stop: int, begin: int, end: int) -> None:
    whole = Made.of(lambda: data, len(data))
    start, stop = sorted((min(start, len(data)), min(stop, len(data))))
    some = whole.slice(start, stop)
    assert (len(some), some.data()) == (stop - start, data[start:stop])
    begin, end = sorted((min(begin, len(some)), min(end, len(some))))
    assert some.slice(begin, end).data() == data[start:stop][begin:end]
    assert size_of([whole, b"ab", some]) == len(data) + 2 + len(some)


def test_it_is_made_once_for_its_parts_in_a_row() -> None:
    calls: list[str] = []

    def make(name: str) -> Made:
        return Made.of(lambda: (calls.append(name), name.encode() * 10)[1], 10)

    making, first, second = Making(), make("a"), make("b")
    read = [making.data(part) for part in (first.slice(0, 4), first.slice(4, 10), second, first)]
    assert read == [b"aaaa", b"aaaaaa", b"b" * 10, b"a" * 10] and calls == ["a", "b", "a"]
    making.forget()
    assert making.data(first) and calls[-2:] == ["a", "a"]


def test_a_length_that_was_not_kept() -> None:
    with pytest.raises(FormatError):
        Made.of(lambda: b"abc", 4).slice(1, 2).data()
