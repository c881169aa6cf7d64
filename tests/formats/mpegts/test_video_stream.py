from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.formats.codecs import h264, h264_slice
from flussdvr.formats.codecs.aac import AudioSpecificConfig, adts_header
from flussdvr.formats.mp4.fmp4 import DAMAGED, parse_fragment
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.elementary import Stream, open_stream
from flussdvr.formats.mpegts.psi import ElementaryStream, Framing
from flussdvr.formats.mpegts.video_stream import H264Stream, H265Stream
from flussdvr.formats.pictures import access_unit
from flussdvr.formats.pictures.syntax import H264Syntax
from flussdvr.media import MediaEvent, PictureTrouble, Sample
from tests.formats.clocked import FIRST, H264, H265, Piece, Unit, demux, encode, pack, record, shown, spread_ms
from tests.formats.transport import AUDIO_PID, VIDEO_PID, Packets, losses_of, samples_of

GARBAGE = [
    b"\0\0\1",
    b"\0\0\1\x67\x42\0\x1e\xf4\x0b\x04\xb2",
    b"\0\0\1\x68\xce\x3c\x80",
    b"\x65\x88\x84",
    b"\0\0\1\x65\x88\x84\0",
    b"\0\0\1\x41\x9a\x24",
    b"\0\0\1\x0e\x40",
    b"\0\0\1\x09\xf0",
    b"\x40\1",
    b"\0\0\1\x42\1\1\1\x60",
    b"\0\0\1\x26\1\xaf",
    b"\0\0\1\x02\1\xd0",
    b"\0\0",
    b"\x80",
]
CLOSED = "keyint=10:min-keyint=10:scenecut=0"
X264 = f"{CLOSED}:bframes=2:b-adapt=0:slices=2"
X265 = f"{CLOSED}:bframes=2:b-adapt=0:open-gop=0:slices=2"
SOURCES = {"h264": ("libx264", X264, H264), "h265": ("libx265", X265, H265)}


def source(name: str) -> tuple[tuple[Unit, ...], ElementaryStream]:
    encoder, parameters, entry = SOURCES[name]
    return encode(encoder, parameters), entry


def aligned(units: tuple[Unit, ...]) -> list[Piece]:
    return [Piece(unit.data, unit.pts, unit.dts) for unit in units]


def split(units: tuple[Unit, ...], cuts: list[int]) -> list[Piece]:
    """The elementary stream cut at these places; each piece has the times of the first unit that begins in it."""
    data = b"".join(unit.data for unit in units)
    begins, at = {}, 0
    for unit in units:
        begins[at + unit.data.find(b"\0\0\1")] = unit
        at += len(unit.data)
    places = sorted({0, *cuts, len(data)})
    pieces = []
    for start, stop in pairwise(places):
        first = next((begins[at] for at in sorted(begins) if start <= at < stop), None)
        pieces.append(Piece(data[start:stop], first and first.pts, first and first.dts))
    return pieces


@pytest.mark.parametrize("name", SOURCES)
def test_a_picture_a_packet(name: str) -> None:
    units, entry = source(name)
    recording = record(demux(pack(aligned(units), entry)))
    found = shown(recording)
    assert [number for _, number in found] == list(range(50))
    assert spread_ms(found) <= 1
    assert not recording.gaps[:-1]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(SOURCES)), st.data())
def test_any_splitting_into_packets_gives_the_same_pictures_and_times(name: str, data: st.DataObject) -> None:
    units, entry = source(name)
    size = sum(len(unit.data) for unit in units)
    cuts = data.draw(st.lists(st.integers(1, size - 1), max_size=80))
    whole = samples_of(demux(pack(aligned(units), entry)))[VIDEO_PID]
    events = demux(pack(split(units, cuts), entry))
    found = samples_of(events)[VIDEO_PID]
    assert [sample.data for sample in found] == [sample.data for sample in whole]
    assert [sample.pts for sample in found] == [sample.pts for sample in whole]
    assert [sample.sync for sample in found] == [sample.sync for sample in whole]
    assert all(a.dts < b.dts for a, b in pairwise(found))
    assert all(sample.cto >= 0 for sample in found)
    assert not losses_of(events)


