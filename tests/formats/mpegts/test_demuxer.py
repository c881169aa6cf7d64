from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.formats.codecs import h264, h265
from flussdvr.formats.mpegts import demuxer as mpegts
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.psi import ElementaryStream, ProgramAssociation, ProgramMap, build_pat, build_pmt
from flussdvr.media import Codec, MediaEvent, PictureTrouble, Sample, SamplesReceived, TracksChanged
from tests.formats.transport import (
    AUDIO_PID,
    PMT_PID,
    VIDEO_PID,
    WRAP,
    Packets,
    av_packets,
    losses_of,
    program,
    samples_of,
    tracks_of,
)

H264, ADTS = ElementaryStream(VIDEO_PID, 0x1B), ElementaryStream(AUDIO_PID, 0x0F)


def demux(data: bytes | Iterable[bytes], demuxer: TsDemuxer | None = None) -> list[MediaEvent]:
    demuxer = demuxer or TsDemuxer()
    events: list[MediaEvent] = []
    for piece in [data] if isinstance(data, bytes) else data:
        events += demuxer.feed(piece)
    return events + demuxer.flush()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def units(packets: int = 4) -> list[bytes]:
    """Annex B pictures, the first a key frame with its parameter sets."""
    found = [bytes(packet) for packet in av_packets(program())[VIDEO_PID]]
    return found[:packets]


def adts(count: int = 4) -> list[bytes]:
    return [bytes(packet) for packet in av_packets(program())[AUDIO_PID]][:count]


# Against FFmpeg


