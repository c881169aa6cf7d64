"""FLV tags to samples: against FFmpeg's muxer, row by row, and with garbage."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import h264
from flussdvr.formats.codecs.nal import split_lengths
from flussdvr.formats.flv import amf0
from flussdvr.formats.flv.demuxer import AUDIO_TRACK_ID, PROBE_MS, TRACKS_MAX, VIDEO_TRACK_ID, FlvDemuxer
from flussdvr.formats.flv.tag import AudioPacket, UnsupportedCodec, VideoPacket, parse_audio, parse_video
from flussdvr.media import (
    Codec,
    DataLost,
    LeftOut,
    MediaEvent,
    Sample,
    SamplesReceived,
    Track,
    TracksChanged,
    TracksLeftOut,
)
from tests.formats.oracle import audio, packets, remux, video

AAC_CONFIG = bytes.fromhex("1190")
H264_FLV = video("libx264", "flv", frames=24, bf=2)
H264_CONFIG = packets(H264_FLV)[0].extradata
OTHER_CONFIG = packets(video("libx264", "flv", 160, 120))[0].extradata


def tags(file: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The tags of an FLV file."""
    position = 13
    while position < len(file):
        size = int.from_bytes(file[position + 1 : position + 4], "big")
        timestamp = int.from_bytes(file[position + 4 : position + 7], "big") | file[position + 7] << 24
        yield file[position], timestamp, file[position + 11 : position + 11 + size]
        position += 15 + size


def demuxed(items: Any, demuxer: FlvDemuxer | None = None) -> list[MediaEvent]:
    demuxer = demuxer or FlvDemuxer()
    events = [event for item in items for event in demuxer.feed_tag(*item)]
    return events + demuxer.flush()


def tracks_of(events: list[MediaEvent]) -> list[tuple[Track, ...]]:
    return [event.tracks for event in events if isinstance(event, TracksChanged)]


def samples_of(events: list[MediaEvent], track_id: int = VIDEO_TRACK_ID) -> list[Sample]:
    return [s for e in events if isinstance(e, SamplesReceived) and e.track_id == track_id for s in e.samples]


def nal(kind: int, size: int = 8) -> bytes:
    return size.to_bytes(4, "big") + bytes((kind,)) + b"n" * (size - 1)


def h264_config(config: bytes = H264_CONFIG, timestamp: int = 0) -> tuple[int, int, bytes]:
    return 9, timestamp, b"\x17\0\0\0\0" + config


def h264_frame(timestamp: int = 0, data: bytes | None = None, composition: int = 0) -> tuple[int, int, bytes]:
    return 9, timestamp, b"\x27\x01" + composition.to_bytes(3, "big", signed=True) + (data or nal(1))


def aac_config(timestamp: int = 0) -> tuple[int, int, bytes]:
    return 8, timestamp, b"\xaf\x00\x11\x90"


def aac_frame(timestamp: int = 0) -> tuple[int, int, bytes]:
    return 8, timestamp, b"\xaf\x01abc"


AAC_SEQUENCE = (8, 0, b"\xaf\0" + AAC_CONFIG)


def metadata(**values: Any) -> tuple[int, int, bytes]:
    return 18, 0, amf0.encode("onMetaData", amf0.EcmaArray(values))


# against FFmpeg


