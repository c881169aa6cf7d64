"""Which program is taken: asked for, the only one, the first that lives; and what is said when none is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mpegts.demuxer import UNREAD_MAX, TsDemuxer
from flussdvr.formats.mpegts.pes import WRAP
from flussdvr.formats.mpegts.programs import PROGRAMS_MAX, WAIT, Programs
from flussdvr.formats.mpegts.psi import ElementaryStream, ProgramAssociation, ProgramMap, build_pat, build_pmt
from flussdvr.formats.mpegts.stream_types import EXTENSION, REGISTRATION, SUBTITLES
from flussdvr.media import Codec, LeftOut, MediaEvent, TracksLeftOut
from tests.formats.transport import AUDIO_PID, PMT_PID, VIDEO_PID, Packets, program, samples_of, tracks_of

H264, ADTS = ElementaryStream(VIDEO_PID, 0x1B), ElementaryStream(AUDIO_PID, 0x0F)
OTHER_PMT = 0x1100
LIVING = ProgramMap(2, VIDEO_PID, (H264, ADTS))


def with_tables(
    media: bytes, programs: Sequence[tuple[int, int]] | None, maps: Sequence[tuple[int, ProgramMap]]
) -> bytes:
    """FFmpeg's transport stream with other tables, every 40 packets."""
    out = Packets()
    kept = [
        media[at : at + 188]
        for at in range(0, len(media), 188)
        if ((media[at + 1] & 31) << 8 | media[at + 2]) not in (0, 0x11, PMT_PID)
    ]
    for number, packet in enumerate(kept):
        if number % 40 == 0:
            if programs is not None:
                out.section(0, build_pat(ProgramAssociation(tuple(programs))))
            for pid, pmt in maps:
                out.section(pid, build_pmt(pmt))
        out.data += packet
    return out.data


def read(data: bytes, demuxer: TsDemuxer) -> list[MediaEvent]:
    events: list[MediaEvent] = []
    for at in range(0, len(data), 1316):
        events += demuxer.feed(data[at : at + 1316])
    return events


def left_out(events: Iterable[MediaEvent]) -> list[LeftOut]:
    return [one for event in events if isinstance(event, TracksLeftOut) for one in event.left_out]


def pictures(events: Iterable[MediaEvent]) -> int:
    return len(samples_of(events).get(VIDEO_PID, []))


def test_the_only_program_loses_nothing() -> None:
    data = with_tables(program(frames=50), [(2, PMT_PID)], [(PMT_PID, LIVING)])
    demuxer = TsDemuxer()
    events = read(data, demuxer) + demuxer.flush()
    assert pictures(events) == 50
    assert (demuxer.program, demuxer.complaint(), left_out(events)) == (2, None, [])


@pytest.mark.parametrize("wanted", [None, 2])
def test_a_first_program_whose_pmt_never_comes(wanted: int | None) -> None:
    data = with_tables(program(frames=100), [(1, OTHER_PMT), (2, PMT_PID)], [(PMT_PID, LIVING)])
    demuxer = TsDemuxer(wanted)
    events = read(data, demuxer) + demuxer.flush()
    assert demuxer.program == 2
    assert pictures(events) == 100
    if wanted:
        assert not left_out(events)
    else:
        (told,) = left_out(events)
        assert str(told) == (
            "program 1 is not recorded: its PMT does not come on PID 4352; "
            "program 2 is taken instead, program=N chooses"
        )


def test_a_first_program_on_whose_pids_nothing_comes() -> None:
    dead = ProgramMap(1, 0x300, (ElementaryStream(0x300, 0x1B),))
    data = with_tables(program(frames=100), [(1, OTHER_PMT), (2, PMT_PID)], [(OTHER_PMT, dead), (PMT_PID, LIVING)])
    demuxer = TsDemuxer()
    events = read(data, demuxer) + demuxer.flush()
    assert demuxer.program == 2
    assert pictures(events) == 100
    assert "nothing comes on its PIDs" in left_out(events)[0].why


def test_a_first_program_without_pictures_and_sound_is_passed_over_at_once() -> None:
    data_only = ProgramMap(1, 0x1FFF, (ElementaryStream(0x300, 0x0B),))
    data = with_tables(program(frames=50), [(1, OTHER_PMT), (2, PMT_PID)], [(OTHER_PMT, data_only), (PMT_PID, LIVING)])
    demuxer = TsDemuxer()
    events = read(data, demuxer) + demuxer.flush()
    assert pictures(events) == 50
    assert [one.serious for one in left_out(events)] == [False]


