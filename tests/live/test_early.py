"""Tracks that change within a burst, before its beginning is known: nothing is lost or dated into the future."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.formats.mp4.fmp4 import parse_fragment
from flussdvr.live.early import Early, HeldSamples
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import PENDING_BYTES, Segmenter
from flussdvr.media import Codec, Sample, Track

START_MS = 1_795_194_000_000
FPS = 25
VIDEO = Track(1, Codec.H264, 90_000, width=640, height=360)
WIDE = replace(VIDEO, width=1280, height=720)
MONO = Track(2, Codec.AAC, 48_000, channels=1, sample_rate=48_000)
STEREO = replace(MONO, channels=2)


class Push:
    """25 pictures with their numbers and sound a second, one key frame a second, sent as fast as the caller says."""

    def __init__(self) -> None:
        self.fragments: list[LiveFragment] = []
        self.gaps: list[str] = []
        self.now_ms = START_MS
        self.number = 0
        self.sounds = 0
        self.segmenter = Segmenter(lambda tracks: None, self.fragments.append, self.gaps.append, lambda: 0)

    def tracks(self, *tracks: Track) -> None:
        self.segmenter.tracks_received(tracks)

    def send(self, pictures: int, ms_each: float = 0, sound_first: bool = False) -> None:
        for _ in range(pictures):
            picture = Sample(self.number * 3600, b"%d" % self.number, self.number % FPS == 0)
            sound = [Sample(self.number * 1920 + 960 * i, b"a") for i in range(2)]
            both = [(VIDEO.id, [picture]), (MONO.id, sound)]
            for track_id, samples in reversed(both) if sound_first else both:
                self.segmenter.samples_received(track_id, samples, int(self.now_ms))
            self.number += 1
            self.sounds += 2
            self.now_ms += ms_each  # type: ignore[assignment]

    def check(self) -> None:
        self.segmenter.lost("closed")
        pictures, sounds, at = list[bytes](), 0, 0
        for fragment in self.fragments:
            for run in parse_fragment(fragment.data, {}).runs:
                if run.track_id != VIDEO.id:
                    sounds += len(run.rows)
                    continue
                assert run.dts is not None and run.dts > at - 90
                at, offset = run.dts + sum(row.duration for row in run.rows), run.data_offset
                for row in run.rows:
                    pictures.append(fragment.data[offset : offset + row.size])
                    offset += row.size
        assert pictures == [b"%d" % number for number in range(self.number)]
        assert sounds == self.sounds
        assert self.fragments[-1].end_ms <= self.now_ms + 200
        assert set(self.gaps) <= {"tracks_changed", "closed"}


@pytest.mark.parametrize("into", [1, 24, 25, 26, 60])
@pytest.mark.parametrize("ms_each", [0, 4, 40])
@pytest.mark.parametrize("sound_first", [False, True])
def test_the_mode_of_the_sound_changes_in_a_group_of_pictures(into: int, ms_each: float, sound_first: bool) -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(into, ms_each, sound_first)
    push.tracks(VIDEO, STEREO)
    push.send(90, ms_each, sound_first)
    push.check()
    assert "tracks_changed" in push.gaps


@pytest.mark.parametrize("ms_each", [0, 0.5, 40])
def test_the_size_of_the_pictures_changes_and_comes_back(ms_each: float) -> None:
    push = Push()
    for video in (VIDEO, WIDE, VIDEO):
        push.tracks(video, MONO)
        push.send(75, ms_each)
    push.check()
    assert push.gaps.count("tracks_changed") == 2


@pytest.mark.parametrize("ms_each", [0, 40])
@pytest.mark.parametrize("first", [VIDEO, MONO])
def test_a_track_that_is_announced_later_begins_with_the_others(first: Track, ms_each: float) -> None:
    """As over RTMP: each track is announced by its first message."""
    push = Push()
    push.tracks(first)
    push.send(0)
    for track_id, sample in ((VIDEO.id, Sample(0, b"0")), (MONO.id, Sample(0, b"a"))):
        if track_id == first.id:
            push.segmenter.samples_received(track_id, [sample], START_MS)
    push.tracks(VIDEO, MONO)
    if first is MONO:
        push.segmenter.samples_received(VIDEO.id, [Sample(0, b"0")], START_MS)
    push.number, push.sounds = 1, 1 if first is MONO else 0
    push.send(90, ms_each)
    push.check()
    assert push.gaps == ["closed"]


def test_a_minute_of_parts_at_once_ends_now() -> None:
    push = Push()
    for part in range(20):
        push.tracks((VIDEO, WIDE)[part % 2], MONO)
        push.send(75)
    push.check()
    assert push.fragments[0].begin_ms == pytest.approx(START_MS - 60_000, abs=200)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from([0, 1, 40]))
def test_whatever_comes_is_recorded_and_not_in_the_future(parts: list[int], ms_each: int) -> None:
    push = Push()
    for index, seconds in enumerate(parts):
        push.tracks((VIDEO, WIDE)[index % 2], (MONO, STEREO)[index // 2 % 2])
        push.send(seconds * FPS, ms_each)
    push.check()


def test_what_is_held_is_bounded() -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(10)
    push.tracks(WIDE, MONO)
    for number in range(10, 60):
        big = Sample(number * 3600, bytes(1 << 20), number % FPS == 0)
        push.segmenter.samples_received(VIDEO.id, [big], push.now_ms)
        assert push.segmenter.pending_bytes <= PENDING_BYTES + (2 << 20)


def test_sets_of_tracks_that_bring_nothing_cost_nothing() -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(10)
    push.tracks(WIDE, MONO)
    held = push.segmenter.pending_bytes
    for number in range(10_000):
        push.tracks((VIDEO, WIDE)[number % 2], MONO)
    assert push.segmenter.pending_bytes == held


@pytest.mark.parametrize("shift_ms", [-86_400_000, -7000, 7000, 86_400_000])
def test_a_clock_that_steps_in_a_burst_loses_nothing(shift_ms: int) -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(75)
    push.tracks(WIDE, MONO)
    push.send(25)
    push.segmenter.clock_stepped(shift_ms * 1000)
    push.now_ms += shift_ms
    push.send(50)
    push.check()
    assert push.fragments[0].begin_ms == pytest.approx(START_MS + shift_ms - 6000, abs=200)


@pytest.mark.parametrize("shift_ms", [-7000, 7000])
def test_a_source_that_ends_after_a_step_of_the_clock_loses_nothing(shift_ms: int) -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(20, 40)
    push.segmenter.clock_stepped(shift_ms * 1000)
    push.now_ms += shift_ms
    push.check()


def test_held_events_come_out_as_they_came_in() -> None:
    early, samples = Early(), [Sample(90_000, b"12345"), Sample(1 << 40, b"")]
    assert not early.holds
    early.hold_tracks([VIDEO])
    early.hold_samples(VIDEO.id, samples, 7)
    early.hold_samples(99, samples, 8)
    assert early.holds and early.newest_us == 1_000_000 and early.bytes > 10
    assert early.take() == [(VIDEO,), HeldSamples(VIDEO.id, samples, 7), HeldSamples(99, samples, 8)]
    assert not early.holds and early.bytes == 0 and early.newest_us is None


def tracks_of(push: Push) -> list[list[int]]:
    return [[run.track_id for run in parse_fragment(one.data, {}).runs] for one in push.fragments]


@pytest.mark.parametrize("parts", [1, 2])
def test_sound_that_comes_behind_all_pictures_of_a_burst_lies_beside_them(parts: int) -> None:
    push = Push()
    for part in range(parts):
        push.tracks((VIDEO, WIDE)[part], MONO)
        pictures = [Sample(number * 3600, b"v", number % FPS == 0) for number in range(75 * part, 75 * (part + 1))]
        push.segmenter.samples_received(VIDEO.id, pictures, START_MS)
        sound = [Sample(75 * part * 1920 + 960 * i, b"a") for i in range(150)]
        push.segmenter.samples_received(MONO.id, sound, START_MS)
    push.segmenter.lost("closed")
    assert tracks_of(push) == [[1, 2]] * 3 * parts


def test_a_track_that_is_announced_and_silent_delays_the_first_fragment_alone() -> None:
    push = Push()
    push.tracks(VIDEO, MONO)
    late = []
    for number in range(10 * FPS):
        sample = Sample(number * 3600, b"v", number % FPS == 0)
        made = len(push.fragments)
        push.segmenter.samples_received(VIDEO.id, [sample], START_MS + number * 40)
        late += [START_MS + number * 40 - one.end_ms for one in push.fragments[made:]]
    assert late[0] <= 1000 and all(-100 <= one <= 100 for one in late[1:])


def test_sound_in_front_of_the_first_picture_of_a_run_is_left_out_though_it_comes_later() -> None:
    """Two streams overlap where they were joined: the sound of the second is not recorded over that of the first."""
    push = Push()
    push.tracks(VIDEO, MONO)
    push.send(75)
    push.tracks(WIDE, MONO)
    pictures = [Sample((75 + number) * 3600, b"v", number % FPS == 0, 7200) for number in range(75)]
    push.segmenter.samples_received(VIDEO.id, pictures, START_MS)
    push.segmenter.samples_received(MONO.id, [Sample(72 * 1920 + 960 * i, b"a") for i in range(160)], START_MS)
    push.segmenter.lost("closed")
    heard = [run for one in push.fragments for run in parse_fragment(one.data, {}).runs if run.track_id == MONO.id]
    ends = [run.dts + sum(row.duration for row in run.rows) for run in heard if run.dts is not None]
    assert all(run.dts is not None and run.dts >= end - 50 for run, end in zip(heard[1:], ends, strict=False))
