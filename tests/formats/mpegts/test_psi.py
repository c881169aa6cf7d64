from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.psi import (
    ElementaryStream,
    ProgramAssociation,
    ProgramMap,
    SectionReader,
    build_pat,
    build_pmt,
    language_descriptor,
    packets_payload,
    parse_pat,
    parse_pmt,
    with_registrations,
)
from flussdvr.formats.mpegts.stream_types import LANGUAGE, REGISTRATION, Framing
from tests.formats.transport import program

PMT = ProgramMap(
    7,
    0x100,
    (
        ElementaryStream(0x100, 0x1B),
        ElementaryStream(0x101, 0x0F, (language_descriptor("eng"),)),
        ElementaryStream(0x102, 0x06, ((0x6A, b"\0"), language_descriptor("rus"))),
    ),
    ((REGISTRATION, b"HDMV"),),
    3,
)


@pytest.mark.parametrize(
    ("program", "stream_type", "own", "name"),
    [
        ((b"CUEI",), 0x86, (), ("splicing information (SCTE 35)", False)),
        ((b"GA94", b"CUEI"), 0x86, (), ("splicing information (SCTE 35)", False)),
        ((b"HDMV",), 0x86, (), ("DTS-HD Master Audio sound", True)),
        ((b"CUEI",), 0x86, (b"AC-4",), ("AC-4 sound", True)),
        ((b"CUEI",), 0x83, (), ("Dolby TrueHD sound", True)),
        ((), 0x86, (), ("DTS-HD Master Audio sound", True)),
    ],
)
def test_a_programs_registration_tells_what_its_streams_are(
    program: tuple[bytes, ...], stream_type: int, own: tuple[bytes, ...], name: tuple[str, bool]
) -> None:
    entry = ElementaryStream(0x101, stream_type, tuple((REGISTRATION, one) for one in own))
    pmt = ProgramMap(1, 0x100, (entry, *PMT.streams), tuple((REGISTRATION, one) for one in program))
    found = with_registrations(parse_pmt(build_pmt(pmt)))
    assert found.streams[0].name == name
    assert found.streams[1:] == PMT.streams


def test_round_trip() -> None:
    pat = ProgramAssociation(((1, 0x1000), (2, 0x1FF0)), 9, 31)
    assert parse_pat(build_pat(pat)) == pat
    assert parse_pmt(build_pmt(PMT)) == PMT
    assert [stream.language for stream in PMT.streams] == ["und", "eng", "rus"]


def test_against_ffmpeg() -> None:
    """What FFmpeg writes; without its CRC the bytes of a section are the same as ours."""
    data = program()
    sections = {}
    for at in range(0, len(data), 188):
        pid = (data[at + 1] & 31) << 8 | data[at + 2]
        if pid in (0, 0x1000) and pid not in sections:
            (sections[pid],) = SectionReader().feed(data[at + 4 : at + 188], True)
    pat, pmt = parse_pat(sections[0]), parse_pmt(sections[0x1000])
    assert pat.programs == ((1, 0x1000),)
    assert [(stream.pid, stream.framing) for stream in pmt.streams] == [(0x100, Framing.H264), (0x101, Framing.ADTS)]
    assert build_pat(pat) == sections[0]
    assert build_pmt(pmt) == sections[0x1000]


@pytest.mark.parametrize(
    ("stream_type", "descriptors", "framing"),
    [
        (0x1B, (), Framing.H264),
        (0x24, (), Framing.H265),
        (0x0F, (), Framing.ADTS),
        (0x11, (), Framing.LATM),
        (0x03, (), Framing.MPEG_AUDIO),
        (0x04, (), Framing.MPEG_AUDIO),
        (0x81, (), Framing.AC3),
        (0x87, (), Framing.EAC3),
        (0x06, ((0x6A, b""),), Framing.AC3),
        (0x06, ((0x7A, b""),), Framing.EAC3),
        (0x06, ((REGISTRATION, b"AC-3"),), Framing.AC3),
        (0x06, ((REGISTRATION, b"HEVC"),), Framing.H265),
        (0x06, ((0x56, b""),), None),
        (0x01, (), Framing.MPEG_VIDEO),
        (0x02, (), Framing.MPEG_VIDEO),
        (0x06, ((REGISTRATION, b"Opus"),), Framing.OPUS),
        (0x06, (), None),
        (0x86, (), None),
    ],
)
def test_framing(stream_type: int, descriptors: tuple[tuple[int, bytes], ...], framing: Framing | None) -> None:
    assert ElementaryStream(1, stream_type, descriptors).framing is framing


@pytest.mark.parametrize("code", [b"", b"en", b"\xff\xfe\xfd", b"   \0"])
def test_a_language_that_is_none(code: bytes) -> None:
    assert ElementaryStream(1, 0x0F, ((LANGUAGE, code),)).language == "und"


@pytest.mark.parametrize("at", range(0, len(build_pmt(PMT)), 3))
def test_damage_is_found(at: int) -> None:
    section = bytearray(build_pmt(PMT))
    section[at] ^= 0x20
    with pytest.raises(FormatError):
        parse_pmt(bytes(section))
    assert not SectionReader().feed(packets_payload(bytes(section)), True)


def test_a_section_over_packets_and_two_in_one() -> None:
    long = build_pmt(ProgramMap(1, 1, tuple(ElementaryStream(100 + n, 0x0F) for n in range(60))))
    short = build_pat(ProgramAssociation(((1, 2),)))
    data = b"\0" + long
    reader = SectionReader()
    assert reader.feed(data[:184], True) == []
    assert reader.feed(data[184:], False) == [long]
    # The end of one, then two more behind the pointer.
    reader = SectionReader()
    assert reader.feed(data[:184], True) == []
    rest = data[184:]
    other = build_pat(ProgramAssociation(((1, 3),)))
    assert reader.feed(bytes((len(rest),)) + rest + short + other + b"\xff" * 9, True) == [long, short, other]


def test_repetition_is_not_reported() -> None:
    reader = SectionReader()
    payload = packets_payload(build_pmt(PMT))
    assert reader.feed(payload, True) == [build_pmt(PMT)]
    assert reader.feed(payload, True) == []


def test_a_lost_packet() -> None:
    long = b"\0" + build_pmt(ProgramMap(1, 1, tuple(ElementaryStream(100 + n, 0x0F) for n in range(90))))
    reader = SectionReader()
    reader.feed(long[:184], True)
    reader.lost()
    assert reader.feed(long[368:], False) == []
    assert reader.feed(long[:184], True) == []
    assert len(reader.feed(long[184:], False)) == 1


@given(st.lists(st.tuples(st.binary(max_size=184), st.booleans())))
def test_garbage(payloads: list[tuple[bytes, bool]]) -> None:
    reader = SectionReader()
    for payload, starts in payloads:
        assert reader.feed(payload, starts) == []
        for parse in (parse_pat, parse_pmt):
            with pytest.raises(FormatError):
                parse(payload)


@given(st.binary(max_size=200))
def test_any_body_with_a_right_crc(body: bytes) -> None:
    """Truncated loops and descriptors are no reason to fail."""
    from flussdvr.formats.mpegts.psi import PAT_TABLE, PMT_TABLE, _section

    parse_pat(_section(PAT_TABLE, 1, 0, body))
    section = _section(PMT_TABLE, 1, 0, bytes(4) + body)
    for stream in parse_pmt(section).streams:
        assert stream.language and (stream.framing or True)


def test_too_long_to_build() -> None:
    with pytest.raises(FormatError):
        build_pmt(ProgramMap(1, 1, tuple(ElementaryStream(n, 0x0F) for n in range(300))))