def test_of_several_that_live_the_first_is_taken() -> None:
    """Also when packets of the second come before."""
    sound = ProgramMap(1, AUDIO_PID, (ADTS,))
    picture = ProgramMap(2, VIDEO_PID, (H264,))
    data = with_tables(program(frames=50), [(1, OTHER_PMT), (2, PMT_PID)], [(PMT_PID, picture), (OTHER_PMT, sound)])
    demuxer = TsDemuxer()
    events = read(data, demuxer)
    assert demuxer.program == 1
    assert [track.codec for track in tracks_of(events)[-1]] == [Codec.AAC]
    assert not left_out(events)


def test_a_number_that_is_not_there_is_answered_with_those_that_are() -> None:
    data = with_tables(program(frames=50), [(1, OTHER_PMT), (2, PMT_PID)], [(PMT_PID, LIVING)])
    demuxer = TsDemuxer(7)
    events = read(data, demuxer)
    assert [str(one) for one in left_out(events)] == [
        "program 7 is not recorded: there is none of that number; there are programs 1, 2"
    ]
    assert demuxer.complaint() == "there is no program 7; there are programs 1, 2"
    assert not tracks_of(events)


@pytest.mark.parametrize("wanted", [None, 2])
def test_without_a_pat_the_pmt_is_found(wanted: int | None) -> None:
    data = with_tables(program(frames=100), None, [(PMT_PID, LIVING)])
    demuxer = TsDemuxer(wanted)
    events = read(data, demuxer) + demuxer.flush()
    assert pictures(events) == 100
    assert demuxer.program == 2


def test_a_pat_that_leads_nowhere_while_a_pmt_is_there() -> None:
    data = with_tables(program(frames=100), [(2, 0x1234)], [(PMT_PID, LIVING)])
    demuxer = TsDemuxer()
    assert pictures(read(data, demuxer) + demuxer.flush()) == 100


@pytest.mark.parametrize(
    ("programs", "maps", "wanted", "complaint"),
    [
        (None, [], None, "it has neither a PAT nor a PMT"),
        ([(1, PMT_PID)], [], None, "program 1: its PMT does not come on PID 4096"),
        ([(1, PMT_PID)], [], 1, "program 1: its PMT does not come on PID 4096"),
        (
            [(1, PMT_PID)],
            [(PMT_PID, ProgramMap(1, 0x300, (ElementaryStream(0x300, 0x1B),)))],
            None,
            "program 1: nothing comes on its PIDs 768",
        ),
        (
            [(1, PMT_PID)],
            [(PMT_PID, ProgramMap(1, VIDEO_PID, (ElementaryStream(VIDEO_PID, 0x42),)))],
            1,
            "AVS video on PID 256 is not recorded: this server cannot record it",
        ),
    ],
)
def test_why_nothing_comes(
    programs: Sequence[tuple[int, int]] | None,
    maps: Sequence[tuple[int, ProgramMap]],
    wanted: int | None,
    complaint: str,
) -> None:
    demuxer = TsDemuxer(wanted)
    read(with_tables(program(frames=100), programs, maps), demuxer)
    assert demuxer.complaint() == complaint


def test_what_is_no_transport_stream() -> None:
    demuxer = TsDemuxer()
    assert demuxer.complaint() is None
    read(b"<html>" * 1000, demuxer)
    assert demuxer.complaint() == "this is no MPEG-TS"


def test_a_source_that_comes_back_waits_for_its_program() -> None:
    """Else an interruption would put another channel into the recording."""
    data = with_tables(program(frames=100), [(1, OTHER_PMT), (2, PMT_PID)], [(PMT_PID, LIVING)])
    demuxer = TsDemuxer(preferred=1)
    assert not tracks_of(read(data, demuxer))
    assert str(demuxer.complaint()).startswith("program 1: its PMT does not come")
    demuxer = TsDemuxer(preferred=5)  # which the list does not have any more
    assert pictures(read(data, demuxer) + demuxer.flush()) == 100


