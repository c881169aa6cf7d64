"""Packets of 192 and 204 bytes give exactly what those of 188 bytes in them give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.packet_size import LONGEST_SEARCH, find_long_packets
from flussdvr.media import MediaEvent
from tests.formats.transport import program, samples_of

PLAIN = program(frames=25)


def longer(data: bytes, size: int) -> bytes:
    """Each packet of 188 bytes with a timestamp before it, or parity behind it."""
    before, behind = (b"\x12\x34\x56\x78", b"") if size == 192 else (b"", b"\xa5" * 16)
    return b"".join(before + data[at : at + 188] + behind for at in range(0, len(data), 188))


def read(data: bytes, piece: int) -> tuple[TsDemuxer, list[MediaEvent]]:
    demuxer = TsDemuxer()
    events: list[MediaEvent] = []
    for at in range(0, len(data), piece):
        events += demuxer.feed(data[at : at + piece])
    return demuxer, events + demuxer.flush()


@pytest.mark.parametrize("size", [192, 204])
@pytest.mark.parametrize(("piece", "skipped"), [(1, 0), (7, 1), (188, 3), (192, 4), (204, 5), (1316, 191), (9000, 700)])
def test_pieces_of_any_size_from_anywhere(size: int, piece: int, skipped: int) -> None:
    packets = -(-max(0, skipped - (4 if size == 192 else 0)) // size)
    expected = samples_of(read(PLAIN[packets * 188 :], 1316)[1])
    demuxer, events = read(longer(PLAIN, size)[skipped:], piece)
    assert samples_of(events) == expected
    assert demuxer.resyncs == 0


@pytest.mark.parametrize("size", [192, 204])
def test_bytes_that_are_missing_cost_little(size: int) -> None:
    data = longer(PLAIN, size)
    cut = size * 60 + 50
    demuxer, events = read(data[:cut] + data[cut + 30 :], 5000)
    whole = samples_of(read(PLAIN, 1316)[1])
    found = samples_of(events)
    assert demuxer.resyncs == 1
    assert sum(map(len, found.values())) > sum(map(len, whole.values())) * 3 // 4


def test_the_size_changes_on_the_way() -> None:
    third = len(PLAIN) // 564 * 188
    data = longer(PLAIN[:third], 192) + longer(PLAIN[third : 2 * third], 204) + PLAIN[2 * third :]
    _, events = read(data, 1316)
    whole = samples_of(read(PLAIN, 1316)[1])
    assert sum(map(len, samples_of(events).values())) > sum(map(len, whole.values())) * 3 // 4


@given(st.binary(max_size=LONGEST_SEARCH))
def test_too_little_to_be_sure(data: bytes) -> None:
    assert find_long_packets(data) is None or len(data) > 4 * 192


def test_188_bytes_are_not_taken_for_more() -> None:
    for begin in range(0, 400, 7):
        assert find_long_packets(PLAIN, begin) is None
