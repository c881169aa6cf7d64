from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.rtp import RtpPacket, RtpTsReader, parse_rtp


def datagram(sequence: int, payload: bytes = b"", ssrc: int = 7, payload_type: int = 33, first: int = 0x80) -> bytes:
    return (
        bytes((first, payload_type))
        + (sequence & 0xFFFF).to_bytes(2, "big")
        + bytes(4)
        + ssrc.to_bytes(4, "big")
        + payload
    )


def ts(number: int) -> bytes:
    return b"\x47" + number.to_bytes(3, "big") * 2


@pytest.mark.parametrize(
    ("name", "data", "payload"),
    [
        ("plain", datagram(1, b"abc"), b"abc"),
        ("empty", datagram(1), b""),
        ("csrc", datagram(1, bytes(8) + b"abc", first=0x82), b"abc"),
        ("extension", datagram(1, b"\xbe\xde\0\1" + bytes(4) + b"abc", first=0x90), b"abc"),
        ("padding", datagram(1, b"abc\0\0\3", first=0xA0), b"abc"),
    ],
)
def test_parse(name: str, data: bytes, payload: bytes) -> None:
    assert parse_rtp(data) == RtpPacket(False, 33, 1, 0, 7, payload)


@pytest.mark.parametrize(
    "data",
    [b"", datagram(1)[:11], ts(1) * 4, datagram(1, b"ab", first=0x8F), datagram(1, b"a\xff", first=0xA0),
     datagram(1, b"a\0", first=0xA0), datagram(1, b"\0\0\xff\xff", first=0x90)],
)  # fmt: skip
def test_what_is_no_rtp(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_rtp(data)
    reader = RtpTsReader()
    assert (reader.feed(data), reader.bad) == (b"", 1)


def test_marker() -> None:
    assert parse_rtp(datagram(1, payload_type=0x80 | 33)).marker


@given(st.randoms(use_true_random=False), st.integers(0, 0xFFFF), st.integers(0, 15))
def test_order_is_restored(chance: random.Random, begin: int, reach: int) -> None:
    count = 100
    sent = sorted(range(count), key=lambda n: (n and n + chance.random() * reach, n))
    reader = RtpTsReader()
    got = b"".join(reader.feed(datagram(begin + n, ts(n))) for n in sent) + reader.flush()
    assert got == b"".join(ts(n) for n in range(count))
    assert (reader.order.lost, reader.order.late, reader.bad) == (0, 0, 0)


def test_loss_is_counted_and_not_waited_for_long() -> None:
    reader = RtpTsReader(depth=4)
    got = b"".join(reader.feed(datagram(0xFFFE + n, ts(n))) for n in (0, 1, 4, 5, 6, 7, 8, 2, 2, 9))
    assert got == b"".join(ts(n) for n in (0, 1, 4, 5, 6, 7, 8, 9))
    assert (reader.order.lost, reader.order.late) == (2, 2)


def test_duplicates() -> None:
    reader = RtpTsReader()
    got = b"".join(reader.feed(datagram(n, ts(n))) for n in (0, 0, 1, 3, 3, 2))
    assert got == b"".join(ts(n) for n in range(4))
    assert reader.order.late == 2


@pytest.mark.parametrize("second", [datagram(5000, ts(2)), datagram(2, ts(2), ssrc=8)])
def test_a_sender_that_starts_again(second: bytes) -> None:
    reader = RtpTsReader()
    got = reader.feed(datagram(0, ts(0))) + reader.feed(datagram(2, ts(1))) + reader.feed(second)
    assert got == ts(0) + ts(1) + ts(2)
    assert (reader.order.restarts, reader.order.lost) == (1, 1)


@given(st.lists(st.binary(max_size=40)))
def test_garbage(datagrams: list[bytes]) -> None:
    reader = RtpTsReader()
    for data in datagrams:
        reader.feed(data)
        reader.feed(b"\x80" + data)
