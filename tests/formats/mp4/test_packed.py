from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mp4.packed import Ascending, Packed

numbers = st.one_of(
    st.lists(st.integers(0, reach).map(lambda value, least=least: value + least), min_size=1, max_size=400)
    for reach in (3, 300, 1 << 16, 1 << 24, 1 << 32, 1 << 40)
    for least in (-5000, 0, 1 << 33)
)


@given(numbers, st.integers(0, 400), st.integers(0, 400))
def test_the_same_numbers(values: list[int], begin: int, stop: int) -> None:
    column = Packed.of(np.array(values, np.int64))
    assert column.column().tolist() == values and len(column) == len(values)
    assert column.bounds == (min(values), max(values))
    assert (column.at(0), column.at(-1)) == (values[0], values[-1])
    assert column[begin:stop].column().tolist() == values[begin:stop]


@given(st.lists(st.integers(0, 1 << 40), max_size=50).map(sorted))
def test_columns_that_never_fall(values: list[int]) -> None:
    column = Ascending.of(np.array(values, np.int64))
    assert column.column().tolist() == values and len(column) == len(values)


@pytest.mark.parametrize(
    ("most", "width"), [(200, 1), (60_000, 2), (10_000_000, 3), (1 << 31, 4), (1 << 40, 8)], ids=str
)
def test_as_few_bytes_as_the_range_takes(most: int, width: int) -> None:
    values = np.random.default_rng(1).integers(0, most, 10_000)
    assert Packed.of(values + 12_345).nbytes == width * len(values)


def test_few_different_ones_take_a_byte_each() -> None:
    values = np.random.default_rng(1).choice([0, 3600, 1 << 50], 10_000)
    assert Packed.of(values).nbytes < 10_100


@pytest.mark.parametrize(
    "behind", [[-7], [1 << 50], [9000], list(range(10_000, 20_000, 3)), list(range(10_000, 20_000, 40))]
)
def test_others_come_behind_the_few_at_the_beginning(behind: list[int]) -> None:
    values = [0, 3600, 7200] * 1000 + behind
    assert Packed.of(np.array(values, np.int64)).column().tolist() == values


def test_nothing() -> None:
    assert Packed.of(np.empty(0, np.int64)).column().tolist() == []


@given(numbers, numbers)
def test_what_the_numbers_are_can_be_told(values: list[int], others: list[int]) -> None:
    one, other = (Packed.of(np.array(column, np.int64)).tag() for column in (values, others))
    assert (one == other) == (values == others)
    assert Packed.of(np.array([*values, values[0]], np.int64)).tag() != one
