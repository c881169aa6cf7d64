"""Padding behind the packets of a datagram is left out; packets that lie across datagrams are not touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.ingest.udp.padding import DatagramPadding

PACKETS = b"".join(b"\x47" + bytes((number % 251,)) * 187 for number in range(700))
PADDINGS = {
    "fill": b"\xff" * 20,
    "like a packet": b"\x47\x40\x11\x10" + bytes(60),
    "one byte": b"\0",
    "one byte like a packet": b"\x47",
    "as long as a packet": bytes(188),
    "longer than a packet": b"\xff" * 300,
}


def datagrams(size: int, padding: bytes = b"") -> list[bytes]:
    return [PACKETS[at : at + size] + padding for at in range(0, len(PACKETS) - size, size)]


def cut(pieces: list[bytes], per_batch: int = 5) -> bytes:
    reader = DatagramPadding()
    found = b""
    for at in range(0, len(pieces), per_batch):
        batch = pieces[at : at + per_batch]
        found += reader.cut(memoryview(b"".join(batch)), [len(piece) for piece in batch])
    return found


@pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
@pytest.mark.parametrize("per_batch", [1, 5])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_padding_is_left_out_from_the_first_datagram_on(padding: bytes, per_batch: int, count: int) -> None:
    if count == 1 and len(padding) > 188:
        return  # nothing tells a packet and noise from noise
    pieces = datagrams(count * 188, padding)
    assert cut(pieces, per_batch) == PACKETS[: count * 188 * len(pieces)]


@pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
def test_only_datagrams_that_are_not_full_are_padded(padding: bytes) -> None:
    """The last one before a pause has fewer packets than fit."""
    pieces, at, given = [], 0, b""
    for number in range(90):
        size = 188 * (7 if number % 3 else 4)
        given += PACKETS[at : at + size]
        pieces.append(PACKETS[at : at + size] + (b"" if number % 3 else padding))
        at += size
    assert cut(pieces) == given


@given(st.integers(1, 1500), st.integers(1, 20))
def test_packets_across_datagrams_are_not_touched(size: int, per_batch: int) -> None:
    pieces = datagrams(size)[:60]
    found = cut(pieces, per_batch)
    given = b"".join(pieces)
    assert given.startswith(found)
    assert len(given) - len(found) < 188  # which may be the begin of the next packet


@given(st.integers(600, 1500), st.integers(1, 600), st.integers(1, 58))
def test_packets_across_datagrams_of_which_one_is_missing(size: int, begin: int, missing: int) -> None:
    """Also where the first of them begins within a packet."""
    pieces = [PACKETS[at : at + size] for at in range(begin, begin + 60 * size, size)]
    del pieces[missing]
    given = b"".join(pieces)
    found = cut(pieces)
    assert len(given) - len(found) < 188 * 3


@given(st.lists(st.binary(min_size=1, max_size=600), max_size=30))
def test_whatever_comes(pieces: list[bytes]) -> None:
    assert len(cut(pieces)) <= sum(map(len, pieces))


def test_a_damaged_packet_does_not_make_padding_of_those_behind_it() -> None:
    pieces = datagrams(1316)
    pieces[3] = pieces[3][:376] + b"\0" + pieces[3][377:]
    assert cut(pieces) == b"".join(pieces)


@pytest.mark.parametrize("parity", [bytes(16), bytes((0x47,)) * 16, b"\xff" * 4, b"\x47" * 4])
@pytest.mark.parametrize("size", [2, 7, 8])
@pytest.mark.parametrize("timestamp_first", [False, True])
def test_longer_packets_are_not_touched(parity: bytes, size: int, timestamp_first: bool) -> None:
    packets = [PACKETS[at : at + 188] for at in range(0, 188 * 200, 188)]
    long = [parity + packet if timestamp_first else packet + parity for packet in packets]
    pieces = [b"".join(long[at : at + size]) for at in range(0, len(long), size)]
    assert cut(pieces) == b"".join(pieces)