@pytest.mark.parametrize(
    ("file", "codec"),
    [
        (H264_FLV, Codec.H264),
        (remux(video("libx265", "mp4", x265_params="log-level=error:bframes=2"), "flv"), Codec.H265),
        (audio("aac", "flv", 44100), Codec.AAC),
        (audio("libmp3lame", "flv", 44100), Codec.MP3),
        (remux(audio("ac3", "mp4"), "flv"), Codec.AC3),
        (remux(audio("eac3", "mp4"), "flv"), Codec.EAC3),
    ],
    ids=lambda value: value.value if isinstance(value, Codec) else "",
)
def test_what_ffmpeg_muxes(file: bytes, codec: Codec) -> None:
    _, expected = packets(file)
    events = demuxed(tags(file))
    ((track,),) = tracks_of(events)
    assert track.codec is codec
    samples = samples_of(events, track.id)
    assert [s.data for s in samples] == [bytes(p) for p in expected]
    assert [s.sync for s in samples] == [bool(p.is_keyframe) for p in expected]
    for sample, packet in zip(samples, expected, strict=True):
        assert abs(sample.dts / track.timescale - packet.dts / 1000) <= 0.001
        assert abs(sample.pts / track.timescale - packet.pts / 1000) <= 0.001
    assert len({b.dts - a.dts for a, b in zip(samples, samples[1:], strict=False)}) == 1
    if track.is_video:
        assert (track.timescale, track.width, track.height, track.frame_rate) == (90_000, 176, 144, Fraction(25))
        assert any(sample.cto for sample in samples) or codec is Codec.H265
    else:
        assert (track.timescale, track.channels) == (track.sample_rate, 2)


def test_the_configuration_is_the_record_of_the_parameter_sets() -> None:
    ((track,),) = tracks_of(demuxed(tags(H264_FLV)))
    assert track.config == H264_CONFIG


# which tracks there are


def test_both_tracks_are_awaited() -> None:
    events = demuxed([h264_config(), h264_frame(0), AAC_SEQUENCE, aac_frame(0), h264_frame(40)])
    ((first, second),) = tracks_of(events)
    assert (first.codec, second.codec) == (Codec.H264, Codec.AAC)
    assert isinstance(events[0], TracksChanged)
    assert (len(samples_of(events)), len(samples_of(events, AUDIO_TRACK_ID))) == (2, 1)


def test_metadata_says_when_there_is_only_one() -> None:
    demuxer = FlvDemuxer()
    demuxer.feed_tag(*metadata(videocodecid=7.0))
    demuxer.feed_tag(*h264_config())
    assert len(tracks_of(demuxer.feed_tag(*h264_frame()))) == 1


def test_without_metadata_a_lone_track_is_announced_after_a_while() -> None:
    demuxer = FlvDemuxer()
    items = [h264_config(), *(h264_frame(ms) for ms in range(5000, 5000 + PROBE_MS, 40))]
    assert [event for item in items for event in demuxer.feed_tag(*item)] == []
    events = demuxer.feed_tag(*h264_frame(5000 + PROBE_MS))
    assert len(tracks_of(events)) == 1
    assert len(samples_of(events)) == len(items)


def test_what_is_held_back_is_bounded() -> None:
    demuxer = FlvDemuxer()
    demuxer.feed_tag(*h264_config())
    events = [event for _ in range(3) for event in demuxer.feed_tag(*h264_frame(0, nal(1, 4_000_000)))]
    assert len(samples_of(events)) == 3


def test_a_track_that_comes_late_is_a_change() -> None:
    items = [metadata(videocodecid=7.0), h264_config(), h264_frame(0), AAC_SEQUENCE, aac_frame(0)]
    assert [len(tracks) for tracks in tracks_of(demuxed(items))] == [1, 2]


def test_the_same_configuration_again_is_no_change() -> None:
    items = [h264_config(), AAC_SEQUENCE, h264_frame(0), h264_config(timestamp=40), AAC_SEQUENCE, h264_frame(40)]
    assert len(tracks_of(demuxed(items))) == 1


def test_another_configuration_is_a_change_before_its_samples() -> None:
    events = demuxed([h264_config(), AAC_SEQUENCE, h264_frame(0), h264_config(OTHER_CONFIG), h264_frame(40)])
    assert [tracks[0].width for tracks in tracks_of(events)] == [176, 160]
    assert isinstance(events[-1], SamplesReceived)


