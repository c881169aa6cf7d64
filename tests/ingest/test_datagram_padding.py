"""Padding behind the packets of a datagram is left out; packets that lie across datagrams are not touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.ingest.datagram_padding import SURE, DatagramPadding

PACKETS = b"".join(b"\x47" + bytes((number % 251,)) * 187 for number in range(700))


def datagrams(size: int, padding: bytes = b"") -> list[bytes]:
    return [PACKETS[at : at + size] + padding for at in range(0, len(PACKETS) - size, size)]


def cut(pieces: list[bytes], per_heap: int = 5) -> bytes:
    reader = DatagramPadding()
    found = b""
    for at in range(0, len(pieces), per_heap):
        heap = pieces[at : at + per_heap]
        found += reader.cut(memoryview(b"".join(heap)), [len(piece) for piece in heap])
    return found


@pytest.mark.parametrize("padding", [b"\xff" * 20, b"\x47\x40\x11\x10" + bytes(60), b"\0"])
@pytest.mark.parametrize("per_heap", [1, 5])
def test_padding_is_left_out(padding: bytes, per_heap: int) -> None:
    pieces = datagrams(1316, padding)
    odd = len(padding) * (SURE - 1)
    found = cut(pieces, per_heap)
    assert len(found) == len(pieces) * 1316 + odd
    assert found.endswith(b"".join(piece[:1316] for piece in pieces[SURE:]))


@given(st.integers(1, 1500), st.integers(1, 20))
def test_packets_across_datagrams_are_not_touched(size: int, per_heap: int) -> None:
    pieces = datagrams(size)[:60]
    assert cut(pieces, per_heap) == b"".join(pieces)


@given(st.lists(st.binary(min_size=1, max_size=600), max_size=30))
def test_whatever_comes(pieces: list[bytes]) -> None:
    assert len(cut(pieces)) <= sum(map(len, pieces))