@pytest.mark.parametrize(
    ("video", "audio", "bframes", "offset_s"),
    [
        ("libx264", "aac", 0, 0),
        ("libx264", "mp2", 2, 0),
        ("libx264", "ac3", 0, 0),
        ("libx264", "libmp3lame", 0, 0),
        ("libx265", "aac", 2, 0),
        ("libx264", "aac", 2, WRAP / 90000 - 2),
    ],
)
def test_against_ffmpeg(video: str, audio: str, bframes: int, offset_s: float) -> None:
    data = program(video=video, audio=audio, bframes=bframes, offset_s=offset_s)
    expected = av_packets(data)
    demuxer = TsDemuxer()
    events = demux(data, demuxer)
    assert isinstance(events[0], TracksChanged)
    (tracks,) = tracks_of(events)
    found = samples_of(events)
    picture, sound = tracks
    assert (picture.id, picture.width, picture.height, picture.timescale) == (VIDEO_PID, 64, 64, 90000)
    assert picture.config
    assert (sound.id, sound.timescale, sound.sample_rate, sound.channels) == (AUDIO_PID, 48000, 48000, 2)
    read = h264.read_access_unit if video == "libx264" else h265.read_access_unit
    for packet, sample in zip(expected[VIDEO_PID], found[VIDEO_PID], strict=True):
        assert sample.data == read(bytes(packet)).sample
        assert (packet.dts - sample.dts) % WRAP == 0
        assert packet.pts - packet.dts == sample.cto
        assert packet.is_keyframe == sample.sync
    strip = 7 if audio == "aac" else 0
    for packet, sample in zip(expected[AUDIO_PID], found[AUDIO_PID], strict=True):
        assert sample.data == bytes(packet)[strip:]
    step = {"aac": 1024, "ac3": 1536}.get(audio, 1152)
    dts = [sample.dts for sample in found[AUDIO_PID]]
    assert dts == list(range(dts[0], dts[0] + step * len(dts), step))
    off = expected[AUDIO_PID][0].pts - dts[0] * 90000 / 48000
    assert abs((off + WRAP // 2) % WRAP - WRAP // 2) <= 1
    assert demuxer.packets == len(data) // 188
    assert not demuxer.cc_errors and not demuxer.resyncs and not demuxer.dropped_pes


@pytest.mark.parametrize("size", [1, 187, 188, 189, 1316, 13160])
def test_in_pieces(size: int) -> None:
    data = program(frames=12)
    whole = demux(data)
    events = demux(pieces(data, size))
    assert samples_of(events) == samples_of(whole)
    assert tracks_of(events) == tracks_of(whole)


def test_any_buffer() -> None:
    data = program(frames=12)
    assert demux([bytearray(data), memoryview(data)[:0]]) == demux(data)  # type: ignore[list-item]


def test_much_at_once_stays_interleaved() -> None:
    events = demux(program(frames=100, width=256))
    ids = [event.track_id for event in events if isinstance(event, SamplesReceived)]
    assert len(ids) > 8


# Sync


@given(st.binary(max_size=600))
def test_garbage_in_front(garbage: bytes) -> None:
    data = program(frames=12)
    assert samples_of(demux(garbage + data)) == samples_of(demux(data))


def test_garbage_in_the_middle() -> None:
    data = program(frames=25)
    at = len(data) // 188 // 2 * 188
    demuxer = TsDemuxer()
    found = samples_of(demux(data[:at] + b"garbage" + data[at:], demuxer))
    assert found == samples_of(demux(data))
    assert demuxer.resyncs == 1


def test_one_wrong_sync_byte() -> None:
    data = bytearray(program(frames=25))
    at = len(data) // 188 // 2 * 188
    data[at] = 0
    demuxer = TsDemuxer()
    events = demux(bytes(data), demuxer)
    assert demuxer.resyncs == 1
    assert demuxer.cc_errors <= 1
    assert (
        sum(map(len, samples_of(events).values())) >= sum(map(len, samples_of(demux(program(frames=25))).values())) - 5
    )


@given(st.integers(0, 6000))
def test_truncated(length: int) -> None:
    whole = samples_of(demux(program(frames=12)))
    for pid, samples in samples_of(demux(program(frames=12)[:length])).items():
        # The last one may be cut: nothing said that more belonged to it.
        assert samples[:-1] == whole[pid][: len(samples) - 1]


# Damage


def subset(found: dict[int, list[Sample]], whole: dict[int, list[Sample]]) -> bool:
    return all({sample.data for sample in found[pid]} <= {sample.data for sample in whole[pid]} for pid in found)


@settings(max_examples=40)
@given(st.data())
def test_missing_packets(data: st.DataObject) -> None:
    """What is reported is whole, whichever packets are missing."""
    packets = pieces(program(frames=25), 188)
    gone = data.draw(st.sets(st.integers(12, len(packets) - 1), min_size=1, max_size=8))
    kept = [packet for number, packet in enumerate(packets) if number not in gone]
    demuxer = TsDemuxer()
    events = demux(b"".join(kept), demuxer)
    whole = samples_of(demux(program(frames=25)))
    for pid, samples in samples_of(events).items():
        last = max(gone) >= len(packets) - 16
        assert subset({pid: samples[:-1] if last else samples}, whole)
        times = {sample.data: sample.dts for sample in whole[pid]}
        assert all(times[sample.data] == sample.dts for sample in samples[: -1 if last else None])
    assert losses_of(events).get("packets missing", 0) == demuxer.cc_errors


def test_a_missing_packet_drops_one_picture() -> None:
    packets = pieces(program(frames=25), 188)
    middle = [n for n, p in enumerate(packets) if p[1] & 0x1F == 1 and p[2] == 0 and not p[1] & 0x40][-20]
    demuxer = TsDemuxer()
    events = demux(b"".join(packets[:middle] + packets[middle + 1 :]), demuxer)
    assert len(samples_of(events)[VIDEO_PID]) == 24
    after = losses_of(events).pop(PictureTrouble.DAMAGED, 0)  # the rest of its group of pictures
    assert losses_of(events) == {"packets missing": 1, PictureTrouble.INCOMPLETE: 1} | (
        {PictureTrouble.DAMAGED: after} if after else {}
    )
    assert (demuxer.cc_errors, demuxer.dropped_pes) == (1, 1)


@given(st.integers(0, 100), st.integers(1, 3))
def test_duplicates_are_ignored(number: int, times: int) -> None:
    packets = pieces(program(frames=12), 188)
    number %= len(packets)
    again = packets[number]
    demuxer = TsDemuxer()
    events = demux(b"".join(packets[: number + 1] + [again] * times + packets[number + 1 :]), demuxer)
    assert samples_of(events) == samples_of(demux(program(frames=12)))
    assert not losses_of(events)
    assert demuxer.cc_errors == 0


@pytest.mark.parametrize(
    ("byte", "bits", "reason", "counter"),
    [(1, 0x80, "transport error", "transport_errors"), (3, 0x80, "scrambled", "scrambled")],
)
def test_packets_that_cannot_be_read(byte: int, bits: int, reason: str, counter: str) -> None:
    data = bytearray(program(frames=25))
    starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x5F == 0x41 and data[at + 2] == 0]
    data[starts[12] + 188 * 2 + byte] |= bits
    demuxer = TsDemuxer()
    events = demux(bytes(data), demuxer)
    losses = losses_of(events)
    # Of ten pictures a group, the second one of the second group is lost.
    assert losses == {reason: 1, PictureTrouble.INCOMPLETE: 1, PictureTrouble.DAMAGED: 7}
    assert getattr(demuxer, counter) == 1
    assert demuxer.cc_errors == 0
    assert subset(samples_of(events), samples_of(demux(program(frames=25))))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere(data: st.DataObject) -> None:
    """Bits flip, packets vanish, come twice, change places: it never raises."""
    stream = bytearray(program(frames=12))
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=40)):
        stream[at] ^= 1 << data.draw(st.integers(0, 7))
    packets = pieces(bytes(stream), 188)
    chance = random.Random(data.draw(st.integers(0, 1000)))
    for _ in range(data.draw(st.integers(0, 5))):
        one, other = chance.randrange(len(packets)), chance.randrange(len(packets))
        packets[one], packets[other] = packets[other], packets[chance.randrange(len(packets))]
    demux(pieces(b"".join(packets), data.draw(st.integers(1, 5000))))


