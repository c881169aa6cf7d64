from __future__ import annotations

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.opus import build_dops
from flussdvr.formats.mp4.boxes import box, boxes
from flussdvr.formats.mp4.fmp4 import parse_init, write_init
from flussdvr.formats.mp4.sample_entry import parse_sample_entry, parse_stsd, write_sample_entry, write_stsd
from flussdvr.media import Codec, Track
from tests.formats import recorded

AVCC = bytes.fromhex("0164001fffe1000a67640020ac2b402802dd01000468ee3cb0")
SEQUENCE = bytes.fromhex("000001b32d024023ffffe000000001b5148200010000")
TRACKS = [
    Track(1, Codec.H264, 90000, AVCC, "deu", 1280, 720),
    Track(1, Codec.H264, 90000, AVCC, width=704, height=576, sample_aspect_ratio=(16, 11)),
    Track(1, Codec.H265, 90000, b"\1" + bytes(22), width=3840, height=2160),
    Track(3, Codec.MJPEG, 90000, width=320, height=180),
    Track(2, Codec.AAC, 48000, b"\x11\x90", "eng", channels=2, sample_rate=48000),
    Track(2, Codec.AAC, 96000, b"\x10\x10", channels=2, sample_rate=96000),
    Track(2, Codec.AAC, 44100, b"\x12" * 200, channels=1, sample_rate=44100),
    Track(2, Codec.MP3, 44100, channels=2, sample_rate=44100),
    Track(2, Codec.MP2, 48000, channels=2, sample_rate=48000),
    Track(2, Codec.AC3, 48000, b"\x10\x3d\xc0", channels=6, sample_rate=48000),
    Track(2, Codec.EAC3, 48000, b"\x06\0\x20\x0f\0", channels=6, sample_rate=48000),
    Track(1, Codec.AV1, 90000, b"\x81\x05\x0c\0", width=640, height=360),
    Track(1, Codec.VP9, 90000, bytes((0, 31, 0x82, 1, 1, 1, 0, 0)), width=640, height=360),
    Track(1, Codec.MPEG2, 90000, SEQUENCE, width=720, height=576, sample_aspect_ratio=(16, 15)),
    Track(2, Codec.OPUS, 48000, build_dops(2), channels=2, sample_rate=48000),
    Track(2, Codec.OPUS, 48000, build_dops(6), channels=6, sample_rate=48000),
]


@pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.codec)
def test_there_and_back(track: Track) -> None:
    data = write_stsd(write_sample_entry(track))
    blank = Track(track.id, Codec.H264, track.timescale, language=track.language)
    assert parse_stsd(data, next(boxes(data)), blank) == track


@pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.codec)
def test_cut_off_anywhere(track: Track) -> None:
    data = write_sample_entry(track)
    for size in range(8, len(data)):
        short = box(data[4:8], data[8:size])
        try:
            parse_sample_entry(short, next(boxes(short)), track)
        except FormatError:
            pass


# FFmpeg calls both kinds of MPEG audio mp3 at first: the same decoder.
@pytest.mark.parametrize(
    ("encoder", "name"), [("aac", "aac"), ("libmp3lame", "mp3"), ("mp2", "mp3"), ("ac3", "ac3"), ("eac3", "eac3")]
)
def test_ffmpeg_reads_it(encoder: str, name: str) -> None:
    media = recorded.audio(encoder, frames=10)
    config = {"ac3": b"\x10\x11\x40", "eac3": b"\x06\0\x20\x04\0"}.get(encoder, media.track.config)
    track = Track(2, media.track.codec, 48000, config, channels=2, sample_rate=48000)
    blob = recorded.record(recorded.Media(track, media.samples))
    with av.open(io.BytesIO(blob.data)) as file:
        stream = file.streams.audio[0]
        assert stream.codec_context.name.removesuffix("float") == name
        assert (stream.rate, stream.channels, stream.language) == (48000, 2, "und")
        assert sum(1 for _ in file.decode(stream)) >= 9


@pytest.mark.parametrize("encoder", ["aac", "libmp3lame", "mp2", "ac3"])
def test_reads_what_ffmpeg_writes(encoder: str) -> None:
    out = recorded.tone(encoder, 44100, "mono", 4, movflags="frag_keyframe+empty_moov+delay_moov")
    (track,) = parse_init(out.getvalue()).tracks
    assert (track.channels, track.sample_rate, track.timescale) == (1, 44100, 44100)
    assert track.codec == {"aac": "aac", "libmp3lame": "mp3", "mp2": "mp3", "ac3": "ac3"}[encoder]


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mjpeg"])
def test_video_that_ffmpeg_opens(encoder: str) -> None:
    media = recorded.video(encoder, "" if encoder == "mjpeg" else recorded.CLOSED, frames=3)
    with av.open(io.BytesIO(write_init([media.track]) + recorded.record(media).data)) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (recorded.WIDTH, recorded.HEIGHT)
        assert bytes(stream.codec_context.extradata or b"") == media.track.config


def test_unknown_codec_is_none() -> None:
    data = write_stsd(box(b"vp08", bytes(78)))
    assert parse_stsd(data, next(boxes(data)), TRACKS[0]) is None


@given(st.sampled_from(TRACKS), st.data())
def test_damaged(track: Track, data: st.DataObject) -> None:
    entry = bytearray(write_sample_entry(track))
    at = data.draw(st.integers(8, len(entry) - 1))
    entry[at] = data.draw(st.integers(0, 255))
    try:
        parse_sample_entry(entry, next(boxes(entry)), track)
    except FormatError:
        pass
