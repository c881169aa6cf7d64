from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.made import Made
from flussdvr.formats.mp4 import stbl
from flussdvr.formats.mp4.packed import Ascending, Packed
from flussdvr.formats.mp4.stbl import Origin, Part, Runs, SomeRuns, SomeSizes


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def packed(*values: int) -> Packed:
    return Packed.of(ints(*values))


def numbers(*values: int) -> Ascending:
    return Ascending.of(ints(*values))


def joined(parts: list[Part]) -> bytes:
    return b"".join(part.data() if isinstance(part, Made) else part for part in parts)


def runs(*pieces: list[int], shift: int = 0) -> list[SomeRuns]:
    return [replace(SomeRuns.of(Runs.of(ints(*piece))), shift=shift) for piece in pieces]


def sizes(*pieces: tuple[list[int], list[int], int]) -> list[SomeSizes]:
    def one(some: list[int], who: list[int], more: int) -> SomeSizes:
        return SomeSizes(lambda: packed(*some), len(some), numbers(*who), more)

    return [one(*piece) for piece in pieces]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (stbl.stts(runs([3, 3, 4, 3])), "stts 0 3 2 3 1 4 1 3"),
        (stbl.stts(runs([9])), "stts 0 1 1 9"),
        (stbl.stts(runs([3, 3], [], [3], [3, 4])), "stts 0 2 4 3 1 4"),
        (stbl.ctts(runs([2, 0, 0], [0])), "ctts 0 2 1 2 3 0"),
        (stbl.ctts(runs([0, -5], [-5], shift=5)), "ctts 0 2 1 5 2 0"),
        (stbl.stss([(numbers(0, 2), 3), (numbers(), 2), (numbers(1), 2)]), "stss 0 3 1 3 7"),
        (stbl.stsz(sizes(([7], [], 0), ([8, 9], [1], 5))), "stsz 0 0 3 7 8 14"),
        (stbl.stsc([(Runs.of(ints(5, 5, 4)), 1), (Runs.of(ints(4)), 2)]), "stsc 0 3 1 5 1 3 4 1 4 4 2"),
        (stbl.stsc([(Runs.of(ints(5, 4)), 1), (Runs.of(ints(4, 4, 5)), 1)]), "stsc 0 3 1 5 1 2 4 1 5 5 1"),
    ],
)
def test_boxes(written: list[Part], expected: str) -> None:
    data = joined(written)
    name, *words = expected.split()
    assert int.from_bytes(data[:4]) == len(data)
    assert data[4:8] == name.encode()
    assert np.frombuffer(data[8:], ">u4").tolist() == [int(word) for word in words]


def test_chunk_offsets_come_later() -> None:
    header = stbl.co64_header(2)
    assert (int.from_bytes(header[:4]), header[4:8], header[8:]) == (len(header) + 16, b"co64", b"\0\0\0\0\0\0\0\2")


def test_nothing_where_nothing_is_to_be_said() -> None:
    assert stbl.ctts(runs([0, 0], [0])) == []
    assert stbl.stss([(numbers(0, 1), 2), (numbers(0), 1)]) == []


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_times_that_no_table_has(value: int) -> None:
    with pytest.raises(FormatError):
        stbl.ctts(runs([0, value]))


columns = st.lists(st.lists(st.integers(0, 3) | st.integers(0, stbl.MAX_DELTA), max_size=9), max_size=5)


@given(columns)
def test_any_pieces(pieces: list[list[int]]) -> None:
    """However a column comes in pieces: the same runs, none of them twice."""
    column = [value for piece in pieces for value in piece]
    assert [one.get().column().tolist() for one in runs(*pieces)] == pieces
    data = joined(stbl.stts(runs(*pieces)))
    assert data == joined(stbl.stts(runs(column))), "as if it came in one"
    rows = np.frombuffer(data[16:], ">u4").reshape(-1, 2).tolist()
    assert [value for count, value in rows for _ in range(count)] == column
    assert all(one[1] != other[1] for one, other in pairwise(rows))


@given(columns.filter(any), st.integers(1, 4), st.integers(0, 9))
def test_rows_that_are_made_later_are_those_made_at_once(pieces: list[list[int]], rows: int, more: int) -> None:
    """Whatever the size of the pieces that a table is made in."""
    some = sizes(*((piece, list(range(0, len(piece), 2)), more) for piece in pieces))
    chunks = [(Runs.of(ints(*piece)), 1) for piece in pieces if piece]
    sync = [(numbers(*range(0, len(piece), 3)), len(piece)) for piece in pieces]

    def tables() -> list[list[Part]]:
        return [
            stbl.stts(runs(*pieces)),
            stbl.ctts(runs(*pieces)),
            stbl.stsz(some),
            stbl.stsc(chunks),
            stbl.stss(sync),
        ]

    at_once = [joined(one) for one in tables()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stbl, "ROWS", rows)
        patch.setattr(stbl, "FEW_BYTES", 0)
        later = tables()
    assert [joined(one) for one in later] == at_once
    assert all(int.from_bytes(one[0][:4]) == sum(map(len, one)) for one in later if one and isinstance(one[0], bytes))
    made = [part for part in (*later[0], *later[2]) if isinstance(part, Made)]
    assert all(len(part) <= 8 * rows for part in made)


def test_what_is_not_held_is_read_when_it_is_wanted_and_told_apart_without() -> None:
    reads: list[str] = []
    column = Runs.of(ints(1, 2, 2))

    def read() -> Runs:
        reads.append("read")
        return column

    def table(*more: list[int], tag: bytes = b"a", shift: int = 0) -> tuple[bytes, list[Made]]:
        some = replace(SomeRuns.of(column), get=read, origin=Origin("/a/disk", tag), shift=shift)
        parts = stbl.stts([some, *runs(*more)])
        made = [part for part in parts if isinstance(part, Made)]
        assert not reads and [one.place for one in made] == ["/a/disk"] and made[0].slice(1, 2).place == "/a/disk"
        data = joined(parts)
        reads.clear()
        return data, made

    assert table()[0] == joined(stbl.stts(runs([1, 2, 2])))
    assert table([2, 3])[0] == joined(stbl.stts(runs([1, 2, 2, 2, 3])))
    made = [table(*args)[1][0] for args in ([], [[2]], [[3]])] + [table(tag=b"b")[1][0], table(shift=1)[1][0]]
    tags = [one.tag for one in made]
    assert tags[0] == tags[2] and len(set(tags)) == 4 and all(tags), "it says whatever the bytes depend on"
