"""Exp-Golomb codes, in both readers."""

from __future__ import annotations

from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.bits import BitReader, HeadReader


class Reader(Protocol):
    def u(self, count: int, /) -> int: ...

    def ue(self) -> int: ...

    def se(self) -> int: ...


def test_numbers_of_the_standard() -> None:
    # Tables 9-2 and 9-3: 1, 010, 011, 00100 and, signed, 010, 011.
    for reader in (BitReader(b"\xa6\x44\xc0"), HeadReader(b"\xa6\x44\xc0")):
        assert [reader.ue() for _ in range(4)] == [0, 1, 2, 3]
        assert [reader.se() for _ in range(2)] == [1, -1]


def _ue(bits: str) -> tuple[int, int] | None:
    """(number, bits that it takes) at the beginning of `bits`, read by the letter."""
    zeros = len(bits) - len(bits.lstrip("0"))
    size = 2 * zeros + 1
    return None if zeros > 31 or size > len(bits) else (int(bits[zeros:size], 2) - 1, size)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 8, 127, 255]), max_size=14).map(bytes), st.integers(0, 112))
def test_any_bits_at_any_place(data: bytes, skipped: int) -> None:
    skipped = min(skipped, len(data) * 8)
    bits = "".join(f"{byte:08b}" for byte in data)[skipped:]
    readers: list[Reader] = [BitReader(data), HeadReader(data)]
    for reader in readers:
        reader.u(skipped)
        rest = bits
        while (expected := _ue(rest)) is not None:
            assert reader.ue() == expected[0]
            rest = rest[expected[1] :]
        with pytest.raises(FormatError):
            reader.ue()