@pytest.mark.parametrize("name", SOURCES)
def test_a_slice_a_packet(name: str) -> None:
    units, entry = source(name)
    for timed in (True, False):
        pieces = []
        for unit in units:
            nals = [b"\0\0\0\1" + nal for nal in unit.nals]
            pieces += [Piece(nal, unit.pts, unit.dts) if timed or not n else Piece(nal) for n, nal in enumerate(nals)]
        found = shown(record(demux(pack(pieces, entry))))
        assert [number for _, number in found] == list(range(50))
        assert spread_ms(found) <= 1


def read(stream: Stream, pieces: Iterable[Piece]) -> list[Sample]:
    batches = [batch for piece in pieces for batch in stream.read(piece.pts, piece.dts, piece.data)]
    return [sample for batch in [*batches, *stream.flush()] for sample in batch.samples]


def test_a_picture_waits_for_no_more_than_the_first_bytes_of_the_next() -> None:
    for name in SOURCES:
        units, _ = source(name)
        stream = open_stream(7, Framing.H264 if name == "h264" else Framing.H265, "eng")
        for unit, following in pairwise(units[:10]):
            assert not stream.read(unit.pts, unit.dts, unit.data)
            (batch,) = stream.peek(following.data[:32])
            assert [sample.pts for sample in batch.samples] == [unit.pts]
        assert stream.track is not None
        assert (stream.track.id, stream.track.language, stream.track.width) == (7, "eng", 160)


@pytest.mark.parametrize("name", SOURCES)
def test_start_codes_that_nothing_follows(name: str) -> None:
    units, entry = source(name)
    plain = [demux(pack(aligned(units), entry))]
    for end in (b"\0\0\1", b"\0\0\1\0\0\0\1\0"):
        pieces = [Piece(unit.data + end, unit.pts, unit.dts) for unit in units]
        plain.append(demux(pack(pieces, entry)))
    assert len({tuple(sample.data for sample in samples_of(events)[VIDEO_PID]) for events in plain}) == 1
    assert len(samples_of(plain[0])[VIDEO_PID]) == 50


def test_parameter_sets_that_come_one_by_one() -> None:
    first = h264.read_access_unit(source("h264")[0][0].data)
    code = b"\0\0\1"
    stream = H264Stream(1, "und")
    picture = code + b"\x65\x88\x84"
    read(stream, [Piece(code + first.sps[0] + picture, 0, 0)])
    assert stream.track is None
    read(stream, [Piece(code + first.pps[0] + picture, 0, 0)])
    assert stream.track is not None
    assert h264.parse_avcc(stream.track.config)[1:] == (first.sps, first.pps)
    other_pps = bytes((first.pps[0][0], 0x5C, *first.pps[0][2:]))  # id 1, of SPS 0
    read(stream, [Piece(code + other_pps + picture, 0, 0)])
    both = stream.track
    assert h264.parse_avcc(both.config)[2] == [first.pps[0], other_pps]
    # Neither the first set alone nor the second alone is a change.
    read(stream, [Piece(code + first.sps[0] + code + first.pps[0] + picture, 0, 0)])
    read(stream, [Piece(code + other_pps + picture, 0, 0)])
    assert stream.track is both


def test_a_damaged_sps_changes_nothing() -> None:
    stream = H264Stream(1, "und")
    units, _ = source("h264")
    read(stream, aligned(units[:1]))
    track = stream.track
    read(stream, [Piece(b"\0\0\1\x67\x42\0\0\1\x68\x01", 0, 0)])
    read(stream, aligned(units[10:12]))
    assert stream.track is track is not None


def test_all_pictures_in_one_packet() -> None:
    for name in SOURCES:
        units, entry = source(name)
        found = shown(record(demux(pack(split(units, []), entry))))
        assert [number for _, number in found] == list(range(50))
        assert spread_ms(found) <= 1


def lossy(name: str, gone: int) -> tuple[list[MediaEvent], int]:
    """Without one of the video's packets behind the first picture, and how many pictures the stream has."""
    units, entry = source(name)
    data = pack(aligned(units), entry)
    starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x5F == 0x41]
    places = [at for at in range(starts[1], len(data), 188) if not data[at + 1] & 0x40]
    at = places[gone % len(places)]
    return demux(data[:at] + data[at + 188 :]), len(units)