def test_a_program_that_moves_to_another_pid_goes_on() -> None:
    media = program(frames=50)
    half = len(media) // 376 * 188
    data = with_tables(media[:half], [(2, PMT_PID)], [(PMT_PID, LIVING)])
    data += with_tables(media[half:], [(3, 0x1200), (2, OTHER_PMT)], [(OTHER_PMT, LIVING)])
    demuxer = TsDemuxer()
    events = read(data, demuxer) + demuxer.flush()
    assert demuxer.program == 2
    assert pictures(events) == 50


def test_everything_that_is_not_recorded_has_its_name() -> None:
    streams = (
        H264,
        ADTS,
        ElementaryStream(0x110, 0x83),
        ElementaryStream(0x111, 0x06, ((REGISTRATION, b"BSSD"),)),
        ElementaryStream(0x112, 0x06, ((SUBTITLES, b"deu\x10\0\1\0\1"),)),
        ElementaryStream(0x113, 0x86, ((REGISTRATION, b"CUEI"),)),
        ElementaryStream(0x114, 0x06, ((EXTENSION, b"\x15"),)),
        ElementaryStream(0x115, 0x99),
    )
    data = with_tables(program(frames=25), [(1, PMT_PID)], [(PMT_PID, ProgramMap(1, VIDEO_PID, streams))])
    demuxer = TsDemuxer()
    events = read(data, demuxer) + demuxer.flush()
    assert pictures(events) == 25
    assert {one.what: one.serious for one in left_out(events)} == {
        "Dolby TrueHD sound on PID 272": True,
        "LPCM sound (SMPTE 302M) on PID 273": True,
        "DVB subtitles on PID 274": False,
        "splicing information (SCTE 35) on PID 275": False,
        "AC-4 sound on PID 276": True,
        "stream type 0x99 on PID 277": True,
    }
    assert sum(isinstance(event, TracksLeftOut) for event in events) == 1


def test_a_stream_in_which_nothing_can_be_read_is_named() -> None:
    stream = Packets()
    stream.tables([H264, ADTS])
    for number in range(UNREAD_MAX):
        stream.pes(AUDIO_PID, b"this is no sound", number * 3600)
    demuxer = TsDemuxer()
    assert [one.what for one in left_out(demuxer.feed(stream.data))] == [f"PID {AUDIO_PID}"]


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0x1FFF)), max_size=100),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0x1FFF), st.integers(0, 0x1FFF)), max_size=100),
    st.lists(st.tuples(st.integers(0, 0x1FFF), st.none() | st.integers(0, WRAP - 1)), max_size=100),
    st.none() | st.integers(1, 0xFFFF),
)
def test_whatever_the_tables_say(
    listed: list[tuple[int, int]],
    maps: list[tuple[int, int, int]],
    began: list[tuple[int, int | None]],
    wanted: int | None,
) -> None:
    programs = Programs(wanted)
    programs.pat_received(listed)
    for number, pid, stream in maps:
        programs.map_received((number, pid), ProgramMap(number, 0, (ElementaryStream(stream, 0x1B),)))
    for pid, pts in began:
        programs.pes_began(pid, pts)
        chosen = programs.choose()
        assert chosen is None or chosen in programs.maps
        assert chosen is None or wanted in (None, chosen[0])
    assert len(programs.listed) <= PROGRAMS_MAX
    assert (programs.complaint() is None) == (programs.chosen is not None)
    programs.left_out()


def test_a_clock_that_steps_back_does_not_end_the_waiting() -> None:
    programs = Programs()
    programs.pat_received([(1, 32), (2, 33)])
    programs.map_received((2, 33), LIVING)
    for pts in (1000, 900, 500, 1000 + WAIT - 1):
        programs.pes_began(VIDEO_PID, pts)
        assert programs.choose() is None
    programs.pes_began(VIDEO_PID, 1000 + WAIT)
    assert programs.choose() == (2, 33)


def test_a_program_of_which_nothing_can_be_recorded_says_what_it_has() -> None:
    vp9 = ElementaryStream(VIDEO_PID, 0x06, ((REGISTRATION, b"VP09"),))
    demuxer = TsDemuxer()
    read(with_tables(program(frames=25), [(1, PMT_PID)], [(PMT_PID, ProgramMap(1, 0x1FFF, (vp9,)))]), demuxer)
    assert demuxer.complaint() == ("program 1: it has nothing that can be recorded, only VP9 video on PID 256")