def test_metadata_gives_the_frame_rate_that_parameter_sets_lack() -> None:
    _, sps, pps = h264.parse_avcc(packets(video("libx264", "flv", x264_params="force-cfr=0:nal-hrd=none"))[0].extradata)
    bare = h264.build_avcc([_without_vui(sps[0])], pps)
    items = [metadata(videocodecid=7.0, framerate=29.97), h264_config(bare)]
    items += [h264_frame(round(n * 1001 / 30)) for n in range(30)]
    events = demuxed(items)
    assert tracks_of(events)[0][0].frame_rate == Fraction(30000, 1001)
    samples = samples_of(events)
    assert {b.dts - a.dts for a, b in zip(samples, samples[1:], strict=False)} == {3003}


def _without_vui(sps: bytes) -> bytes:
    """An SPS of baseline profile, 176x144, that says nothing about time."""
    bits = "1" + "1" + "1" + "1" + "010" + "0"  # id, frame_num, order type 0, order lsb, one reference, no gaps
    bits += "0001011" + "0001001" + "1" + "1" + "0" + "0"  # 11 by 9 macroblocks, frames only, no cropping, no VUI
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return bytes((0x67, 66, 0xC0, 30)) + int(bits, 2).to_bytes(len(bits) // 8, "big")


# samples


def test_parameter_sets_delimiters_and_filler_are_left_out() -> None:
    _, (sps,), (pps,) = h264.parse_avcc(H264_CONFIG)
    sets = b"".join(len(n).to_bytes(4, "big") + n for n in (sps, pps))
    data = nal(9, 2) + sets + nal(6) + nal(5) + nal(12)
    events = demuxed([h264_config(), (9, 0, b"\x17\x01\0\0\0" + data)])
    assert [(sample.pts, sample.data) for sample in samples_of(events)] == [(0, nal(6) + nal(5))]
    assert len(tracks_of(events)) == 1


def test_new_parameter_sets_in_a_picture_are_a_change() -> None:
    _, (sps,), (pps,) = h264.parse_avcc(OTHER_CONFIG)
    sets = b"".join(len(n).to_bytes(4, "big") + n for n in (sps, pps))
    items = [h264_config(), AAC_SEQUENCE, h264_frame(0), (9, 40, b"\x17\x01\0\0\0" + sets + nal(5))]
    events = demuxed(items)
    assert [tracks[0].width for tracks in tracks_of(events)] == [176, 160]
    assert samples_of(events[-1:]) == [Sample(3600, nal(5))]


def test_short_lengths_become_four_bytes() -> None:
    config = H264_CONFIG[:4] + b"\xfd" + H264_CONFIG[5:]
    events = demuxed([h264_config(config), h264_frame(0, b"\0\x02\x41n")])
    assert samples_of(events) == [Sample(0, b"\0\0\0\x02\x41n", False)]
    assert tracks_of(events)[0][0].config == H264_CONFIG


def test_a_tag_without_a_picture_is_no_sample() -> None:
    assert samples_of(demuxed([h264_config(), h264_frame(0, nal(6)), (9, 0, b"\x17\x02\0\0\0")])) == []


def test_composition_times_are_signed() -> None:
    events = demuxed([h264_config(), h264_frame(80, composition=-40)])
    assert samples_of(events)[0].pts == 3600
    assert samples_of(events)[0].cto >= 0, "it is decoded before it is shown"


def test_several_frames_in_a_tag() -> None:
    file = audio("libmp3lame", "flv", 48000)
    frames = [body[1:] for kind, _, body in tags(file) if kind == 8][:3]
    events = demuxed([(8, 100, b"\x2f" + b"".join(frames)), (8, 172, b"\x2f" + frames[0])])
    assert [s.dts for s in samples_of(events, AUDIO_TRACK_ID)] == [4800, 5952, 7104, 8256]


# what is not recorded


@pytest.mark.parametrize(
    "item",
    [
        h264_frame(),
        aac_frame(),
        (9, 0, b"\x17"),
        (9, 0, b"\x17\0\0\0\0\x02"),
        (9, 0, b"\x90hv"),
        (8, 0, b"\xaf"),
        (8, 0, b"\xaf\0"),
        (8, 0, b"\xaf\0" + AAC_CONFIG + bytes(300)),
        (8, 0, b"\x2fabc"),
        (18, 0, b"\x02\x00"),
        (9, 0, b"\x96\x31hvc1\0"),
    ],
)
def test_damage_is_counted(item: tuple[int, int, bytes]) -> None:
    (event,) = demuxed([item])
    assert isinstance(event, DataLost)
    assert event.count == 1


def test_a_damaged_picture_does_not_stop_the_rest() -> None:
    events = demuxed([h264_config(), AAC_SEQUENCE, h264_frame(0, b"\0\0\0\x09a"), h264_frame(40)])
    assert [type(event) for event in events] == [DataLost, TracksChanged, SamplesReceived]


def test_sound_that_is_not_recorded_is_said_once_and_not_awaited() -> None:
    items = [(8, 0, b"\x72abc"), (8, 20, b"\x72abc"), h264_config(), h264_frame(40)]
    demuxer = FlvDemuxer()
    events = [event for item in items for event in demuxer.feed_tag(*item)]
    assert events[0] == TracksLeftOut((LeftOut("G.711 A-law audio", "send AAC, MP3, AC-3, E-AC-3 or Opus"),))
    assert [type(event) for event in events[1:]] == [TracksChanged, SamplesReceived]


@pytest.mark.parametrize(("head", "name"), [(b"\xaf\0", ""), (b"\x95\0mp4a\x03", " in track 3")])
@pytest.mark.parametrize(("config", "object_type"), [(b"\xb9\x90", 23), (b"\xf8\xe6\x30\0", 39)])
def test_audio_of_a_kind_that_is_not_recorded_has_a_reason(
    head: bytes, name: str, config: bytes, object_type: int
) -> None:
    demuxer = FlvDemuxer()
    frame = (8, 40, b"\x95\x01mp4a\x03abc") if name else aac_frame(40)
    items = [(8, 0, head + config), h264_config(), h264_frame(40), frame, h264_frame(40 + PROBE_MS)]
    events = [event for item in items for event in demuxer.feed_tag(*item)]
    what = f"MPEG-4 audio of object type {object_type}{name}"
    assert events[0] == TracksLeftOut((LeftOut(what, "send AAC-LC or HE-AAC"),))
    assert [track.codec for track in tracks_of(events)[-1]] == [Codec.H264]
    assert len(samples_of(events)) == 2
    assert not [event for event in events if isinstance(event, DataLost)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x12abc", "Sorenson H.263 video"),
        (b"\x91vp08\0\0\0", "vp08 video"),
        (b"\x90\xff\xfe\0\0", "fffe0000 video"),
    ],
)
def test_video_that_is_not_recorded_is_refused_if_there_is_nothing_else(body: bytes, message: str) -> None:
    demuxer = FlvDemuxer()
    (told,) = demuxer.feed_tag(9, 0, body)
    assert isinstance(told, TracksLeftOut)
    assert told.left_out[0].what == message
    assert demuxer.feed_tag(9, PROBE_MS - 1, body) == []
    with pytest.raises(UnsupportedCodec, match=message):
        demuxer.feed_tag(9, PROBE_MS, body)


