"""MPEG-2 video, AV1, VP9 and Opus, from real encoders: recorded, read and decoded by FFmpeg, and sent as MPEG-TS."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs import av1, mpeg2video, opus, vp9
from flussdvr.formats.codecs.mpeg2video import MpegVideoStream
from flussdvr.formats.flv.demuxer import FlvDemuxer
from flussdvr.formats.mp4.codec_string import codec_string
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.mux import TsMuxer, TsRun
from flussdvr.media import Codec, MediaEvent, PictureTrouble, Sample, Track
from flussdvr.playback.pictures.decoder import Box, key_frame_jpeg
from tests.formats.encoded import decoded, encoded, packets_of, recorded, same_pictures
from tests.formats.transport import losses_of, samples_of, tracks_of


def from_ts(data: bytes, piece: int = 1316) -> tuple[tuple[Track, ...], dict[int, list[Sample]]]:
    demuxer = TsDemuxer()
    events: list[MediaEvent] = []
    for at in range(0, len(data), piece):
        events += demuxer.feed(data[at : at + piece])
    events += demuxer.flush()
    (tracks,) = tracks_of(events)
    return tracks, samples_of(events)


def to_ts(tracks: tuple[Track, ...], samples: dict[int, list[Sample]]) -> bytes:
    runs = []
    for track in tracks:
        mine = samples[track.id]
        steps = [after.dts - before.dts for before, after in zip(mine, mine[1:], strict=False)]
        runs.append(TsRun.of(Run(track, mine[0].dts, [*steps, steps[-1]], mine)))
    return TsMuxer(tracks).segment(runs)


@pytest.mark.parametrize(
    ("video", "bframes", "audio"),
    [
        ("mpeg2video", 0, "mp2"),
        ("mpeg2video", 2, "ac3"),
        ("mpeg1video", 2, "mp2"),
        ("libx264", 0, "libopus"),
        ("mpeg2video", 2, "libopus"),
    ],
)
def test_from_ts(video: str, bframes: int, audio: str) -> None:
    data = encoded("mpegts", video, audio, bframes=bframes)
    tracks, samples = from_ts(data)
    assert [track.is_video for track in tracks] == [True, False]
    assert len(samples[tracks[0].id]) == 50
    movie = recorded(tracks, samples)
    same_pictures(decoded(movie, "mp4", "video"), decoded(data, "mpegts", "video"))
    ours, theirs = decoded(movie, "mp4", "audio"), decoded(data, "mpegts", "audio")
    assert len(ours) == len(theirs)
    with av.open(io.BytesIO(movie), format="mp4") as file:
        assert file.streams.video[0].codec_context.width == 96
        assert file.streams.audio[0].codec_context.sample_rate == 48_000


@pytest.mark.parametrize("piece", [1, 188 * 3 + 7, 100_000])
def test_pieces_of_any_size(piece: int) -> None:
    data = encoded("mpegts", "mpeg2video", "libopus", bframes=2)
    assert from_ts(data, piece) == from_ts(data)


@pytest.mark.parametrize("video", ["mpeg2video", "mpeg1video"])
def test_mpeg_video_begins_where_it_can_be_decoded(video: str) -> None:
    tracks, samples = from_ts(encoded("mpegts", video, "mp2", bframes=2))
    track, pictures = tracks[0], samples[tracks[0].id]
    assert track.codec is Codec.MPEG2
    assert codec_string(track) == {"mpeg2video": "mp4v.61", "mpeg1video": "mp4v.6A"}[video]
    assert (track.width, track.height, track.frame_rate) == (96, 64, 25)
    keys = [n for n, sample in enumerate(pictures) if sample.sync]
    assert len(keys) >= 4
    assert all(pictures[n].data.startswith(b"\0\0\1\xb3") for n in keys)
    for begin in keys:
        rest = decoded(recorded(tracks[:1], {track.id: pictures[begin:]}), "mp4", "video")
        assert rest


@pytest.mark.parametrize(("video", "audio"), [("mpeg2video", "libopus"), ("libx264", "libopus"), ("mpeg1video", "mp2")])
def test_sent_as_ts(video: str, audio: str) -> None:
    data = encoded("mpegts", video, audio, bframes=2)
    tracks, samples = from_ts(data)
    sent = to_ts(tracks, samples)
    same_pictures(decoded(sent, "mpegts", "video"), decoded(data, "mpegts", "video"))
    assert len(decoded(sent, "mpegts", "audio")) == len(decoded(data, "mpegts", "audio"))
    again, found = from_ts(sent)
    assert [track.codec for track in again] == [track.codec for track in tracks]
    assert [[one.data for one in found[track.id]][:49] for track in again] == [
        [one.data for one in samples[track.id]][:49] for track in tracks
    ] or video == "libx264"


@pytest.mark.parametrize("codec", [Codec.AV1, Codec.VP9, Codec.MJPEG])
def test_what_ts_cannot_carry_is_refused_by_name(codec: Codec) -> None:
    with pytest.raises(FormatError, match=codec.value):
        TsMuxer((Track(1, codec, 90_000),))


# -- pictures in any pieces -------------------------------------------------------------------------------------------


def test_pictures_without_times_of_their_own_and_across_pes_borders() -> None:
    """One PES a GOP, cut anywhere: the pictures are the same, a frame apart, in the order of their references."""
    _, packets = packets_of(encoded("mpegts", "mpeg2video", None, bframes=2), "mpegts")
    units = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for _, packet in packets]
    expected = MpegVideoStream(1, "und")
    whole = [sample for data, pts, dts, _ in units for sample in expected.read(pts, dts, data)] + expected.flush()
    for tail in (1, 3, 100):
        stream = MpegVideoStream(1, "und")
        found: list[Sample] = []
        rest = b""
        for data, pts, dts, key in units:
            cut = len(data) - tail
            found += stream.read(pts if key else None, dts if key else None, rest + data[:cut])
            rest = data[cut:]
        found += stream.read(None, None, rest) + stream.flush()
        assert [sample.data for sample in found] == [sample.data for sample in whole]
        assert [(sample.dts, sample.cto) for sample in found] == [(sample.dts, sample.cto) for sample in whole]


def picture(temporal: int, kind: int, structure: int, sequence: bytes = b"") -> bytes:
    header = b"\0\0\1\0" + (temporal << 22 | kind << 19).to_bytes(4, "big")
    extension = b"\0\0\1\xb5" + bytes((0x8F, 0xFF, 0xF0 | structure, 0x80))
    return sequence + header + extension + b"\0\0\1\x01slice" + b"\0\0\1\x02slice"


SEQUENCE = bytes.fromhex("000001b3 2d024023 ffff e000 000001b5 148200010000".replace(" ", ""))


def test_two_fields_are_one_picture() -> None:
    fields = [picture(0, 1, 1, SEQUENCE), picture(0, 2, 2), picture(1, 2, 2), picture(1, 2, 1), picture(2, 2, 3)]
    stream = MpegVideoStream(1, "und")
    samples: list[Sample] = []
    for number, field in enumerate(fields):
        samples += stream.read(number * 1800, number * 1800, field)
    samples += stream.flush()
    assert [sample.data for sample in samples] == [fields[0] + fields[1], fields[2] + fields[3], fields[4]]
    assert [sample.dts for sample in samples] == [0, 3600, 7200]
    assert [sample.sync for sample in samples] == [True, False, False]
    assert stream.track is not None
    assert (stream.track.width, stream.track.height, stream.track.sample_aspect_ratio) == (720, 576, (16, 15))


def test_a_group_without_a_sequence_header_is_given_the_last_one() -> None:
    group = b"\0\0\1\xb8\0\x08\0\x40"
    stream = MpegVideoStream(1, "und")
    stream.read(0, 0, picture(0, 1, 3, SEQUENCE))
    samples = stream.read(3600, 3600, picture(0, 1, 3, group)) + stream.flush()
    assert samples[1].sync
    assert samples[1].data == mpeg2video.sequence_config(SEQUENCE + b"\0\0\1\xb8") + picture(0, 1, 3, group)


# -- enhanced RTMP ----------------------------------------------------------------------------------------------------


def tags(video: str | None, audio: str | None) -> list[tuple[int, int, bytes]]:
    """What an encoder would publish: sequence headers, then frames."""
    extra, packets = packets_of(encoded("matroska", video, audio), "matroska")
    fourcc = {"libsvtav1": b"av01", "libvpx-vp9": b"vp09", "libx264": b"avc1", None: b""}[video]
    items = []
    if video is not None:
        record = extra["video"] or bytes((0, 10, 0x82, 2, 2, 2, 0, 0))
        items.append((9, 0, b"\x90" + fourcc + record))
    if audio is not None:
        items.append((8, 0, b"\x90Opus" + extra["audio"]))
    for kind, packet in packets:
        ms = max(0, round(float(packet.pts * packet.time_base) * 1000))
        if kind == "video":
            first = 0x80 | (0x10 if packet.is_keyframe else 0x20) | (3 if fourcc == b"avc1" else 1)
            items.append((9, ms, bytes((first,)) + fourcc + bytes(packet)))
        else:
            items.append((8, ms, b"\x91Opus" + bytes(packet)))
    return items


def from_flv(items: list[tuple[int, int, bytes]]) -> tuple[tuple[Track, ...], dict[int, list[Sample]]]:
    demuxer = FlvDemuxer()
    events = [event for item in items for event in demuxer.feed_tag(*item)] + demuxer.flush()
    return tracks_of(events)[-1], samples_of(events)


@pytest.mark.parametrize("video", ["libsvtav1", "libvpx-vp9"])
def test_from_rtmp(video: str) -> None:
    tracks, samples = from_flv(tags(video, "libopus"))
    picture, sound = tracks
    assert (picture.width, picture.height) == (96, 64)
    assert (sound.codec, sound.channels, sound.timescale) == (Codec.OPUS, 2, 48_000)
    assert len(samples[picture.id]) == 50
    assert samples[picture.id][0].sync
    movie = recorded(tracks, samples)
    expected = decoded(encoded("matroska", video, "libopus"), "matroska", "video")
    same_pictures(decoded(movie, "mp4", "video"), expected)
    assert len(decoded(movie, "mp4", "audio")) == len(
        decoded(encoded("matroska", video, "libopus"), "matroska", "audio")
    )
    assert codec_string(sound) == "opus"
    assert codec_string(picture).startswith({"libsvtav1": "av01.0.", "libvpx-vp9": "vp09.00."}[video])


def test_opus_without_a_header() -> None:
    items = [item for item in tags(None, "libopus") if item[2][0] != 0x90]
    tracks, samples = from_flv(items)
    assert [(track.codec, track.channels) for track in tracks] == [(Codec.OPUS, 2)]
    times = [sample.dts for sample in samples[tracks[0].id]][1:]
    assert {after - before for before, after in zip(times, times[1:], strict=False)} == {960}


@pytest.mark.parametrize("video", ["mpeg2video", "libsvtav1", "libvpx-vp9"])
def test_their_key_frames_become_pictures(video: str) -> None:
    if video == "mpeg2video":
        tracks, samples = from_ts(encoded("mpegts", video, "mp2", bframes=2))
    else:
        tracks, samples = from_flv(tags(video, "libopus"))
    keys = [sample.data for sample in samples[tracks[0].id] if sample.sync]
    assert len(keys) >= 2
    for key in keys:
        assert key_frame_jpeg(tracks[0], key, Box(96, 64)).startswith(b"\xff\xd8")


# -- Opus -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "duration"),
    [
        (b"\x00", 480),
        (b"\x18", 2880),
        (b"\x60", 480),
        (b"\x80", 120),
        (b"\xf8", 960),
        (b"\xf9", 1920),
        (b"\xfb\x03", 2880),
    ],
)
def test_how_long_a_packet_lasts(packet: bytes, duration: int) -> None:
    assert opus.packet_duration(packet) == duration


@pytest.mark.parametrize("packet", [b"", b"\xfb", b"\xfb\x00", b"\xfb\x3f", b"\x1b\x03"])
def test_what_is_no_packet(packet: bytes) -> None:
    with pytest.raises(FormatError):
        opus.packet_duration(packet)


@given(st.lists(st.binary(min_size=1, max_size=600), max_size=5))
def test_control_headers_there_and_back(packets: list[bytes]) -> None:
    data = b"".join(opus.control_header(len(packet)) + packet for packet in packets)
    assert [data[begin:end] for begin, end, _ in opus.split_packets(data)] == packets


def test_trims_and_extensions_are_passed_over() -> None:
    data = b"\x7f\xfc\x03\x00\x20\x00\x10\x02xxabc"
    assert [(data[begin:end], trim) for begin, end, trim in opus.split_packets(data)] == [(b"abc", 16)]


# -- whatever comes ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    readers: list[Any] = [
        opus.packet_duration,
        opus.dops_of_head,
        opus.dops_channels,
        lambda given: list(opus.split_packets(given)),
        av1.temporal_unit,
        av1.sequence_header_of,
        av1.parse_sequence_header,
        av1.codec_string,
        vp9.config_of,
        vp9.key_frame_size,
        vp9.codec_string,
        mpeg2video.parse_sequence,
    ]
    for reader in readers:
        with suppress(FormatError):
            reader(data)


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 255), st.booleans()), max_size=20))
def test_garbage_of_pictures(pieces: list[tuple[bytes, int, bool]]) -> None:
    stream = MpegVideoStream(1, "und")
    for number, (data, code, whole) in enumerate(pieces):
        head = SEQUENCE if whole else b""
        stream.read(number, number, head + b"\0\0\1" + bytes((code,)) + data)
    stream.flush()


def test_a_loss_in_mpeg2_is_counted_and_marks_the_rest_of_its_group() -> None:
    data = encoded("mpegts", "mpeg2video", "mp2", bframes=2)
    (video, *_), whole = from_ts(data)
    starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x5F == 0x41 and data[at + 2] == 0]
    gone = starts[20]
    demuxer = TsDemuxer()
    events = [*demuxer.feed(data[:gone] + data[gone + 188 :]), *demuxer.flush()]
    found = samples_of(events)[video.id]
    known = [sample.data for sample in whole[video.id]]
    missing = next(n for n, sample in enumerate(whole[video.id]) if sample.data != found[n].data)
    assert [sample.data for sample in found] == known[:missing] + known[missing + 1 :]
    following = next(n for n, sample in enumerate(found) if n >= missing and sample.sync)
    assert [sample.damaged for sample in found] == [missing <= n < following for n in range(len(found))]
    losses = losses_of(events)
    assert losses[PictureTrouble.INCOMPLETE] == 1
    assert losses.get(PictureTrouble.DAMAGED, 0) == following - missing