@settings(max_examples=30)
@given(st.sampled_from(list(SOURCES)), st.integers(0, 1 << 16))
def test_what_a_loss_damages_is_counted(name: str, gone: int) -> None:
    events, count = lossy(name, gone)
    found = samples_of(events)[VIDEO_PID]
    losses = losses_of(events)
    assert losses["packets missing"] == 1
    assert losses[PictureTrouble.INCOMPLETE] == count - len(found) == 1
    # What follows the lost picture up to the next sync sample.
    whole = samples_of(demux(pack(aligned(source(name)[0]), source(name)[1])))[VIDEO_PID]
    lost = next(n for n, sample in enumerate(whole) if n == len(found) or sample.data != found[n].data)
    rest = next((n for n in range(lost + 1, count) if whole[n].sync), count) - lost - 1
    assert losses.get(PictureTrouble.DAMAGED, 0) == rest
    assert [sample.damaged for sample in found] == [lost <= n < lost + rest for n in range(len(found))]
    # The recording says so, a fragment's samples behind its first together.
    marked = [
        any(row.flags & DAMAGED for traf in parse_fragment(fragment.data, {}).runs for row in traf.rows)
        for _, fragments in record(events).files
        for fragment in fragments
    ]
    assert any(marked) == (rest > 0)


@settings(max_examples=30)
@given(st.sampled_from(list(SOURCES)), st.integers(0, 1 << 16), st.booleans(), st.integers(1, 14))
def test_a_whole_picture_in_front_of_a_loss_is_kept(name: str, gone: int, bounded: bool, count: int) -> None:
    """The first packets of a picture are missing, or all: the one in front of it is whole."""
    units, entry = source(name)
    gone = 1 + gone % (len(units) - 1)
    packets = Packets()
    packets.tables([entry])
    places = []
    for unit in units:
        places.append(len(packets.data))
        packets.pes(VIDEO_PID, unit.data, unit.pts, unit.dts, bounded=bounded)
    places.append(len(packets.data))
    begin, stop = places[gone : gone + 2]
    count = min(count, (stop - begin) // 188)
    data = packets.data[:begin] + packets.data[begin + 188 * count :]
    whole = samples_of(demux(packets.data))[VIDEO_PID]
    events = demux(data)
    found = samples_of(events)[VIDEO_PID]
    if gone < len(units) - 1 or stop - begin > 188 * count:
        assert losses_of(events)["packets missing"] == 1
        if packets.data[begin - 188 + 3] & 0x20 or bounded:
            assert [one.data for one in found] == [one.data for n, one in enumerate(whole) if n != gone]


@pytest.mark.parametrize("name", SOURCES)
def test_where_pictures_do_not_end_with_packets_none_is_kept_that_may_have_more(name: str) -> None:
    """Each slice is in a PES of its own, one is missing: its picture is left out, though all others are whole."""
    units, entry = source(name)
    pieces = [Piece(b"\0\0\0\1" + nal, unit.pts, unit.dts) for unit in units for nal in unit.nals]
    whole = samples_of(demux(pack(pieces, entry)))[VIDEO_PID]
    data = pack(pieces, entry)
    starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x5F == 0x41]
    for at in starts[len(starts) // 2 :: 7]:
        stop = next((start for start in starts if start > at), len(data))
        found = samples_of(demux(data[:at] + data[stop:]))[VIDEO_PID]
        known = {sample.data for sample in whole}
        assert all(sample.data in known for sample in found)


@given(st.lists(st.sampled_from(GARBAGE)), st.integers(0, 1 << 30))
def test_garbage(parts: list[bytes], chance: int) -> None:
    pick = random.Random(chance)
    for stream in (H264Stream(1, "und"), H265Stream(1, "und")):
        for part in parts:
            time = pick.choice([None, pick.randrange(1 << 34)])
            step = pick.randrange(3)
            if not step:
                stream.lost()
            elif step == 1:
                stream.peek(part)
            else:
                stream.read(time, time, part)
        stream.flush()


@settings(max_examples=30)
@given(st.sampled_from(list(SOURCES)), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=30))
def test_flipped_bytes(name: str, flips: list[tuple[int, int]]) -> None:
    units, entry = source(name)
    data = bytearray(pack(aligned(units), entry))
    for place, value in flips:
        data[place % len(data)] = value
    demux(bytes(data))