@given(st.lists(st.binary(max_size=400)))
def test_garbage(data: list[bytes]) -> None:
    demuxer = TsDemuxer()
    assert not samples_of(demux(data, demuxer))
    assert len(demuxer._rest) < 1000


@given(st.lists(st.tuples(st.integers(0, 0x1FFF), st.integers(0, 255), st.booleans(), st.binary(max_size=184))))
def test_packets_of_garbage(packets: list[tuple[int, int, bool, bytes]]) -> None:
    stream = Packets()
    stream.tables([H264, ADTS])
    data = stream.data
    for pid, flags, short, payload in packets:
        pid = (0, PMT_PID, VIDEO_PID, AUDIO_PID)[pid & 3] if short else pid
        data += bytes((0x47, 0x40 * short | pid >> 8, pid & 255, flags)) + payload.ljust(184, b"\xff")
    demux(data)


def test_a_flood_of_pids() -> None:
    stream = b"".join(
        bytes((0x47, 0x40 | number >> 8 & 31, number & 255, 0x10)) + bytes(184) for number in range(32, 8192)
    )
    demuxer = TsDemuxer()
    assert demux(stream, demuxer) == []
    assert len(demuxer._flows) == 1


def test_a_pes_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpegts, "VIDEO_PES_MAX", 1 << 20)
    stream = Packets()
    stream.tables([H264])
    first = units(1)[0]
    stream.pes(VIDEO_PID, first, 0, bounded=False)
    demuxer = TsDemuxer()
    demuxer.feed(stream.data)
    endless = b"".join(bytes((0x47, 1, 0, 0x10 | number & 15)) + bytes(184) for number in range(16))
    counter = (stream.counters[VIDEO_PID] + 1) & 15
    endless = endless[188 * counter :] + endless[: 188 * counter]
    reasons: dict[str, int] = {}
    for _ in range(500):
        for reason, count in losses_of(demuxer.feed(endless)).items():
            reasons[reason] = reasons.get(reason, 0) + count
        assert sum(len(part) for flow in demuxer._flows.values() for part in flow.parts) <= 1 << 20
    assert reasons == {"PES without end": 1}
    assert demuxer.dropped_pes == 1


# Programs


@pytest.mark.parametrize(("program_number", "pid"), [(None, VIDEO_PID), (1, VIDEO_PID), (2, 0x200), (3, None)])
def test_program_is_chosen(program_number: int | None, pid: int | None) -> None:
    stream = Packets()
    stream.section(0, build_pat(ProgramAssociation(((1, PMT_PID), (2, 0x1100)))))
    stream.section(0x1100, build_pmt(ProgramMap(2, 0x200, (ElementaryStream(0x200, 0x1B),))))
    stream.section(PMT_PID, build_pmt(ProgramMap(1, VIDEO_PID, (H264,))))
    for number in range(3):
        stream.pes(VIDEO_PID, units()[number], 3600 * number)
        stream.pes(0x200, units()[number], 3600 * number)
    events = demux(stream.data, TsDemuxer(program_number))
    assert [[track.id for track in tracks] for tracks in tracks_of(events)] == ([[pid]] if pid else [])


def build(stream: Packets, begin: int, count: int, video: list[bytes], audio: list[bytes]) -> None:
    for number in range(begin, begin + count):
        stream.pes(VIDEO_PID, video[number % len(video)], 3600 * number + 7200, 3600 * number, bounded=False)
        stream.pes(AUDIO_PID, audio[number % len(audio)], 1920 * number)


