from __future__ import annotations

import io
from dataclasses import replace
from itertools import product

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import AudioSpecificConfig, build_audio_specific_config
from flussdvr.formats.mp4.fmp4 import Run
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.lane import CARRIED
from flussdvr.formats.mpegts.mux import TsMuxer, TsRun, program_of
from flussdvr.media import Codec, Sample, Track
from tests.formats.transport import av_packets, losses_of, program, samples_of, tracks_of
from tests.formats.ts_rules import faults, rules_of

WRAP = 1 << 33
UTC = 1_790_000_000
SILENCE = Track(9, Codec.AAC, 48000, build_audio_specific_config(AudioSpecificConfig(2, 48000, 2)), "eng")


def demux(data: bytes) -> tuple[tuple[Track, ...], dict[int, list[Sample]], TsDemuxer]:
    demuxer = TsDemuxer()
    events = demuxer.feed(data) + demuxer.flush()
    assert not losses_of(events)
    return (tracks_of(events) or [()])[-1], samples_of(events), demuxer


def run_of(track: Track, samples: list[Sample], **options: object) -> TsRun:
    return TsRun(
        track,
        [sample.dts for sample in samples],
        [len(sample.data) for sample in samples],
        [sample.cto for sample in samples],
        [sample.sync for sample in samples],
        b"".join(sample.data for sample in samples),
        **options,
    )


def source(shift_s: int = 0, **options: object) -> tuple[tuple[Track, ...], dict[int, list[Sample]]]:
    """A program's tracks and samples, `shift_s` later."""
    tracks, samples, _ = demux(program(**options))
    for track in tracks:
        for sample in samples[track.id]:
            sample.dts += shift_s * track.timescale
    return tracks, samples


def segments(tracks: tuple[Track, ...], samples: dict[int, list[Sample]]) -> list[list[TsRun]]:
    """Cut at the video's key frames."""
    video = tracks[0]
    cuts = [sample.dts / video.timescale for sample in samples[video.id] if sample.sync][1:]
    edges = zip([-1.0, *cuts], [*cuts, 1e18], strict=True)
    return [
        [
            run_of(track, [sample for sample in samples[track.id] if begin <= sample.dts / track.timescale < end])
            for track in tracks
        ]
        for begin, end in edges
    ]


def check_packets(data: bytes, segments: list[bytes]) -> None:
    """Counters go on over all segments, and each segment can follow each other one."""
    for segment in segments:
        assert not len(segment) % 188
    rows = np.frombuffer(data, np.uint8).reshape(-1, 188)
    assert (rows[:, 0] == 0x47).all()
    pids = (rows[:, 1] & 31).astype(int) << 8 | rows[:, 2]
    for pid in set(pids.tolist()):
        own = rows[pids == pid]
        counters = own[:, 3] & 15
        pays = own[:, 3] & 0x10 > 0
        assert (counters == (np.cumsum(pays) - 1) % 16).all()
    assert (rows[rows[:, 3] & 0x20 > 0, 4] <= 183).all()


def pcr(data: bytes) -> list[int]:
    rows = np.frombuffer(data, np.uint8).reshape(-1, 188)
    rows = rows[(rows[:, 3] & 0x20 > 0) & (rows[:, 4] > 0)]
    rows = rows[rows[:, 5] & 0x10 > 0]
    return [int.from_bytes(row[6:11].tobytes(), "big") >> 7 for row in rows]


