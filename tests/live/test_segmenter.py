from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.formats.mp4.fmp4 import parse_fragment
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import PENDING_BYTES, Segmenter
from flussdvr.media import Codec, Sample, Track

START_MS = 1_795_194_000_000
VIDEO = Track(1, Codec.H264, 90_000, width=640, height=360)
AUDIO = Track(2, Codec.AAC, 48_000, channels=2, sample_rate=48_000)


class Rig:
    """A segmenter, a wall clock, and what came out."""

    def __init__(self, *tracks: Track, floor_ms: int = 0) -> None:
        self.floor_ms = floor_ms
        self.fragments: list[LiveFragment] = []
        self.log: list[object] = []
        self.now_ms = START_MS
        self.segmenter = Segmenter(self.opened, self.made, self.gapped, lambda: self.floor_ms)
        self.segmenter.tracks_received(tracks)

    def opened(self, tracks: tuple[Track, ...]) -> None:
        self.log.append([track.id for track in tracks])

    def made(self, fragment: LiveFragment) -> None:
        self.fragments.append(fragment)
        self.log.append(fragment)

    def gapped(self, reason: str) -> None:
        self.log.append(reason)

    @property
    def gaps(self) -> list[str]:
        return [entry for entry in self.log if isinstance(entry, str)]

    def put(self, track: Track, *samples: Sample) -> None:
        self.segmenter.samples_received(track.id, list(samples), self.now_ms)

    def play(self, seconds: float, gop: int = 50, media_s: float = 0.0, video: bool = True, audio: bool = True) -> None:
        """`seconds` of 25 pictures/s and AAC in real time; the media time begins at `media_s`."""
        begin_ms, events = self.now_ms, []
        if video:
            for i in range(round(seconds * 25)):
                events.append((i / 25, VIDEO, Sample(round(media_s * 90_000) + i * 3600, b"v" * 100, i % gop == 0)))
        if audio:
            for i in range(int(seconds * 48_000 / 1024)):
                events.append((i * 1024 / 48_000, AUDIO, Sample(round(media_s * 48_000) + i * 1024, b"a" * 10)))
        for at_s, track, sample in sorted(events, key=lambda event: event[0]):
            self.now_ms = begin_ms + math.ceil(at_s * 1000)
            self.put(track, sample)
        self.now_ms = begin_ms + int(seconds * 1000)

    def runs(self, track: Track) -> list[tuple[int, list[int], list[bool]]]:
        """(first dts, durations, sync flags) of the track's run in every fragment that has one."""
        found = []
        for fragment in self.fragments:
            for run in parse_fragment(fragment.data, {}).runs:
                if run.track_id == track.id:
                    assert run.dts is not None
                    found.append((run.dts, [r.duration for r in run.rows], [r.sync for r in run.rows]))
        return found


def tile(fragments: Iterable[LiveFragment]) -> bool:
    fragments = list(fragments)
    return all(a.end_ms == b.begin_ms for a, b in zip(fragments, fragments[1:], strict=False))


def test_fragments_are_a_second_long_and_never_cross_a_sync_sample() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(10, gop=40)
    assert [f.sync for f in rig.fragments[:4]] == [True, False, True, False]
    assert [f.end_ms - f.begin_ms for f in rig.fragments[:4]] == [1000, 600, 1000, 600]
    assert tile(rig.fragments)
    for _, _, sync in rig.runs(VIDEO):
        assert not any(sync[1:])


def test_the_first_sample_is_dated_by_its_arrival() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(3)
    assert rig.fragments[0].begin_ms == START_MS


def test_tracks_are_continuous_and_exact_across_fragments() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(10, media_s=3600.5)
    for track, duration in ((VIDEO, 3600), (AUDIO, 1024)):
        runs = rig.runs(track)
        assert {d for _, durations, _ in runs for d in durations} == {duration}
        for (dts, durations, _), (following, _, _) in zip(runs, runs[1:], strict=False):
            assert following == dts + sum(durations)


def test_audio_is_cut_at_the_instant_where_the_video_is() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(10)
    for fragment in rig.fragments:
        runs = {run.track_id: run for run in parse_fragment(fragment.data, {}).runs}
        video, audio = runs[1], runs[2]
        assert video.dts is not None and audio.dts is not None
        assert 0 <= audio.dts / 48_000 - video.dts / 90_000 < 1024 / 48_000 + 0.001


def test_a_burst_of_old_media_is_dated_back() -> None:
    rig = Rig(VIDEO)
    rig.put(VIDEO, *(Sample(i * 3600, b"v", i % 25 == 0) for i in range(125)))  # 5 s at once
    rig.now_ms += 1100
    rig.put(VIDEO, Sample(125 * 3600, b"v", True))
    newest_ms = START_MS - 124 * 40
    assert abs(rig.fragments[0].begin_ms - newest_ms) <= 40