def test_a_picture_that_comes_seldom_does_not_wait_for_the_next() -> None:
    """Its PES has no length and nothing follows it: the sound's time tells that it is whole."""
    units, entry = source("h264")
    stream = Packets()
    stream.tables([entry, ElementaryStream(AUDIO_PID, 0x0F)])
    stream.pes(VIDEO_PID, units[0].data, FIRST, bounded=False)
    frame = adts_header(AudioSpecificConfig(2, 48_000, 2), 4) + b"tone"
    demuxer = TsDemuxer()
    events, seconds = demuxer.feed(stream.data), 0.0
    while VIDEO_PID not in samples_of(events):
        stream.data = b""
        stream.pes(AUDIO_PID, frame, FIRST + round(seconds * 90_000))
        events += demuxer.feed(stream.data)
        seconds += 1024 / 48_000
        assert seconds < 3
    assert [sample.pts for sample in samples_of(events)[VIDEO_PID]] == [FIRST]
    assert not losses_of(events)


def test_a_large_picture_in_many_packets_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is carried along is not read again with each packet: 16 MB in small pieces would take minutes."""
    read: list[int] = []
    split = access_unit.split_annexb
    monkeypatch.setattr(access_unit, "split_annexb", lambda data: read.append(len(data)) or split(data))
    picture = b"\0\0\1\x09\xf0\0\0\1\x65\x88\x84" + bytes(random.Random(1).choices(range(1, 256), k=200_000))
    following = b"\0\0\1\x09\xf0\0\0\1\x65\x88\x84\x11"

    def units(step: int) -> list[bytes]:
        stream = access_unit.ByteStream(access_unit.Assembler(H264Syntax()))
        found: list[access_unit.AccessUnit] = []
        for begin in range(0, len(picture), step):
            found += stream.feed(picture[begin : begin + step], begin, begin)
        found += stream.feed(following, 0, 0)
        return [b"".join(unit.nals) for unit in [*found, *stream.flush()]]

    whole = units(len(picture))
    assert [len(unit) for unit in whole] == [len(picture) - 6, len(following) - 6]
    read.clear()
    assert units(170) == whole
    assert sum(read) < 2 * len(picture)


@given(st.lists(st.lists(st.sampled_from(GARBAGE), max_size=4).map(b"".join), max_size=12), st.booleans())
def test_a_payload_with_the_head_of_the_next_is_read_as_one_after_the_other(payloads: list[bytes], lose: bool) -> None:
    one, two = (access_unit.ByteStream(access_unit.Assembler(H264Syntax())) for _ in range(2))
    for number, (payload, following) in enumerate(pairwise([*payloads, b""])):
        head = following[:20]
        apart = one.feed(payload, number, number) + one.peek(head)
        assert two.feed(payload, number, number, head) == apart
        assert two.pending == one.pending
        if lose and number == 3:
            one.lost()
            two.lost()
    assert two.flush() == one.flush()


@given(st.lists(st.tuples(st.sampled_from([0, 20, 40, 1200]), st.integers(0, 9), st.integers(0, 5)), min_size=1))
def test_a_slice_is_read_the_same_whatever_was_read_before(slices: list[tuple[int, int, int]]) -> None:
    syntax = H264Syntax()
    for nal in GARBAGE[1][3:], GARBAGE[2][3:]:
        syntax.accept(nal, access_unit.Role.OPENS)
    pps = {0: h264_slice.parse_pps(GARBAGE[2][3:])}
    reader = h264_slice.SliceReader(pps, syntax.sps)
    for first_mb, slice_type, rest in slices:
        bits = "".join(f"{code + 1:b}".zfill(2 * (code + 1).bit_length() - 1) for code in (first_mb, slice_type, 0))
        bits += f"{rest % 3:04b}{rest:016b}{'10' * 100}"
        nal = b"\x41" + int(bits[:160], 2).to_bytes(20, "big")
        assert reader.read(nal) == h264_slice.SliceReader(pps, syntax.sps).read(nal)
        assert reader.read(nal).first_mb == first_mb
