from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import AUDIO_PID, VIDEO_PID, av_packets, losses_of, program, samples_of, tracks_of

from flussdvr.errors import FormatError
from flussdvr.formats import h264, h265
from flussdvr.formats.aac import AudioSpecificConfig, adts_header
from flussdvr.formats.elementary import H264Stream, H265Stream, Stream, open_stream
from flussdvr.formats.frame_count import TOLERANCE
from flussdvr.formats.mpegts import TsDemuxer
from flussdvr.formats.stream_types import Framing
from flussdvr.media import Codec, Sample

RATE = 48000


def units(video: str = "libx264", **options: int) -> list[bytes]:
    return [bytes(packet) for packet in av_packets(program(video=video, **options))[VIDEO_PID]]


def adts(payload: bytes, rate: int = RATE, channels: int = 2) -> bytes:
    return adts_header(AudioSpecificConfig(2, rate, channels), len(payload)) + payload


def audio(framing: Framing = Framing.ADTS) -> Stream:
    return open_stream(7, framing, "eng")


# Video


@pytest.mark.parametrize(("video", "framing"), [("libx264", Framing.H264), ("libx265", Framing.H265)])
def test_video(video: str, framing: Framing) -> None:
    stream = open_stream(7, framing, "eng")
    pictures = units(video)
    assert stream.read(0, 0, pictures[3]) == []
    assert stream.track is None
    (sample,) = stream.read(7200, 3600, pictures[0])
    assert (sample.dts, sample.cto, sample.sync) == (3600, 3600, True)
    track = stream.track
    assert track is not None
    assert (track.id, track.language, track.codec.value, track.width) == (7, "eng", framing.value, 64)
    for picture in pictures:
        stream.read(0, 0, picture)
    assert stream.track is track


def test_parameter_sets_that_come_one_by_one() -> None:
    first = h264.read_access_unit(units()[0])
    other_pps = first.pps[0][:1] + b"\x42" + first.pps[0][2:]  # ue(v) 010: id 1
    stream = H264Stream(1, "und")
    code = b"\0\0\1"
    stream.read(0, 0, code + first.sps[0])
    assert stream.track is None
    stream.read(0, 0, code + first.pps[0])
    assert stream.track is None
    stream.read(0, 0, code + first.sps[0] + code + first.pps[0])
    assert stream.track is not None
    assert h264.parse_avcc(stream.track.config)[1:] == (first.sps, first.pps)
    stream.read(0, 0, code + other_pps)
    both = stream.track
    assert h264.parse_avcc(both.config)[2] == [first.pps[0], other_pps]
    # Neither the first set alone nor the second alone is a change.
    stream.read(0, 0, code + first.sps[0] + code + first.pps[0])
    stream.read(0, 0, code + other_pps)
    assert stream.track is both
    stream.read(0, 0, code + other_pps + b"\1")
    assert h264.parse_avcc(stream.track.config)[2] == [first.pps[0], other_pps + b"\1"]


def test_a_damaged_sps_changes_nothing() -> None:
    stream = H264Stream(1, "und")
    stream.read(0, 0, units()[0])
    track = stream.track
    stream.read(0, 0, b"\0\0\1\x67\x42\0\0\1\x68\x01")
    assert stream.track is track
    stream.read(0, 0, units()[10])
    assert stream.track == track


@pytest.mark.parametrize(("video", "kind"), [("libx264", H264Stream), ("libx265", H265Stream)])
def test_two_pictures_in_one_pes(video: str, kind: type[H264Stream] | type[H265Stream]) -> None:
    pictures = units(video)
    read = h264.read_access_unit if video == "libx264" else h265.read_access_unit
    stream = kind(1, "und")
    found = stream.read(0, 0, pictures[0] + pictures[1]) + stream.read(7200, 7200, pictures[2] + pictures[3])
    assert [sample.data for sample in found] == [read(picture).sample for picture in pictures[:4]]
    assert [sample.dts for sample in found] == [0, 3600, 7200, 10800]
    assert [sample.sync for sample in found] == [True, False, False, False]


@given(
    st.lists(st.sampled_from([b"\0\0\1", b"\x67", b"\x68", b"\x65\x88", b"\x40\1", b"\x42\1", b"\x26\1\xff", b"\0"]))
)
def test_video_of_garbage(parts: list[bytes]) -> None:
    for stream in (H264Stream(1, "und"), H265Stream(1, "und")):
        stream.read(0, 0, b"".join(parts))


# Audio