def test_sound_is_recorded_where_the_video_cannot_be() -> None:
    demuxer = FlvDemuxer()
    items = [(9, 0, b"\x12abc"), aac_config(), *(aac_frame(at) for at in range(0, 3000, 21)), (9, 4000, b"\x12abc")]
    events = [event for item in items for event in demuxer.feed_tag(*item)]
    assert [type(event) for event in events[:3]] == [TracksLeftOut, TracksChanged, SamplesReceived]
    (tracks,) = [event.tracks for event in events if isinstance(event, TracksChanged)]
    assert [track.codec for track in tracks] == [Codec.AAC]


@lru_cache
def several(sounds: tuple[str, ...], pictures: int = 1) -> bytes:
    """An FLV file of enhanced RTMP's tracks, two seconds, as FFmpeg writes it."""
    out = io.BytesIO()
    with av.open(out, "w", "flv") as file:
        options = {"preset": "ultrafast", "x264-params": "log-level=none"}
        videos = [file.add_stream("libx264", rate=25, options=options) for _ in range(pictures)]
        for number, stream in enumerate(videos):
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64 << number, 64 << number, "yuv420p", 10
        audios = [file.add_stream(name, rate=48000, layout="stereo") for name in sounds]
        done = [0] * len(audios)
        for picture in range(50):
            for stream in videos:
                image = np.full((stream.height, stream.width, 3), picture, np.uint8)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            for number, sound in enumerate(audios):
                while done[number] < (picture + 1) * 1920:
                    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
                    frame.sample_rate, frame.pts = 48000, done[number]
                    done[number] += 1024
                    file.mux(sound.encode(frame))
        for stream in (*videos, *audios):
            file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("sounds", "pictures"), [(("aac", "aac"), 1), (("aac", "ac3", "aac"), 1), (("aac",), 2), (("aac", "aac"), 3)]
)
def test_every_track_is_recorded(sounds: tuple[str, ...], pictures: int) -> None:
    file = several(sounds, pictures)
    with av.open(io.BytesIO(file), format="flv") as read:
        expected: dict[tuple[str, int], list[bytes]] = {}
        order: dict[int, tuple[str, int]] = {}
        for stream in read.streams:
            order[stream.index] = stream.type, sum(kind == stream.type for kind, _ in order.values())
        for packet in read.demux():
            if packet.size:
                expected.setdefault(order[packet.stream.index], []).append(bytes(packet))
    events = demuxed(tags(file))
    assert not [event for event in events if isinstance(event, DataLost | TracksLeftOut)]
    tracks = tracks_of(events)[-1]
    assert [track.is_video for track in tracks] == [True] * pictures + [False] * len(sounds)
    assert [track.width for track in tracks[:pictures]] == [64 << number for number in range(pictures)]
    assert len({track.id for track in tracks}) == pictures + len(sounds)
    first = next(index for index, event in enumerate(events) if isinstance(event, SamplesReceived))
    assert tracks_of(events[first:]) == [], "all are known in front of the first sample"
    found = {track.id: [sample.data for sample in samples_of(events, track.id)] for track in tracks}
    assert [len(found[track.id]) for track in tracks[:pictures]] == [50] * pictures
    numbers = {"video": iter(tracks[:pictures]), "audio": iter(tracks[pictures:])}
    for (kind, _), frames in sorted(expected.items(), key=lambda item: item[0][1]):
        assert found[next(numbers[kind]).id] == frames