def test_b_frames_do_not_shift_the_clock() -> None:
    rig = Rig(VIDEO)
    order = [(0, 0, True)] + [(g * 3 + k, p, False) for g in range(40) for k, p in ((1, 3), (2, 1), (3, 2))]
    for number, (_, place, sync) in enumerate(order):
        group = (number - 1) // 3 if number else 0
        shown = (group * 3 + place if number else 0) + 2  # seen when it is shown, sent two pictures later
        rig.now_ms = START_MS + max(number, shown - 2) * 40
        rig.put(VIDEO, Sample(number * 3600, b"v", sync, (shown - number) * 3600))
    rig.segmenter.flush()
    assert abs(rig.fragments[0].begin_ms - START_MS) <= 40


def test_an_outage_is_a_gap_of_its_length() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(5)
    rig.now_ms += 10_000
    rig.play(5, media_s=15)
    rig.segmenter.flush()
    assert rig.gaps == ["source_lost"]
    begins = [f.begin_ms for f in rig.fragments]
    assert min(begins, key=lambda ms: abs(ms - START_MS - 15_000)) == START_MS + 15_000
    assert sum(f.end_ms - f.begin_ms for f in rig.fragments) == 10_000


def test_a_jump_of_the_timestamps_is_a_gap_and_a_new_anchor() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(5, media_s=1000)
    rig.play(5, media_s=7)
    rig.segmenter.flush()
    assert rig.gaps == ["timestamp_jump"]
    assert all(START_MS <= f.begin_ms < f.end_ms <= START_MS + 10_100 for f in rig.fragments)
    assert all(a.end_ms <= b.begin_ms for a, b in zip(rig.fragments, rig.fragments[1:], strict=False))


@pytest.mark.parametrize("jump_s", [3600, -500])
@pytest.mark.parametrize("lag_ms", [-900, 40, 900])
def test_a_jump_of_interleaved_tracks_is_one_gap(jump_s: int, lag_ms: int) -> None:
    """The audio comes later than the video, as multiplexers do it: what it brings before it jumps too is kept."""
    rig, begin_ms, events = Rig(VIDEO, AUDIO), START_MS, []
    for part, from_s in ((0, 1000), (4, 1000 + jump_s)):
        for i in range(100):
            events.append((part * 1000 + i * 40, VIDEO, Sample(from_s * 90_000 + i * 3600, b"v", i % 100 == 0)))
        for i in range(188):
            at_ms = part * 1000 + i * 1024 // 48 + lag_ms
            events.append((at_ms, AUDIO, Sample(from_s * 48_000 + i * 1024, b"a")))
    for at_ms, track, sample in sorted(events, key=lambda event: event[0]):
        rig.now_ms = begin_ms + at_ms
        rig.put(track, sample)
    rig.segmenter.lost("end")
    assert rig.gaps == ["timestamp_jump", "end"]
    assert sum(len(durations) for _, durations, _ in rig.runs(VIDEO)) == 200
    assert rig.segmenter.dropped_samples == 0
    assert rig.segmenter.late_samples == 0
    assert abs(rig.fragments[-1].end_ms - (START_MS + 8000)) <= 100 + abs(lag_ms)


def test_audio_that_does_not_follow_a_jump_of_the_video_is_taken_again() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(3, media_s=1000)
    begin_ms = rig.now_ms
    for i in range(10 * 25):
        rig.now_ms = begin_ms + i * 40
        rig.put(VIDEO, Sample(5000 * 90_000 + i * 3600, b"v", i % 50 == 0))
        for j in range(2):
            rig.put(AUDIO, Sample(1003 * 48_000 + (2 * i + j) * 1024, b"a"))
    assert rig.segmenter.late_samples == 0
    assert len(rig.gaps) == 1 or set(rig.gaps) <= {"timestamp_jump"}


def test_late_samples_are_dropped_and_counted() -> None:
    rig = Rig(VIDEO)
    rig.play(3, audio=False)
    rig.put(VIDEO, Sample(60 * 3600, b"late"), *(Sample((75 + i) * 3600, b"v") for i in range(3)))
    assert rig.segmenter.late_samples == 1
    assert not rig.gaps


def test_nothing_is_dated_before_what_is_recorded() -> None:
    rig = Rig(VIDEO, AUDIO, floor_ms=START_MS + 8_000)
    rig.play(5)
    assert rig.fragments[0].begin_ms == START_MS + 8_000
    assert not rig.gaps and tile(rig.fragments)


def test_an_end_that_lies_far_in_the_future_is_no_floor() -> None:
    rig = Rig(VIDEO, AUDIO, floor_ms=START_MS + 86_400_000)
    rig.play(5)
    assert rig.fragments[0].begin_ms == START_MS


def test_audio_only() -> None:
    rig = Rig(AUDIO)
    rig.play(5, video=False)
    assert all(f.sync for f in rig.fragments)
    assert tile(rig.fragments)
    assert len(rig.fragments) == 4