@pytest.mark.parametrize(
    ("encoder", "flags", "codec", "step"),
    [("aac", "+latm", Codec.AAC, 1024), ("eac3", "", Codec.EAC3, 1536), ("ac3", "", Codec.AC3, 1536)],
)
def test_against_ffmpeg(encoder: str, flags: str, codec: Codec, step: int) -> None:
    data = program(audio=encoder, flags=flags)
    demuxer = TsDemuxer()
    events = demuxer.feed(data) + demuxer.flush()
    assert not losses_of(events)
    _, sound = tracks_of(events)[0]
    found = samples_of(events)[AUDIO_PID]
    assert (sound.codec, sound.timescale, sound.channels) == (codec, RATE, 2)
    assert sound.config
    assert {b.dts - a.dts for a, b in zip(found, found[1:], strict=False)} == {step}
    if not flags:
        assert [sample.data for sample in found] == [bytes(packet) for packet in av_packets(data)[AUDIO_PID]]
    else:
        plain = TsDemuxer()
        same = plain.feed(program()) + plain.flush()
        assert [sample.data for sample in samples_of(same)[AUDIO_PID]] == [sample.data for sample in found]


@given(
    st.integers(0, 1 << 33), st.lists(st.integers(-45, 45), min_size=1, max_size=30), st.sampled_from([44100, 48000])
)
def test_times_rounded_to_milliseconds_do_not_show(begin: int, jitter: list[int], rate: int) -> None:
    """Each PES is off by half a millisecond at most, the frames are exact all the same."""
    stream = audio()
    dts: list[int] = []
    for number, off in enumerate(jitter):
        pts = begin + number * 1024 * 90000 // rate + (off if number else 0)
        dts += [sample.dts for sample in stream.read(pts, pts, adts(b"abc", rate))]
    dts += [sample.dts for sample in stream.flush()]
    first = (begin * rate + 45000) // 90000
    assert dts == [first + 1024 * number for number in range(len(jitter))]


def test_a_jump_shows() -> None:
    stream = audio()
    frames = adts(b"a") + adts(b"b")
    assert stream.read(0, 0, frames) == [], "the first time waits for the second to confirm it"
    assert [sample.dts for sample in stream.read(3840 + TOLERANCE, 0, frames)] == [0, 1024, 2048, 3072]
    assert stream.read(90000, 0, frames) == [], "it may be damaged"
    assert stream.read(None, None, frames) == []
    found = stream.read(90000 + 7680, 0, frames)
    assert [sample.dts for sample in found] == [48000, 49024, 50048, 51072, 52096, 53120]


def test_without_any_time() -> None:
    stream = audio()
    assert stream.read(None, None, adts(b"a")) == []
    assert stream.read(0, 0, adts(b"a")) + stream.flush() == [Sample(0, b"a")]
    stream.lost()
    assert stream.read(None, None, adts(b"a")) == []


def test_another_configuration() -> None:
    stream = audio()
    stream.read(0, 0, adts(b"a"))
    assert stream.track is not None and stream.track.channels == 2
    found = stream.read(1920, 1920, adts(b"b", 44100, 1) + adts(b"c", 44100, 1))
    assert (stream.track.timescale, stream.track.channels) == (44100, 1)
    assert found + stream.flush() == [Sample(941, b"b"), Sample(1965, b"c")]


def test_a_frame_in_three_pieces_has_the_time_of_its_beginning() -> None:
    stream = audio()
    frame = adts(bytes(100))
    assert stream.read(900, 900, frame[:30]) == []
    assert stream.read(None, None, frame[30:60]) == []
    (sample,) = stream.read(9000, 9000, frame[60:]) + stream.flush()
    assert sample.dts == 480


def test_a_protected_frame() -> None:
    plain = adts(b"abcdef")
    total = len(plain) + 2
    head = bytearray(plain[:7])
    head[1] &= 0xFE
    head[3:6] = ((int.from_bytes(head[3:6], "big") & ~(0x1FFF << 5)) | total << 5).to_bytes(3, "big")
    stream = audio()
    assert stream.read(0, 0, bytes(head) + b"\0\0abcdef") + stream.flush() == [Sample(0, b"abcdef")]


@given(st.sampled_from(list(Framing)), st.lists(st.binary(max_size=100)), st.randoms(use_true_random=False))
def test_garbage(framing: Framing, payloads: list[bytes], chance: object) -> None:
    stream = open_stream(1, framing, "und")
    marks = [
        b"\xff\xf1\x4c\x80",
        b"\x56\xe0\x10",
        b"\x0b\x77",
        b"\xff\xfd\x84",
        b"\0\0\1\x67",
        b"\x7f\xe0\x03",
        b"\0\0\1\xb3",
    ]
    for number, payload in enumerate(payloads):
        with suppress(FormatError):  # as it may raise
            stream.read(number, number, marks[number % 7] + payload)
