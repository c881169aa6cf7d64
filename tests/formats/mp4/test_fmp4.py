from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import box, full_box
from flussdvr.formats.mp4.fmp4 import (
    BlobInfo,
    Run,
    SampleRow,
    TrackDefaults,
    blob_info_box,
    parse_blob_info,
    parse_fragment,
    parse_init,
    write_fragment,
    write_init,
)
from flussdvr.formats.mp4.movie import pack_language, unpack_language
from flussdvr.media import Codec, Sample, Track
from tests.formats import recorded

VIDEO = Track(1, Codec.H264, 90000, b"\1d\0\x1f\xff\xe1\0\0\1\0\0", width=1280, height=720, frame_rate=Fraction(25))
AUDIO = Track(2, Codec.AAC, 48000, b"\x11\x90", "deu", channels=2, sample_rate=48000)


def run(track: Track, dts: int, *samples: tuple[int, int, bool, int]) -> Run:
    return Run(
        track, dts, [row[0] for row in samples], [Sample(0, bytes(size), sync, cto) for _, size, sync, cto in samples]
    )


def test_init_there_and_back() -> None:
    data = write_init([VIDEO, AUDIO])
    init = parse_init(data)
    assert init.tracks == (VIDEO, AUDIO)
    assert init.size == len(data)
    assert init.defaults[1] == TrackDefaults(3600, 0, 0x1010000)
    assert parse_init(data + b"whatever follows").tracks == (VIDEO, AUDIO)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(15, 2), None])
def test_frame_rate(rate: Fraction | None) -> None:
    track = Track(1, Codec.H265, 90000, b"\1" + bytes(22), width=64, height=64, frame_rate=rate)
    assert parse_init(write_init([track])).tracks[0].frame_rate == rate


@pytest.mark.parametrize(("language", "read"), [("deu", "deu"), ("en", "und"), ("DEU", "und"), ("d\xe4u", "und")])
def test_language(language: str, read: str) -> None:
    assert unpack_language(pack_language(language)) == read
    assert unpack_language(0) == "und"


def test_init_cut_off_anywhere() -> None:
    data = write_init([VIDEO, AUDIO])
    for size in range(len(data)):
        with pytest.raises(FormatError):
            parse_init(data[:size])


@given(st.integers(0, len(write_init([VIDEO, AUDIO])) - 1), st.integers(0, 255))
def test_damaged_init(at: int, value: int) -> None:
    data = bytearray(write_init([VIDEO, AUDIO]))
    data[at] = value
    try:
        parse_init(data)
    except FormatError:
        pass


def test_blob_info() -> None:
    info = BlobInfo("hof/einfahrt \u00fc", 4000, 17, "disk")
    data = blob_info_box(info)
    assert data[4:24] == b"uuidflussdvr-blob\0\0\0"
    assert parse_blob_info(data[8:]) == info
    assert parse_blob_info(bytes(20)) is None


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"stream":"a","segment_ms":0,"sequence":0}', b"\xff", b"[" * 100_000]
)
def test_bad_blob_info(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse_blob_info(b"flussdvr-blob\0\0\0" + text)


@pytest.mark.parametrize(
    "runs",
    [
        [run(VIDEO, 1 << 48, (3600, 10, True, 7200), (3600, 20, False, 0), (3600, 30, False, 3600))],
        [
            run(VIDEO, 5, (3600, 10, True, 0), (3600, 10, False, 0)),
            run(AUDIO, 7, (1024, 3, True, 0), (1024, 3, True, 0)),
        ],
        [run(AUDIO, 7, (1024, 3, True, 0), (1023, 4, True, 0))],
        [run(VIDEO, 0, (1, 0, False, -5), (2, 1, False, 5))],
        [run(VIDEO, 0, (1, 1, True, 0), (1, 1, True, 0))],  # Motion JPEG and all-intra
        [run(VIDEO, 0, (9, 1, True, 0))],
        [],
    ],
)
def test_fragment_there_and_back(runs: list[Run]) -> None:
    head, payload = write_fragment(7, runs)
    fragment = parse_fragment(head[:-8], {})
    assert (fragment.sequence, fragment.size) == (7, len(head) - 8)
    assert head[-4:] == b"mdat" and int.from_bytes(head[-8:-4]) == 8 + len(payload)
    at = len(head)
    for written, read in zip(runs, fragment.runs, strict=True):
        assert (read.track_id, read.dts, read.data_offset) == (written.track.id, written.dts, at)
        expected = [(len(one.data), one.sync, one.cto) for one in written.samples]
        assert [(row.size, row.sync, row.cto) for row in read.rows] == expected
        assert [row.duration for row in read.rows] == written.durations
        at += sum(len(one.data) for one in written.samples)


def test_what_cannot_be_a_fragment() -> None:
    with pytest.raises(ValueError, match="crosses a sync sample"):
        write_fragment(1, [run(VIDEO, 0, (1, 1, False, 0), (1, 1, True, 0), (1, 1, False, 0))])
    with pytest.raises(ValueError, match="durations"):
        write_fragment(1, [Run(AUDIO, 0, [1], [Sample(0, b""), Sample(0, b"")])])


def test_fragment_cut_off_anywhere() -> None:
    head, _ = write_fragment(1, [run(VIDEO, 1, (3, 10, True, 2), (4, 20, False, 0)), run(AUDIO, 7, (1, 3, True, 0))])
    for size in range(len(head) - 8):
        with pytest.raises(FormatError):
            parse_fragment(head[:size], {})


def u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4) for value in values)