def test_a_track_that_is_not_recorded_does_not_stop_those_behind_it() -> None:
    body = b"\x95\x20fLaC\x01\0\0\x01xmp4a\x02\0\0\x02" + AAC_CONFIG  # sequence starts, each with its codec
    demuxer = FlvDemuxer()
    events = [event for item in (AAC_SEQUENCE, (8, 0, body)) for event in demuxer.feed_tag(*item)]
    assert TracksLeftOut((LeftOut("fLaC audio in track 1", "send AAC, MP3, AC-3, E-AC-3 or Opus"),)) in events
    events += [event for at in (0, PROBE_MS) for event in demuxer.feed_tag(*aac_frame(at))]
    assert [track.codec for track in tracks_of(events)[-1]] == [Codec.AAC, Codec.AAC]


def test_damage_in_one_track_does_not_stop_those_behind_it() -> None:
    body = b"\x95\x10mp4a\x01\0\0\x01\xff\x02\0\0\x02" + AAC_CONFIG
    demuxer = FlvDemuxer()
    events = [event for item in (AAC_SEQUENCE, (8, 0, body), aac_frame(0)) for event in demuxer.feed_tag(*item)]
    events += demuxer.feed_tag(*aac_frame(PROBE_MS))
    assert [track.id for track in tracks_of(events)[-1]] == [AUDIO_TRACK_ID, AUDIO_TRACK_ID + 4]
    assert len([event for event in events if isinstance(event, DataLost)]) == 1


