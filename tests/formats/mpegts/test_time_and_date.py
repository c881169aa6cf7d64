"""TDT and TOT: what a multiplex says of the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.packet import crc32_mpeg
from flussdvr.formats.mpegts.time_and_date import TimeReader, parse_time_and_date, parse_utc
from flussdvr.media import DataLost, MediaEvent, TimeAndDate
from tests.formats.time_tables import PACKET, packets, tdt, tot, with_times
from tests.formats.transport import program, samples_of

NOW = 1_795_194_000_000
LAST = 2_155_593_599_000
"""2038-04-22 23:59:59, the last second of 16 bits of days."""
SECONDS = st.integers(0, LAST // 1000).map(lambda seconds: seconds * 1000)


def read(data: bytes) -> list[int]:
    reader = TimeReader()
    found = [reader.feed(data[at : at + PACKET]) for at in range(0, len(data), PACKET)]
    return [utc_ms for utc_ms in found if utc_ms is not None]


def test_the_example_of_the_standard() -> None:
    assert parse_utc(bytes.fromhex("C079124500")) == 750_516_300_000, "1993-10-13 12:45:00 (Annex C, §5.2.5)"


@given(SECONDS, st.integers(0, 60))
def test_round_trip(utc_ms: int, countries: int) -> None:
    assert parse_time_and_date(tdt(utc_ms)) == utc_ms
    section = tot(utc_ms, countries)
    assert parse_time_and_date(section) == utc_ms
    assert read(packets(section)) == read(packets(tdt(utc_ms))) == [utc_ms]


@pytest.mark.parametrize(
    "five",
    [
        "ffffffffff",  # undefined
        "eefa240000",
        "eefa236000",
        "eefa235960",
        "eefa1a0000",
        "eefa00a100",
        "eefa00000f",
        "9e8a235959",  # 1969
        "0000000000",
        "eefa0000",
        "eefa000000ff",
    ],
)
def test_what_is_no_time(five: str) -> None:
    with pytest.raises(FormatError):
        parse_utc(bytes.fromhex(five))
    data = bytes.fromhex(five)
    with pytest.raises(FormatError):
        parse_time_and_date(b"\x70\x70" + bytes((len(data),)) + data)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"\x73\x70" + data))
def test_garbage_is_refused_or_a_time(data: bytes) -> None:
    try:
        assert 0 <= parse_time_and_date(data) <= LAST
    except FormatError:
        pass


def test_a_tot_with_any_bit_flipped_is_none() -> None:
    section = tot(NOW, 2)
    for bit in range(8 * len(section)):
        data = bytearray(section)
        data[bit // 8] ^= 1 << bit % 8
        try:
            # A TOT that says to be a TDT has the wrong length; bits that are reserved are in the CRC.
            parse_time_and_date(bytes(data))
        except FormatError:
            continue
        raise AssertionError(f"bit {bit}")


def test_every_truncation_is_refused() -> None:
    for section in (tdt(NOW), tot(NOW, 2)):
        for length in range(len(section)):
            with pytest.raises(FormatError):
                parse_time_and_date(section[:length])


def test_a_tot_over_several_packets() -> None:
    data = packets(tot(NOW, 50))
    assert len(data) > 3 * PACKET
    assert read(data) == [NOW]
    assert read(data[:PACKET] + data[2 * PACKET :] + packets(tdt(NOW + 1000))) == [NOW + 1000]
    assert read(data[PACKET:]) == []


def test_sections_behind_each_other_and_a_section_that_ends_behind_the_pointer() -> None:
    both = b"\0" + tdt(NOW) + tot(NOW + 1000)
    assert read(b"\x47\x40\x14\x10" + both.ljust(184, b"\xff")) == [NOW + 1000]
    section = tot(NOW, 20)
    first = b"\x47\x40\x14\x10\0" + section[:183]
    second = bytes((len(section) - 183,)) + section[183:] + tdt(NOW + 5000)
    assert read(first + b"\x47\x40\x14\x11" + second.ljust(184, b"\xff")) == [NOW + 5000]
    second = bytes((len(section) - 183,)) + section[183:]
    assert read(first + b"\x47\x40\x14\x11" + second.ljust(184, b"\xff")) == [NOW]


def test_a_tdt_over_two_packets_has_no_crc_and_does_not_count() -> None:
    stuffed = b"\x71\x70\xb0" + bytes(176)  # a running status table in front
    first = b"\x47\x40\x14\x10\0" + stuffed + tdt(NOW)[:4]
    assert read(first + (b"\x47\x00\x14\x11" + tdt(NOW)[4:]).ljust(PACKET, b"\xff")) == []


@pytest.mark.parametrize(("at", "bits"), [(0, 1), (1, 0x80), (3, 0x40), (3, 0x80), (3, 0xC0)])
def test_damaged_and_scrambled_packets_are_left_out(at: int, bits: int) -> None:
    data = bytearray(packets(tdt(NOW)))
    data[at] ^= bits
    assert read(bytes(data)) == []


@given(
    st.lists(
        st.binary(min_size=184, max_size=184).flatmap(
            lambda body: st.tuples(st.sampled_from([0, 0x40]), st.integers(0, 255)).map(
                lambda head: bytes((0x47, head[0], 0x14, head[1])) + body
            )
        ),
        max_size=8,
    )
)
def test_any_packets_are_read_and_little_is_kept(data: list[bytes]) -> None:
    reader = TimeReader()
    for packet in data:
        found = reader.feed(packet)
        assert found is None or 0 <= found <= LAST
        assert len(reader._rest) <= 1024


# In a stream


def times_of(events: list[MediaEvent]) -> list[TimeAndDate]:
    return [event for event in events if isinstance(event, TimeAndDate)]


def demux(data: bytes, size: int) -> tuple[list[MediaEvent], TsDemuxer]:
    demuxer = TsDemuxer()
    events: list[MediaEvent] = []
    for at in range(0, len(data), size):
        events += demuxer.feed(data[at : at + size])
    return events + demuxer.flush(), demuxer


@pytest.mark.parametrize("size", [1, 100, 188, 7 * 188])
def test_the_time_comes_with_the_medias(size: int) -> None:
    plain = program(75)
    count = len(plain) // PACKET
    # A multiplexer that leaves the counters at 0 loses nothing.
    data = with_times(plain, {2 * count // 5: packets(tdt(NOW)), 4 * count // 5: packets(tot(NOW + 1000, 30))})
    events, demuxer = demux(data, size)
    first, second = times_of(events)
    assert (first.utc_ms, second.utc_ms) == (NOW, NOW + 1000)
    assert 800 <= second.media_ms - first.media_ms <= 1600
    assert not demuxer.cc_errors and not [event for event in events if isinstance(event, DataLost)]
    assert samples_of(events) == samples_of(demux(plain, size)[0])


def test_a_flood_of_times_is_few_events() -> None:
    data = with_times(program(), {300: b"".join(packets(tdt(NOW + 1000 * number)) for number in range(5000))})
    events, _ = demux(data, len(data))
    assert 1 <= len(times_of(events)) <= 10


def test_a_time_without_media_says_nothing() -> None:
    events, _ = demux(packets(tdt(NOW)) * 20, PACKET)
    assert times_of(events) == []


def test_a_program_may_use_the_pid_for_something_else() -> None:
    """Where there is no DVB, PID 0x14 is like any other."""
    data = bytearray(program())
    for at in range(0, len(data), PACKET):
        if data[at + 1] & 0x1F == 0x01 and data[at + 2] == 0x01:
            data[at + 1], data[at + 2] = data[at + 1] & 0xE0, 0x14
        elif data[at + 1] & 0x1F == 0x10 and data[at + 2] == 0:  # the PMT says so
            place = data.index(b"\x0f\xe1\x01", at, at + PACKET)
            data[place + 1 : place + 3] = b"\xe0\x14"
            begin = at + 5 + data[at + 4]
            stop = begin + 3 + ((data[begin + 1] & 15) << 8 | data[begin + 2])
            data[stop - 4 : stop] = crc32_mpeg(bytes(data[begin : stop - 4])).to_bytes(4, "big")
    moved, plain = samples_of(demux(bytes(data), 1316)[0]), samples_of(demux(program(), 1316)[0])
    assert moved[0x14] == plain[0x101] and moved[0x100] == plain[0x100]