def test_any_legal_layout() -> None:
    moof = box(
        b"moof",
        full_box(b"mfhd", 0, 0, u32(3)),
        box(
            b"traf",
            full_box(b"tfhd", 0, 0x1 | 0x2, u32(1), (5000).to_bytes(8), u32(1)),  # base data offset, description
            full_box(b"tfdt", 0, 0, u32(99)),
            full_box(b"trun", 0, 0x1 | 0x200 | 0x400, u32(2, 50), u32(7, 0x10000, 8, 0)),
            full_box(b"trun", 0, 0x100, u32(1, 33)),  # follows; size of trex
        ),
        box(b"traf", full_box(b"tfhd", 0, 0x8, u32(2, 1024)), full_box(b"trun", 0, 0x800, u32(1, 0xFFFFFFFE))),
        box(b"free", b"x"),
    )
    fragment = parse_fragment(moof, {1: TrackDefaults(10, 20, 0x10000), 2: TrackDefaults(1, 4, 0)}, at=4000)
    first, second, third = fragment.runs
    assert (first.track_id, first.dts, first.data_offset) == (1, 99, 1050)
    assert first.rows == [SampleRow(10, 7, 0x10000, 0), SampleRow(10, 8, 0, 0)]
    assert (second.dts, second.data_offset, second.rows) == (119, 1065, [SampleRow(33, 20, 0x10000, 0)])
    assert (third.dts, third.data_offset, third.rows) == (None, 1085, [SampleRow(1024, 4, 0, -2)])


def test_reads_what_ffmpeg_writes() -> None:
    out = io.BytesIO()
    media = recorded.video("libx264", recorded.B_FRAMES)
    with av.open(out, "w", "mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}) as file:
        stream = file.add_stream("libx264", rate=25, options={"x264-params": recorded.B_FRAMES})
        stream.width, stream.height = 160, 64
        for count in range(30):
            frame = av.VideoFrame(160, 64, "yuv420p")
            frame.pts = count
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = out.getvalue()
    init = parse_init(data)
    assert init.tracks[0].codec is media.track.codec
    fragment = parse_fragment(data[init.size :], init.defaults, init.size)
    assert [row.sync for row in fragment.runs[0].rows] == [True] + [False] * 9
    size = sum(row.size for row in fragment.runs[0].rows)
    at = init.size + fragment.size
    assert int.from_bytes(data[at : at + 4]) == 8 + size
    assert fragment.runs[0].data_offset == fragment.size + 8


@pytest.mark.parametrize(
    "runs", [[full_box(b"trun", 0, 0, u32(0xFFFFFFFF))], [full_box(b"trun", 0, 0x200, u32(2, 1))], [b"\0\0\0\7trun"]]
)
def test_hostile_runs(runs: list[bytes]) -> None:
    traf = box(b"traf", full_box(b"tfhd", 0, 0, u32(1)), *runs)
    with pytest.raises(FormatError):
        parse_fragment(box(b"moof", full_box(b"mfhd", 0, 0, u32(1)), traf), {})


@given(st.data())
def test_damaged_fragment(data: st.DataObject) -> None:
    head, _ = write_fragment(1, [run(VIDEO, 1, (3, 10, True, 2), (4, 20, False, 0)), run(AUDIO, 7, (1, 3, True, 0))])
    moof = bytearray(head[:-8])
    for _ in range(data.draw(st.integers(1, 4))):
        moof[data.draw(st.integers(0, len(moof) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_fragment(moof, {})
    except FormatError:
        pass


@pytest.mark.parametrize(
    ("encoder", "parameters"),
    [
        ("libx264", recorded.B_FRAMES),
        ("libx264", recorded.OPEN_GOP),
        ("libx265", recorded.OPEN_GOP),
        ("mjpeg", ""),
    ],
)
def test_ffmpeg_reads_identical_packets(encoder: str, parameters: str) -> None:
    video, audio = recorded.video(encoder, parameters), recorded.audio()
    blob = recorded.record(video, audio, info=BlobInfo("cam", 5000))
    packets = recorded.packets(blob.data)
    begin = recorded.UTC * 90000 - video.samples[0].cto
    expected = [(begin + one.dts, begin + one.pts, one.data, one.sync) for one in video.samples]
    assert packets[0] == expected
    begin = recorded.UTC * 48000
    assert packets[1] == [(begin + one.dts, begin + one.dts, one.data, True) for one in audio.samples]
    assert [number for _, number in recorded.shown(blob.data)] == list(range(50))