@pytest.mark.parametrize(
    ("video", "audio", "bframes"),
    [("libx264", "aac", 0), ("libx264", "aac", 2), ("libx265", "aac", 2), ("libx264", "mp2", 0),
     ("libx264", "libmp3lame", 0), ("libx264", "ac3", 0), ("libx264", "eac3", 0)],
)  # fmt: skip
def test_against_ffmpeg(video: str, audio: str, bframes: int) -> None:
    options = {"video": video, "audio": audio, "bframes": bframes, "frames": 25}
    tracks, samples = source(UTC, **options)
    muxer = TsMuxer(tracks)
    parts = [muxer.segment(runs) for runs in segments(tracks, samples)]
    assert len(parts) == 3
    whole = b"".join(parts)
    check_packets(whole, parts)
    assert faults(parts) == []
    expected, found = av_packets(program(**options)), av_packets(whole)
    pids = [entry.pid for entry in program_of(tracks).streams]
    for own, others in zip(pids, (0x100, 0x101), strict=True):
        assert len(found[own]) == len(expected[others])
        for ours, theirs in zip(found[own], expected[others], strict=True):
            assert (ours.dts - theirs.dts - UTC * 90000) % WRAP in (0, 1, WRAP - 1)
            assert (ours.pts - ours.dts) == (theirs.pts - theirs.dts)
            assert ours.is_keyframe == theirs.is_keyframe
    assert all(bytes(a) == bytes(b) for a, b in zip(found[pids[1]], expected[0x101], strict=True))
    with av.open(io.BytesIO(whole), format="mpegts") as file:
        pictures = [frame for frame in file.decode(video=0)]
    assert len(pictures) == 25
    again, back, _ = demux(whole)
    assert [replace(track, id=0) for track in again] == [replace(track, id=0) for track in tracks]
    for ours, theirs in zip(again, tracks, strict=True):
        assert [(s.data, s.sync, s.cto) for s in back[ours.id]] == [(s.data, s.sync, s.cto) for s in samples[theirs.id]]


def test_segments_are_deterministic() -> None:
    tracks, samples = source()
    runs = segments(tracks, samples)
    assert [TsMuxer(tracks).segment(run) for run in runs] == [TsMuxer(tracks).segment(run) for run in reversed(runs)][
        ::-1
    ]


def test_every_segment_begins_with_tables_and_a_key_frame_with_its_sets() -> None:
    tracks, samples = source()
    for runs in segments(tracks, samples):
        data = TsMuxer(tracks).segment(runs)
        pids = [(data[at + 1] & 31) << 8 | data[at + 2] for at in range(0, 188 * 3, 188)]
        assert pids[:2] == [0, 0x1000]
        key = next(data[at:] for at in range(0, len(data), 188) if data[at + 1] & 31 == 1 and data[at + 2] == 0)
        assert key[3] & 0x20 and key[5] & 0x50 == 0x50
        again, back, _ = demux(data)
        assert len(again) == 2
        assert back[0x100][0].sync


# Any sizes


def tiny_video(size: int, last: int) -> bytes:
    """One NAL unit of a non-key slice, `size` bytes with its length; nothing in it looks like a start code."""
    return (size - 4).to_bytes(4, "big") + b"\x41" + b"\x55" * (size - 6) + bytes((last,)) if size >= 6 else b""


sizes = st.one_of(st.integers(6, 40), st.builds(lambda n, off: n * 184 + off, st.integers(1, 5), st.integers(-25, 25)))


@given(
    st.lists(st.tuples(sizes, st.integers(1, 255)), max_size=40),
    st.lists(st.one_of(st.integers(1, 20), st.integers(1, 2000)), max_size=60),
    st.integers(0, WRAP * 3),
)
def test_round_trip(pictures: list[tuple[int, int]], frames: list[int], begin: int) -> None:
    tracks, samples = source(frames=12)
    key = samples[tracks[0].id][0]
    begin -= begin % 15
    video = [Sample(begin, key.data, True, 3600)] if pictures else []
    video += [
        Sample(begin + 3600 * n, tiny_video(size, last), False, n % 3 * 1800)
        for n, (size, last) in enumerate(pictures, 1)
    ]
    first = begin * 48000 // 90000
    audio = [Sample(first + 1024 * n, bytes(range(1, 252)) * 8) for n in range(len(frames))]
    for sample, size in zip(audio, frames, strict=True):
        sample.data = sample.data[:size]
    sound = replace(SILENCE, id=5)
    muxer = TsMuxer((tracks[0], sound))
    runs = [run_of(tracks[0], video), run_of(sound, audio)]
    data = muxer.segment(runs)
    assert len(data) == muxer.measure([replace(run, data=b"") for run in runs])
    check_packets(data + data, [data])
    _, found, demuxer = demux(data)
    assert demuxer.cc_errors == demuxer.dropped_pes == 0
    for pid, samples_in in ((0x100, video), (0x101, audio)):
        wrap = WRAP if pid == 0x100 else WRAP * 48000 / 90000
        assert [sample.data for sample in found.get(pid, [])] == [sample.data for sample in samples_in]
        for ours, theirs in zip(found.get(pid, []), samples_in, strict=True):
            assert (ours.sync, ours.cto) == (theirs.sync, theirs.cto)
            # The wrap is no whole number of audio ticks.
            assert abs((ours.dts - theirs.dts + wrap / 2) % wrap - wrap / 2) < 1