def test_pmt_that_grows_and_shrinks() -> None:
    stream = Packets()
    stream.tables([H264])
    build(stream, 0, 5, units(), adts())
    stream.tables([H264, ADTS], version=1)
    build(stream, 5, 5, units(), adts())
    stream.tables([ADTS], version=2)
    build(stream, 10, 5, units(), adts())
    events = demux(stream.data)
    assert [[track.id for track in tracks] for tracks in tracks_of(events)] == [
        [VIDEO_PID],
        [VIDEO_PID, AUDIO_PID],
        [AUDIO_PID],
    ]
    found = samples_of(events)
    assert [sample.dts for sample in found[VIDEO_PID]] == [3600 * n for n in range(10)]
    assert [sample.dts for sample in found[AUDIO_PID]] == [1024 * n for n in range(5, 15)]
    known: set[int] = set()
    for event in events:
        if isinstance(event, TracksChanged):
            known = {track.id for track in event.tracks}
        elif isinstance(event, SamplesReceived):
            assert event.track_id in known


def test_pmt_that_only_says_the_same_again() -> None:
    stream = Packets()
    for version in range(5):
        stream.tables([H264, ADTS], version)
        build(stream, version * 5, 5, units(), adts())
    events = demux(stream.data)
    assert len(tracks_of(events)) == 1
    assert len(samples_of(events)[VIDEO_PID]) == 25
    assert not losses_of(events)


def test_pmt_moves() -> None:
    stream = Packets()
    stream.tables([H264])
    build(stream, 0, 5, units(), adts())
    stream.tables([H264, ADTS], pmt_pid=0x1001, version=1)
    build(stream, 5, 5, units(), adts())
    events = demux(stream.data)
    assert len(tracks_of(events)[-1]) == 2
    assert len(samples_of(events)[VIDEO_PID]) == 10


def test_language() -> None:
    stream = Packets()
    stream.tables([ElementaryStream(AUDIO_PID, 0x0F, ((0x0A, b"rus\0"),))])
    build(stream, 0, 5, units(), adts())
    assert [track.language for track in tracks_of(demux(stream.data))[0]] == ["rus"]


def test_a_silent_track_is_not_waited_for_and_added_later() -> None:
    stream = Packets()
    stream.tables([H264, ADTS])
    demuxer = TsDemuxer()
    for number in range(100):
        stream.pes(VIDEO_PID, units()[number % 4], 3600 * number, bounded=False)
        if number == 45:
            assert demuxer.feed(stream.data) == []
            stream.data = b""
    for number in range(100, 105):
        stream.pes(AUDIO_PID, adts()[0], 3600 * number)
    events = demux(stream.data, demuxer)
    assert [[track.id for track in tracks] for tracks in tracks_of(events)] == [[VIDEO_PID], [VIDEO_PID, AUDIO_PID]]
    assert len(samples_of(events)[VIDEO_PID]) == 100
    assert len(samples_of(events)[AUDIO_PID]) == 5


def test_new_parameter_sets() -> None:
    small, large = program(frames=12), program(frames=12, width=128)
    video = [bytes(packet) for data in (small, large) for packet in av_packets(data)[VIDEO_PID]]
    stream = Packets()
    stream.tables([H264])
    for number, unit in enumerate(video):
        stream.pes(VIDEO_PID, unit, 3600 * number, bounded=False)
    events = demux(stream.data)
    assert [(tracks[0].width) for tracks in tracks_of(events)] == [64, 128]
    before = events.index(next(e for e in events if isinstance(e, TracksChanged) and e.tracks[0].width == 128))
    assert len(samples_of(events[:before])[VIDEO_PID]) == 12
    assert len(samples_of(events[before:])[VIDEO_PID]) == 12


def test_one_epoch_over_the_wrap() -> None:
    stream = Packets()
    stream.tables([H264, ADTS])
    begin = WRAP - 5 * 3600
    for number in range(10):
        stream.pes(VIDEO_PID, units()[number % 4], begin + 3600 * number + 3600, begin + 3600 * number, bounded=False)
        stream.pes(AUDIO_PID, adts()[number % 4], begin + 1920 * number)
    found = samples_of(demux(stream.data))
    assert [sample.dts for sample in found[VIDEO_PID]] == [begin + 3600 * n for n in range(10)]
    assert {sample.cto for sample in found[VIDEO_PID]} == {3600}
    first = round(begin * 48000 / 90000)
    assert [sample.dts for sample in found[AUDIO_PID]] == [first + 1024 * n for n in range(10)]


