from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import AudioSpecificConfig, adts_header
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.elementary import Stream, open_stream
from flussdvr.formats.mpegts.frame_count import TOLERANCE
from flussdvr.formats.mpegts.stream_types import Framing
from flussdvr.media import Codec, Sample
from tests.formats.transport import AUDIO_PID, av_packets, losses_of, program, samples_of, tracks_of

RATE = 48000


def adts(payload: bytes, rate: int = RATE, channels: int = 2) -> bytes:
    return adts_header(AudioSpecificConfig(2, rate, channels), len(payload)) + payload


def audio(framing: Framing = Framing.ADTS) -> Stream:
    return open_stream(7, framing, "eng")


def read(stream: Stream, pts: int | None, dts: int | None, payload: bytes) -> list[Sample]:
    return [sample for batch in stream.read(pts, dts, payload) for sample in batch.samples]


def flush(stream: Stream) -> list[Sample]:
    return [sample for batch in stream.flush() for sample in batch.samples]


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
        dts += [sample.dts for sample in read(stream, pts, pts, adts(b"abc", rate))]
    dts += [sample.dts for sample in flush(stream)]
    first = (begin * rate + 45000) // 90000
    assert dts == [first + 1024 * number for number in range(len(jitter))]


def test_a_jump_shows() -> None:
    stream = audio()
    frames = adts(b"a") + adts(b"b")
    assert read(stream, 0, 0, frames) == [], "the first time waits for the second to confirm it"
    assert [sample.dts for sample in read(stream, 3840 + TOLERANCE, 0, frames)] == [0, 1024, 2048, 3072]
    assert read(stream, 90000, 0, frames) == [], "it may be damaged"
    assert read(stream, None, None, frames) == []
    found = read(stream, 90000 + 7680, 0, frames)
    assert [sample.dts for sample in found] == [48000, 49024, 50048, 51072, 52096, 53120]


def test_without_any_time() -> None:
    stream = audio()
    assert read(stream, None, None, adts(b"a")) == []
    assert read(stream, 0, 0, adts(b"a")) + flush(stream) == [Sample(0, b"a")]
    stream.lost()
    assert read(stream, None, None, adts(b"a")) == []


def test_another_configuration() -> None:
    stream = audio()
    read(stream, 0, 0, adts(b"a"))
    assert stream.track is not None and stream.track.channels == 2
    before = stream.track
    batches = stream.read(1920, 1920, adts(b"b", 44100, 1) + adts(b"c", 44100, 1)) + stream.flush()
    assert (stream.track.timescale, stream.track.channels) == (44100, 1)
    assert [(batch.track, batch.samples) for batch in batches if batch.samples] == [
        (before, [Sample(0, b"a")]),
        (stream.track, [Sample(941, b"b"), Sample(1965, b"c")]),
    ]


def test_a_frame_in_three_pieces_has_the_time_of_its_beginning() -> None:
    stream = audio()
    frame = adts(bytes(100))
    assert read(stream, 900, 900, frame[:30]) == []
    assert read(stream, None, None, frame[30:60]) == []
    (sample,) = read(stream, 9000, 9000, frame[60:]) + flush(stream)
    assert sample.dts == 480


def test_a_protected_frame() -> None:
    plain = adts(b"abcdef")
    total = len(plain) + 2
    head = bytearray(plain[:7])
    head[1] &= 0xFE
    head[3:6] = ((int.from_bytes(head[3:6], "big") & ~(0x1FFF << 5)) | total << 5).to_bytes(3, "big")
    stream = audio()
    assert read(stream, 0, 0, bytes(head) + b"\0\0abcdef") + flush(stream) == [Sample(0, b"abcdef")]


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
