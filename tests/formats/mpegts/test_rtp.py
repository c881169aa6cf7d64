"""Transport packets out of RTP, whatever the network did to the order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.rtp import RtpTs, is_rtp, payload_span


def packet(
    sequence: int, payload: bytes = b"", *, csrc: int = 0, extension: int | None = None, padding: int = 0
) -> bytes:
    payload = payload or b"\x47" + sequence.to_bytes(4, "big") + bytes(183)
    first = 0x80 | csrc | (0x10 if extension is not None else 0) | (0x20 if padding else 0)
    head = bytes((first, 33)) + (sequence & 0xFFFF).to_bytes(2, "big") + bytes(8) + bytes(4 * csrc)
    if extension is not None:
        head += b"\xbe\xde" + extension.to_bytes(2, "big") + bytes(4 * extension)
    return head + payload + (bytes(padding - 1) + bytes((padding,)) if padding else b"")


def receive(rtp: RtpTs, *packets: bytes) -> list[int]:
    data = b"".join(rtp.receive(memoryview(b"".join(packets)), [len(p) for p in packets]))
    return [int.from_bytes(data[at + 1 : at + 5], "big") for at in range(0, len(data), 188)]


@pytest.mark.parametrize("options", [{}, {"csrc": 3}, {"extension": 0}, {"extension": 2}, {"padding": 4}, {"csrc": 15}])
def test_headers_come_off(options: dict[str, int]) -> None:
    data = packet(7, **options)
    start, stop = payload_span(memoryview(data))
    assert data[start] == 0x47 and stop - start == 188
    assert is_rtp(memoryview(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80" * 12,
        b"\x47" * 188,
        b"\x8f" + bytes(40),
        b"\x90" + bytes(13),
        b"\xa0" + bytes(11) + b"\xff",
    ],
    ids=["empty", "one byte", "no payload", "TS", "CSRC", "extension", "padding"],
)
def test_what_is_no_rtp(data: bytes) -> None:
    assert payload_span(memoryview(data)) == (0, 0)
    assert not is_rtp(memoryview(data))


def test_order_inside_a_batch() -> None:
    rtp = RtpTs()
    assert receive(rtp, packet(10)) == [10]
    assert receive(rtp, packet(12), packet(11), packet(14), packet(13)) == [11, 12, 13, 14]
    assert (rtp.lost, rtp.late) == (0, 0)


def test_order_across_batchs() -> None:
    rtp = RtpTs()
    assert receive(rtp, packet(1), packet(2), packet(4)) == [1, 2]
    assert receive(rtp, packet(3), packet(5)) == [3, 4, 5]
    assert rtp.lost == 0


def test_a_hole_is_waited_for_once() -> None:
    rtp = RtpTs()
    assert receive(rtp, packet(1), packet(3)) == [1]
    assert receive(rtp, packet(4)) == [3, 4]
    assert rtp.lost == 1
    assert receive(rtp, packet(2), packet(5)) == [5]
    assert rtp.late == 1


def test_duplicates() -> None:
    rtp = RtpTs()
    assert receive(rtp, packet(1), packet(2), packet(2), packet(1), packet(3)) == [1, 2, 3]


def test_sequence_numbers_wrap() -> None:
    rtp = RtpTs()
    got = []
    for start in range(65_500, 65_600, 10):
        got += receive(rtp, *(packet(n) for n in range(start, start + 10)))
    assert got == list(range(65_500, 65_600))
    assert (rtp.lost, rtp.late) == (0, 0)


def test_another_sender_is_no_loss() -> None:
    rtp = RtpTs()
    receive(rtp, packet(100))
    assert receive(rtp, packet(40_000), packet(40_001)) == [40_000, 40_001]
    assert receive(rtp, packet(5), packet(6)) == [5, 6]
    assert (rtp.lost, rtp.late) == (0, 0)


def test_garbage_is_counted() -> None:
    rtp = RtpTs()
    assert receive(rtp, packet(1), b"garbage", b"", packet(2)) == [1, 2]
    assert rtp.bad == 2


@given(st.integers(0, 65_535), st.integers(0, 2**32), st.integers(1, 60))
def test_nothing_is_lost_of_what_is_only_shuffled(first: int, seed: int, batch: int) -> None:
    """Packets displaced by a few places, in batches of any size, come out once and in order."""
    shuffle = random.Random(seed)
    numbers = list(range(first, first + 200))
    displaced = [first, *sorted(numbers[1:], key=lambda n: n + shuffle.random() * 3)]
    rtp = RtpTs()
    got: list[int] = []
    for at in range(0, len(displaced), batch):
        got += receive(rtp, *(packet(n) for n in displaced[at : at + batch]))
    got += receive(rtp, packet(first + 200), packet(first + 201))
    assert got == sorted(set(got))
    assert len(got) + rtp.lost >= 200
    if batch >= 10:
        assert len(got) >= 195


@given(st.lists(st.binary(max_size=60), max_size=30))
def test_any_bytes(datagrams: list[bytes]) -> None:
    RtpTs().receive(memoryview(b"".join(datagrams)), [len(d) for d in datagrams])