@given(st.lists(st.integers(1, 600), min_size=1, max_size=80), st.integers(0, 1 << 34))
def test_audio_only(frames: list[int], begin: int) -> None:
    audio = [Sample(begin + 1024 * n, bytes((n + 1,)) * size) for n, size in enumerate(frames)]
    muxer = TsMuxer((SILENCE,))
    data = muxer.segment([run_of(SILENCE, audio)])
    check_packets(data + data, [data])
    assert pcr(data)
    assert faults(data) == []
    (track,), found, _ = demux(data)
    assert track.language == "eng"
    assert [sample.data for sample in found[0x101]] == [sample.data for sample in audio]
    assert {b.dts - a.dts for a, b in zip(found[0x101], found[0x101][1:], strict=False)} <= {1024}


def test_audio_frames_are_gathered_and_not_across_a_gap() -> None:
    times = [1024 * n for n in range(10)] + [1024 * n + 50_000 for n in range(10)]
    audio = [Sample(dts, b"\x21" * 250) for dts in times]
    data = TsMuxer((SILENCE,)).segment([run_of(SILENCE, audio)])
    _, found, _ = demux(data)
    assert [sample.dts for sample in found[0x101]] == times
    starts = sum(1 for at in range(0, len(data), 188) if data[at + 1] & 0x5F == 0x41)
    assert starts == 6


def test_nothing_at_all() -> None:
    data = TsMuxer((SILENCE,)).segment([])
    check_packets(data * 2, [data])
    assert data == TsMuxer((SILENCE,)).segment([run_of(SILENCE, [])])
    assert len(data) == 32 * 188 == TsMuxer((SILENCE,)).measure([])
    assert TsMuxer(()).segment([])


def test_the_clock_goes_on_when_video_is_sparse_or_missing() -> None:
    tracks, samples = source(frames=12)
    key = samples[tracks[0].id][0]
    slides = [Sample(90000 * 5 * n, key.data) for n in range(3)]
    data = TsMuxer(tracks).segment([run_of(tracks[0], slides)])
    check_packets(data * 2, [data])
    assert faults(data) == []
    assert (pcr(data)[-1] - pcr(data)[0]) % WRAP > 90000 * 14.8, "also while the last one is shown"
    audio = [Sample(1024 * n, b"\x21" * 50) for n in range(200)]
    data = TsMuxer((tracks[0], SILENCE)).segment([run_of(SILENCE, audio)])
    check_packets(data * 2, [data])
    assert faults(data) == []
    assert len(demux(data)[1][0x101]) == 200


def test_pts_offset() -> None:
    tracks, samples = source(frames=12)
    runs = segments(tracks, samples)[0]
    plain, later = TsMuxer(tracks).segment(runs), TsMuxer(tracks).segment(runs, pts_offset=-12345)
    first, second = av_packets(plain), av_packets(later)
    for pid in first:
        for one, other in zip(first[pid], second[pid], strict=True):
            assert (other.pts - one.pts, other.dts - one.dts) == (-12345, -12345)


def test_other_timescales() -> None:
    """Milliseconds, as RTMP has them, and 96 kHz at a UTC whose product with 90 000 has 64 bits."""
    tracks, samples = source(frames=12)
    video = replace(tracks[0], timescale=1000)
    key = samples[tracks[0].id][0].data
    fast = replace(SILENCE, timescale=96000, config=build_audio_specific_config(AudioSpecificConfig(2, 96000, 2)))
    runs = [
        run_of(video, [Sample(UTC * 1000 + 40 * n, key, True, 80) for n in range(5)]),
        run_of(fast, [Sample(UTC * 96000 + 1024 * n, b"\x21" * 9) for n in range(5)]),
    ]
    _, found, _ = demux(TsMuxer((video, fast)).segment(runs))
    assert [sample.dts for sample in found[0x100]] == [UTC * 90000 % WRAP + 3600 * n for n in range(5)]
    assert {sample.cto for sample in found[0x100]} == {7200}
    assert found[0x101][0].dts == UTC * 90000 % WRAP * 96000 // 90000


