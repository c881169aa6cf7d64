from __future__ import annotations

import numpy as np
import pytest

from flussdvr.formats import stbl


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (stbl.stts(ints(3, 3, 4, 3)), "stts 0 3 2 3 1 4 1 3"),
        (stbl.stts(ints(9)), "stts 0 1 1 9"),
        (stbl.ctts(ints(2, 0, 0)), "ctts 0 2 1 2 2 0"),
        (stbl.stss(np.array([True, False, True])), "stss 0 2 1 3"),
        (stbl.stsz(ints(7, 8)), "stsz 0 0 2 7 8"),
        (stbl.stsc(ints(5, 5, 4, 4), ints(1, 1, 1, 2)), "stsc 0 3 1 5 1 3 4 1 4 4 2"),
        (stbl.co64(ints(1 << 40, 6)), "co64 0 2 256 0 0 6"),
    ],
)
def test_boxes(written: bytes, expected: str) -> None:
    name, *words = expected.split()
    assert int.from_bytes(written[:4]) == len(written)
    assert written[4:8] == name.encode()
    assert np.frombuffer(written[8:], ">u4").tolist() == [int(word) for word in words]


def test_nothing_where_nothing_is_to_be_said() -> None:
    assert stbl.ctts(ints(0, 0)) == b""
    assert stbl.stss(np.array([True, True])) == b""