def test_the_number_of_tracks_is_bounded_and_the_rest_named() -> None:
    demuxer = FlvDemuxer()
    events = [
        event
        for track in range(256)
        for event in demuxer.feed_tag(8, 0, b"\x95\x00mp4a" + bytes((track,)) + AAC_CONFIG)
    ]
    events += demuxer.feed_tag(*aac_frame(0)) + demuxer.feed_tag(*aac_frame(PROBE_MS))
    assert len(tracks_of(events)[-1]) == TRACKS_MAX - 1, "one place is kept for video"
    told = [event for event in events if isinstance(event, TracksLeftOut)][-1].left_out
    assert told[0] == LeftOut(f"audio track {TRACKS_MAX - 1}", f"only {TRACKS_MAX} tracks are")
    assert len(told) <= 16


# tags: the enhanced forms

VIDEO_ROWS: list[tuple[str, bytes, VideoPacket | list[VideoPacket] | None]] = [
    ("avc", b"\x17\x01\xff\xff\xfeabc", VideoPacket(Codec.H264, 1, True, -2, b"abc")),
    ("h265 of codec id 12", b"\x2c\x01\0\0\x02abc", VideoPacket(Codec.H265, 1, False, 2, b"abc")),
    ("command", b"\x57\0", None),
    ("sequence start", b"\x90hvc1abc", VideoPacket(Codec.H265, 0, True, 0, b"abc")),
    ("coded frames", b"\x91avc1\0\0\x02abc", VideoPacket(Codec.H264, 1, True, 2, b"abc")),
    ("coded frames x", b"\xa3hvc1abc", VideoPacket(Codec.H265, 1, False, 0, b"abc")),
    ("sequence end", b"\x92hvc1", VideoPacket(Codec.H265, 2, True, 0, b"")),
    ("metadata", b"\x94hvc1abc", None),
    ("enhanced command", b"\xd0\0\0\0\0", None),
    ("mod ex", b"\x97\x02\0\0\x01\x03hvc1abc", VideoPacket(Codec.H265, 1, True, 0, b"abc")),
    ("mod ex twice", b"\x97\0\0\x07\0\0\x03hvc1abc", VideoPacket(Codec.H265, 1, True, 0, b"abc")),
    ("long mod ex", b"\x97\xff\x00\x01ab\x03hvc1abc", VideoPacket(Codec.H265, 1, True, 0, b"abc")),
    ("one track", b"\x96\x03hvc1\0abc", VideoPacket(Codec.H265, 1, True, 0, b"abc")),
    ("another one track", b"\x96\x03hvc1\x01abc", VideoPacket(Codec.H265, 1, True, 0, b"abc", 1)),
    (
        "many",
        b"\x96\x13hvc1\x01\0\0\x02xx\0\0\0\x03abc",
        [VideoPacket(Codec.H265, 1, True, 0, b"xx", 1), VideoPacket(Codec.H265, 1, True, 0, b"abc")],
    ),
    (
        "codecs",
        b"\x96\x23av01\x01\0\0\x02xxavc1\0\0\0\x03abc",
        [VideoPacket(Codec.AV1, 1, True, 0, b"xx", 1), VideoPacket(Codec.H264, 1, True, 0, b"abc")],
    ),
]
AUDIO_ROWS: list[tuple[str, bytes, AudioPacket | list[AudioPacket] | None]] = [
    ("aac", b"\xaf\x01abc", AudioPacket(Codec.AAC, 1, b"abc")),
    ("mp3", b"\x2fabc", AudioPacket(Codec.MP3, 1, b"abc")),
    ("mp3 of 8 kHz", b"\xeeabc", AudioPacket(Codec.MP3, 1, b"abc")),
    ("enhanced aac", b"\x90mp4aabc", AudioPacket(Codec.AAC, 0, b"abc")),
    ("enhanced ac3", b"\x91ac-3abc", AudioPacket(Codec.AC3, 1, b"abc")),
    (
        "many",
        b"\x95\x11ec-3\0\0\0\x03abc\x01\0\0\x01x",
        [AudioPacket(Codec.EAC3, 1, b"abc"), AudioPacket(Codec.EAC3, 1, b"x", 1)],
    ),
    ("another", b"\x95\x11ec-3\x01\0\0\x01x", AudioPacket(Codec.EAC3, 1, b"x", 1)),
]