def test_samples_at_places_and_fragment_runs() -> None:
    """Columns that point into a larger buffer, and the runs that fragments are written from, give the same."""
    tracks, samples = source(frames=12)
    muxer = TsMuxer(tracks)
    plain = [run_of(track, samples[track.id]) for track in tracks]
    placed, runs = [], []
    for run, track in zip(plain, tracks, strict=True):
        parts = samples[track.id]
        data = b"xx" + b"yyy".join(part.data for part in reversed(parts))
        begins, at = [], 2
        for part in reversed(parts):
            begins.insert(0, at)
            at += len(part.data) + 3
        placed.append(replace(run, data=memoryview(data), begins=begins))
        dts = [part.dts for part in parts]
        runs.append(Run(track, dts[0], [*np.diff(dts).tolist(), 1], parts))
    assert muxer.segment(placed) == muxer.segment(runs) == muxer.segment(plain)
    assert muxer.measure(runs) == len(muxer.segment(plain))


# What cannot be done


@pytest.mark.parametrize("data", [b"\0\0\0\7abc", b"\0\0", b"\0\0\0\1a\0", b"\xff\xff\xff\xffa", b"\0\0\0\0" * 2000])
def test_damaged_video(data: bytes) -> None:
    tracks, _ = source(frames=12)
    with pytest.raises(FormatError):
        TsMuxer(tracks).segment([run_of(tracks[0], [Sample(0, data)])])


def test_damaged_runs() -> None:
    muxer = TsMuxer((SILENCE,))
    run = run_of(SILENCE, [Sample(0, b"abc"), Sample(1024, b"abc")])
    for wrong in (
        [replace(run, data=b"abcab")],
        [replace(run, begins=[-1, 2])],
        [replace(run, begins=[0, 4])],
        [replace(run, cto=[0])],
        [replace(run, sizes=[3, 8190])],
        [run, run],
        [replace(run, track=replace(SILENCE, id=1))],
    ):
        with pytest.raises(FormatError):
            muxer.segment(wrong)


def test_tracks_without_a_place() -> None:
    with pytest.raises(FormatError):
        TsMuxer((Track(1, Codec.MJPEG, 90000),))
    with pytest.raises(FormatError):
        TsMuxer((Track(1, Codec.H264, 90000, b"\1"),))


def test_a_pid_is_of_one_codec() -> None:
    """However many tracks there are, and whatever is missing among them."""
    codecs = [codec for codec in Codec if codec in CARRIED]
    pids: dict[int, Codec] = {}
    for count, (picture, sound) in enumerate(product(codecs, codecs), 1):
        if picture.is_video and not sound.is_video:
            pictures, sounds = [track_of(picture)] * (count % 3), [track_of(sound)] * (1 + count % 31)
            entries = program_of([*sounds, *pictures]).streams
            assert len({entry.pid for entry in entries}) == len(entries)
            for entry, track in zip(entries, [*sounds, *pictures], strict=True):
                assert pids.setdefault(entry.pid, track.codec) is track.codec
    assert pids[0x100] is Codec.H264
    assert pids[0x101] is Codec.AAC


def track_of(codec: Codec) -> Track:
    """One of this codec."""
    made = {Codec.H264: "libx264", Codec.H265: "libx265"}
    if codec in made:
        return source(UTC, video=made[codec], frames=2)[0][0]
    if codec is Codec.MPEG2:
        return Track(1, codec, 90000, width=64, height=64)
    return SILENCE if codec is Codec.AAC else Track(1, codec, 48000, channels=2, sample_rate=48000)


def test_announced_pictures_have_the_clock_from_the_beginning() -> None:
    """Sound of a file whose pictures come later: the program is the one of later, byte for byte."""
    tracks, samples = source(UTC, frames=10)
    sound = TsMuxer([tracks[1]], announced=tracks)
    run = run_of(tracks[1], samples[tracks[1].id])
    early = sound.segment([run])
    assert len(early) == sound.measure([run])
    late = TsMuxer(tracks).segment([run_of(track, samples[track.id]) for track in tracks])
    assert rules_of([early]).programs == rules_of([late]).programs
    assert faults([early]) == []
