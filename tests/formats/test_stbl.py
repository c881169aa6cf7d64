from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats import stbl
from flussdvr.formats.stbl import Runs


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def runs(*pieces: list[int]) -> list[Runs]:
    return [Runs.of(ints(*piece)) for piece in pieces]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (stbl.stts(runs([3, 3, 4, 3])), "stts 0 3 2 3 1 4 1 3"),
        (stbl.stts(runs([9])), "stts 0 1 1 9"),
        (stbl.stts(runs([3, 3], [], [3], [3, 4])), "stts 0 2 4 3 1 4"),
        (stbl.ctts(runs([2, 0, 0], [0])), "ctts 0 2 1 2 3 0"),
        (stbl.stss([(ints(0, 2), 3), (ints(), 2), (ints(1), 2)]), "stss 0 3 1 3 7"),
        (stbl.stsz([ints(7), ints(8)]), "stsz 0 0 2 7 8"),
        (stbl.stsc([(ints(5, 5, 4), 1), (ints(4), 2)]), "stsc 0 3 1 5 1 3 4 1 4 4 2"),
        (stbl.stsc([(ints(5, 4), 1), (ints(4, 4, 5), 1)]), "stsc 0 3 1 5 1 2 4 1 5 5 1"),
    ],
)
def test_boxes(written: list[bytes], expected: str) -> None:
    data = b"".join(written)
    name, *words = expected.split()
    assert int.from_bytes(data[:4]) == len(data)
    assert data[4:8] == name.encode()
    assert np.frombuffer(data[8:], ">u4").tolist() == [int(word) for word in words]


def test_chunk_offsets_come_later() -> None:
    header = stbl.co64_header(2)
    assert (int.from_bytes(header[:4]), header[4:8], header[8:]) == (len(header) + 16, b"co64", b"\0\0\0\0\0\0\0\2")


def test_nothing_where_nothing_is_to_be_said() -> None:
    assert stbl.ctts(runs([0, 0], [0])) == []
    assert stbl.stss([(ints(0, 1), 2), (ints(0), 1)]) == []


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_times_that_no_table_has(value: int) -> None:
    with pytest.raises(FormatError):
        stbl.ctts(runs([0, value]))


@given(st.lists(st.lists(st.integers(0, 3) | st.integers(0, stbl.MAX_DELTA), max_size=9), max_size=5))
def test_any_pieces(pieces: list[list[int]]) -> None:
    """However a column comes in pieces: the same runs, none of them twice."""
    column = [value for piece in pieces for value in piece]
    assert [one.column().tolist() for one in runs(*pieces)] == pieces
    rows = np.frombuffer(b"".join(stbl.stts(runs(*pieces)))[16:], ">u4").reshape(-1, 2).tolist()
    assert [value for count, value in rows for _ in range(count)] == column
    assert all(one[1] != other[1] for one, other in pairwise(rows))