def test_discontinuity_indicator_is_no_loss() -> None:
    stream = Packets()
    stream.tables([H264])
    for number in range(3):
        stream.pes(VIDEO_PID, units()[0], 3600 * number, bounded=False)
    stream.counters[VIDEO_PID] += 5
    stream.data += bytes((0x47, 1, 0, 0x20 | stream.counters[VIDEO_PID] & 15, 183, 0x80)) + bytes(182)
    stream.pes(VIDEO_PID, units()[0], 99999, bounded=False)
    events = demux(stream.data)
    assert [sample.dts for sample in samples_of(events)[VIDEO_PID]] == [0, 3600, 7200, 99999]
    assert not losses_of(events)


def test_a_picture_in_several_pes_packets() -> None:
    """Those that follow have no time of their own."""
    unit = units(1)[0]
    stream = Packets()
    stream.tables([H264])
    for number in range(3):
        stream.pes(VIDEO_PID, unit[:700], 3600 * number)
        stream.pes(VIDEO_PID, unit[700:1500], None)
        stream.pes(VIDEO_PID, unit[1500:], None)
    found = samples_of(demux(stream.data))[VIDEO_PID]
    assert [sample.dts for sample in found] == [0, 3600, 7200]
    assert {sample.data for sample in found} == {h264.read_access_unit(unit).sample}


@pytest.mark.parametrize("size", [5, 50, 300, 1000])
def test_audio_frames_across_pes_borders(size: int) -> None:
    data = b"".join(adts(20))
    starts = [0]
    for frame in adts(20):
        starts.append(starts[-1] + len(frame))
    stream = Packets()
    stream.tables([ADTS])
    for at in range(0, len(data), size):
        # The time is that of the first frame that begins in the PES.
        number = next((n for n, start in enumerate(starts) if start >= at), 20)
        begins = number < 20 and starts[number] < at + size
        stream.pes(AUDIO_PID, data[at : at + size], 1920 * number + 90000 if begins else None)
    found = samples_of(demux(stream.data))[AUDIO_PID]
    assert [sample.data for sample in found] == [frame[7:] for frame in adts(20)]
    assert [sample.dts for sample in found] == [48000 + 1024 * number for number in range(20)]


def test_a_long_pes_header() -> None:
    """250 bytes of stuffing: it does not even fit into a packet."""
    stream = Packets()
    stream.tables([ADTS])
    frame = adts(1)[0]
    header = b"\x80\x80\xff\x21\0\1\0\1" + b"\xff" * 250
    for _ in range(2):
        stream.split(AUDIO_PID, b"\0\0\1\xc0" + (len(header) + len(frame)).to_bytes(2, "big") + header + frame)
    found = samples_of(demux(stream.data))[AUDIO_PID]
    assert [sample.data for sample in found] == [frame[7:]] * 2


def test_audio_is_reported_as_soon_as_it_is_whole() -> None:
    stream = Packets()
    stream.tables([ADTS])
    for number in range(2):
        stream.pes(AUDIO_PID, adts(1)[0], number * 1920)
    assert len(samples_of(TsDemuxer().feed(stream.data))[AUDIO_PID]) == 2


def test_counters_of_an_encoder_restart() -> None:
    """The same stream again: times jump back, nothing is raised, all pictures come."""
    data = program(frames=12)
    events = demux([data, data])
    assert len(samples_of(events)[VIDEO_PID]) >= 23
    assert all(isinstance(track.codec, Codec) for tracks in tracks_of(events) for track in tracks)


def test_empty_payloads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpegts, "PARTS_MAX", 100)
    stream = Packets()
    stream.tables([H264])
    stream.pes(VIDEO_PID, units(1)[0], 0, bounded=False)
    for _ in range(300):
        stream.packet(VIDEO_PID, b"")
    demuxer = TsDemuxer()
    assert losses_of(demux(stream.data, demuxer)) == {"PES without end": 1}
    assert demuxer.dropped_pes == 1


def test_another_stream_that_is_joined_a_little_too_early() -> None:
    """Its first pictures overlap the last ones before by two: a few times are put right, none behind them."""
    first, second = program(30, bframes=2), program(30, bframes=2, offset_s=1.2, width=96)
    demuxer = TsDemuxer()
    events = demuxer.feed(first + second) + demuxer.flush()
    assert 1 <= losses_of(events).pop(PictureTrouble.RETIMED, 0) <= 6
    video = samples_of(events)[VIDEO_PID]
    assert len(video) == 60
    assert all(before.dts < after.dts for before, after in pairwise(video))
    alone = samples_of(demux(second))[VIDEO_PID]
    assert [(sample.dts, sample.cto) for sample in video[36:]] == [(sample.dts, sample.cto) for sample in alone[6:]]