def test_without_a_sync_sample_the_audio_is_recorded_and_the_memory_is_bounded() -> None:
    rig = Rig(VIDEO, AUDIO)
    for second in range(60):
        for i in range(25):
            rig.put(VIDEO, Sample((second * 25 + i) * 3600, b"v" * 20_000, False))
        for i in range(46):
            rig.put(AUDIO, Sample((second * 46 + i) * 1024, b"a" * 100))
        rig.now_ms += 1000
        assert rig.segmenter.pending_bytes < 2 << 20
    assert rig.fragments[0].begin_ms < START_MS + 1000
    assert rig.log[0] == [2]
    rig.put(VIDEO, Sample(60 * 90_000, b"v", True))
    rig.put(VIDEO, Sample(60 * 90_000 + 3600, b"v"))
    assert rig.gaps == ["tracks_changed"]
    assert [1, 2] in rig.log


def test_a_gop_without_end_is_cut_every_second() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(60, gop=10_000)
    assert len(rig.fragments) >= 58
    assert [f.sync for f in rig.fragments] == [True] + [False] * (len(rig.fragments) - 1)
    assert tile(rig.fragments)


def test_a_track_that_lags_does_not_hold_up_the_others() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(1)
    for i in range(25, 150):
        rig.now_ms = START_MS + i * 40
        rig.put(VIDEO, Sample(i * 3600, b"v", i % 50 == 0))
    assert rig.fragments[-1].end_ms >= START_MS + 5000


def test_video_that_stops_does_not_stop_the_audio() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(3)
    for i in range(141, 141 + 47 * 30):
        rig.now_ms = START_MS + math.ceil(i * 1024 / 48)
        rig.put(AUDIO, Sample(i * 1024, b"a"))
    assert "video_lost" in rig.gaps
    assert rig.fragments[-1].end_ms > START_MS + 28_000
    assert all(a.end_ms <= b.begin_ms for a, b in zip(rig.fragments, rig.fragments[1:], strict=False))


def test_a_lost_source_loses_nothing_that_was_received() -> None:
    rig = Rig(VIDEO, AUDIO)
    rig.play(3.4)
    rig.segmenter.lost("connection_lost")
    assert rig.gaps == ["connection_lost"]
    assert sum(len(durations) for _, durations, _ in rig.runs(VIDEO)) == 85
    assert rig.fragments[-1].end_ms == START_MS + 3400


def test_changed_tracks_begin_a_new_run() -> None:
    rig = Rig(VIDEO)
    rig.play(3, audio=False)
    other = Track(1, Codec.H264, 90_000, b"other", width=1280, height=720)
    rig.segmenter.tracks_received([other])
    rig.play(3, audio=False, media_s=3)
    assert rig.gaps == ["tracks_changed"]
    rig.segmenter.flush()
    assert tile(rig.fragments)


def test_track_ids_are_the_streams_own() -> None:
    rig = Rig(replace(AUDIO, id=257), replace(VIDEO, id=4000))
    rig.put(replace(VIDEO, id=4000), *(Sample(i * 3600, b"v", i == 0) for i in range(60)))
    rig.segmenter.flush()
    assert rig.log[0] == [1, 2]
    assert rig.runs(VIDEO)


def test_the_source_may_state_utc_itself() -> None:
    rig = Rig(VIDEO)
    rig.segmenter.utc_received(START_MS - 250, 0, 90_000)
    rig.play(3, audio=False)
    assert rig.fragments[0].begin_ms == START_MS - 250


def test_more_than_fits_is_cut_where_it_stands() -> None:
    rig = Rig(VIDEO)
    big = b"v" * (PENDING_BYTES // 4)
    rig.put(VIDEO, *(Sample(i * 360, big, i == 0) for i in range(12)))
    assert rig.segmenter.pending_bytes <= PENDING_BYTES * 2


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([VIDEO, AUDIO]),
            st.integers(-400_000, 400_000) | st.sampled_from([1024, 3600]),
            st.booleans(),
            st.integers(0, 7200),
            st.integers(0, 3000),
        ),
        max_size=120,
    ),
    st.integers(START_MS - 10_000, START_MS + 10_000),
)
def test_whatever_comes_in_time_never_overlaps_nor_runs_back(
    steps: list[tuple[Track, int, bool, int, int]], floor_ms: int
) -> None:
    rig = Rig(VIDEO, AUDIO, floor_ms=floor_ms)
    dts = {1: 500_000, 2: 266_667}
    for track, step, sync, cto, wait in steps:
        dts[track.id] = max(0, dts[track.id] + step)
        rig.now_ms += wait
        rig.put(track, Sample(dts[track.id], b"x", sync or not track.is_video, cto if track.is_video else 0))
    rig.segmenter.lost("end")
    for a, b in zip(rig.fragments, rig.fragments[1:], strict=False):
        assert a.end_ms <= b.begin_ms
    for fragment in rig.fragments:
        assert floor_ms <= fragment.begin_ms <= fragment.end_ms
        for run in parse_fragment(fragment.data, {}).runs:
            assert all(row.duration > 0 for row in run.rows)


@pytest.mark.parametrize("track", [VIDEO, AUDIO])
def test_samples_of_an_unknown_track_are_ignored(track: Track) -> None:
    rig = Rig(VIDEO)
    rig.segmenter.samples_received(99, [Sample(0, b"")], START_MS)
    assert not rig.fragments
