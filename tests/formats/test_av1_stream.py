"""AV1 in MPEG-TS: FFmpeg's pictures, put into packets as the standard says and as others do."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.av1_stream import Av1Stream, obus_of
from flussdvr.formats.codecs import av1
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.psi import ElementaryStream
from flussdvr.media import Codec, MediaEvent, PictureTrouble
from tests.formats.encoded import decoded, encoded, packets_of, recorded, same_pictures
from tests.formats.transport import AUDIO_PID, VIDEO_PID, Packets, losses_of, samples_of, tracks_of

CODE = b"\0\0\1"
Form = Callable[[bytes], bytes]


def escaped(obu: bytes) -> bytes:
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", obu)


def by_the_standard(unit: bytes) -> bytes:
    return b"".join(CODE + escaped(unit[begin:end]) for _, begin, _, end in av1.split_obus(unit))


def with_long_codes(unit: bytes) -> bytes:
    return b"".join(b"\0" + CODE + escaped(unit[begin:end]) for _, begin, _, end in av1.split_obus(unit))


def without_sizes(unit: bytes) -> bytes:
    parts = []
    for _, begin, payload, end in av1.split_obus(unit):
        head = 2 if unit[begin] & 4 else 1
        obu = bytes((unit[begin] & ~2,)) + unit[begin + 1 : begin + head] + unit[payload:end]
        parts.append(CODE + escaped(obu))
    return b"".join(parts)


FORMS: list[Form] = [by_the_standard, with_long_codes, without_sizes, bytes]


@cache
def units() -> tuple[bytes, tuple[tuple[bytes, int, bool], ...]]:
    """(av1C, (temporal unit with its delimiter, time in 90 kHz, whether it is a key frame)...), from FFmpeg."""
    extra, packets = packets_of(encoded("matroska", "libsvtav1"), "matroska")
    return extra["video"], tuple(
        (b"\x12\0" + bytes(packet), 90_000 + packet.pts * 90, packet.is_keyframe) for _, packet in packets
    )


def transport(form: Form, registration: bytes = b"AV01") -> tuple[bytes, list[int]]:
    """The stream, and where the packets of each picture begin."""
    record, pictures = units()
    out = Packets()
    descriptors = ((0x05, registration), (0x80, record[:4]))
    out.tables([ElementaryStream(VIDEO_PID, 0x06, descriptors), ElementaryStream(AUDIO_PID, 0x06)])
    places = []
    for unit, pts, _ in pictures:
        places.append(len(out.data))
        out.pes(VIDEO_PID, form(unit), pts, bounded=False)
    return out.data, places


def demux(data: bytes, piece: int = 1316) -> list[MediaEvent]:
    demuxer = TsDemuxer()
    events = [event for at in range(0, len(data), piece) for event in demuxer.feed(data[at : at + piece])]
    return events + demuxer.flush()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [188, 1000])
def test_recorded_and_decoded(form: Form, piece: int) -> None:
    record, pictures = units()
    events = demux(transport(form)[0], piece)
    ((track,),) = tracks_of(events)
    samples = samples_of(events)[VIDEO_PID]
    assert (track.codec, track.width, track.height) == (Codec.AV1, 96, 64)
    assert track.config[:4] == record[:4], "as FFmpeg says it"
    assert av1.sequence_header_of(av1.config_obus(track.config)) == av1.sequence_header_of(av1.config_obus(record))
    assert codec_string(track).startswith("av01.0.")
    assert [sample.sync for sample in samples] == [key for _, _, key in pictures]
    assert [sample.pts for sample in samples] == [pts for _, pts, _ in pictures]
    assert [sample.data for sample in samples] == [av1.temporal_unit(unit) for unit, _, _ in pictures]
    assert not losses_of(events)
    movie = recorded((track,), {track.id: samples})
    same_pictures(decoded(movie, "mp4", "video"), decoded(encoded("matroska", "libsvtav1"), "matroska", "video"))


def test_gstreamers_registration() -> None:
    events = demux(transport(bytes, b"AV1G")[0])
    assert len(samples_of(events)[VIDEO_PID]) == len(units()[1])


@given(st.integers(1, 48), st.integers(0, 20))
def test_a_loss_costs_one_picture_and_marks_the_rest_of_its_group(number: int, packet: int) -> None:
    _, pictures = units()
    data, places = transport(by_the_standard)
    stop = places[number + 1]
    at = places[number] + 188 * packet % (stop - places[number])
    events = demux(data[:at] + data[at + 188 :])
    found = samples_of(events)[VIDEO_PID]
    known = [av1.temporal_unit(unit) for unit, _, _ in pictures]
    if packet and places[number] + 188 < stop:
        assert [sample.data for sample in found] == known[:number] + known[number + 1 :]
    assert {sample.data for sample in found} <= set(known)
    losses = losses_of(events)
    assert losses[PictureTrouble.INCOMPLETE] == len(known) - len(found) == 1
    rest = next((n for n in range(number + 1, len(known)) if pictures[n][2]), len(known)) - number - 1
    assert losses.get(PictureTrouble.DAMAGED, 0) == rest


@pytest.mark.parametrize(
    ("profile", "depth", "monochrome", "expected"),
    [
        (0, 8, False, (True, True)),
        (0, 10, True, (True, True)),
        (1, 8, False, (False, False)),
        (2, 12, False, (True, False)),
    ],
)
def test_colours(profile: int, depth: int, monochrome: bool, expected: tuple[bool, bool]) -> None:
    """A reduced still picture header of 16 x 16, written bit by bit."""
    bits = f"{profile:03b}" + "1" + "1" + f"{5:05b}" + "0011" + "0011" + "1111" + "1111" + "000" + "000"
    bits += "1" if depth > 8 else "0"
    bits += {8: "", 10: "0", 12: "1"}[depth] if profile == 2 and depth > 8 else ""
    bits += "" if profile == 1 else str(int(monochrome))
    bits += "0" + "0"
    bits += "10" if profile == 2 and depth == 12 else ""
    bits += "01" if expected == (True, True) and not monochrome else ""
    bits += "0" * 16
    data = int(bits[: len(bits) // 8 * 8], 2).to_bytes(len(bits) // 8, "big")
    header = av1.parse_sequence_header(data)
    assert (header.width, header.height, header.level, header.profile) == (16, 16, 5, profile)
    assert (header.bit_depth, header.monochrome, header.subsampling) == (depth, monochrome, expected)
    assert header.chroma_position == (1 if expected == (True, True) and not monochrome else 0)


@given(st.binary(max_size=300), st.lists(st.binary(max_size=60), max_size=8))
def test_garbage(data: bytes, pieces: list[bytes]) -> None:
    for payload in (data, CODE + data, CODE.join([b"", *pieces])):
        try:
            unit = obus_of(payload)
            list(av1.split_obus(unit))
            av1.is_sync(unit)
        except FormatError:
            pass
        stream = Av1Stream(1, "und")
        stream.read(0, 0, payload)
        stream.peek(b"")
        stream.lost()
        stream.flush()