T = TypeVar("T")


def listed(packet: T | list[T] | None) -> list[T]:
    return packet if isinstance(packet, list) else [] if packet is None else [packet]


@pytest.mark.parametrize(("name", "body", "packet"), VIDEO_ROWS)
def test_video_tags(name: str, body: bytes, packet: VideoPacket | list[VideoPacket] | None) -> None:
    assert list(parse_video(body)) == listed(packet)


@pytest.mark.parametrize(("name", "body", "packet"), AUDIO_ROWS)
def test_audio_tags(name: str, body: bytes, packet: AudioPacket | list[AudioPacket] | None) -> None:
    assert list(parse_audio(body)) == listed(packet)


@pytest.mark.parametrize("body", [row[1] for row in VIDEO_ROWS])
def test_truncated_video_tags(body: bytes) -> None:
    for end in range(1, len(body)):
        try:
            list(parse_video(body[:end]))
        except FormatError:
            pass


@given(st.lists(st.tuples(st.sampled_from([8, 9, 18, 0]), st.integers(-5, 2**33), st.binary(max_size=40)), max_size=8))
def test_garbage(items: list[tuple[int, int, bytes]]) -> None:
    try:
        demuxed([h264_config(), AAC_SEQUENCE, *items])
    except UnsupportedCodec:
        pass


# Annex B where lengths belong


@pytest.mark.parametrize("code", [b"\0\0\0\1", b"\0\0\1"])
@pytest.mark.parametrize("config", ["avcC", "Annex B", "none"])
def test_start_codes_where_lengths_belong(code: bytes, config: str) -> None:
    """The samples are the same as those of a publisher that does it right."""
    body = h264_frame()[2]
    units = [body[5:][start:stop] for start, stop in split_lengths(body[5:])]
    _, sps, pps = h264.parse_avcc(H264_CONFIG)
    sets = b"".join(code + nal for nal in sps + pps)
    wrong = b"".join(code + unit for unit in units)
    items = {
        "avcC": [h264_config()],
        "Annex B": [(9, 0, b"\x17\0\0\0\0" + sets)],
        "none": [],
    }[config]
    items += [(9, 0, body[:5] + (sets if config == "none" else b"") + wrong), (9, 40, body[:5] + wrong)]
    demuxer = FlvDemuxer()
    events = [event for item in items for event in demuxer.feed_tag(*item)] + demuxer.flush()
    right = FlvDemuxer()
    expected = [
        event for item in (h264_config(), h264_frame(), h264_frame(40)) for event in right.feed_tag(*item)
    ] + right.flush()
    # What stands behind its sets would be a place to begin in any case, and the others are none: they are no pictures.
    both = zip(samples_of(events), samples_of(expected), strict=True)
    assert all((a.data, a.dts, a.cto) == (b.data, b.dts, b.cto) for a, b in both)
    assert not [event for event in events if isinstance(event, DataLost)]
