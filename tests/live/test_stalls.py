"""Sources that stall, pause, catch up and send bursts: what they deliver is dated when it happened."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from flussdvr.formats.mp4.fmp4 import parse_fragment
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.media import Codec, Sample, Track

START_MS = 1_795_194_000_000
VIDEO = Track(1, Codec.H264, 90_000, width=640, height=360)
AUDIO = Track(2, Codec.AAC, 48_000, channels=2, sample_rate=48_000)
TIMEOUT_MS = 10_000


class Source:
    """
    25 pictures a second with their true time in them, and sound; `arrives(ms)` says when what happens at `ms` comes in.

    Media time 0 is `begin_ms`. Silence of more than `TIMEOUT_MS` is a lost source, as for an input.
    """

    def __init__(self, floor_ms: int = 0) -> None:
        self.fragments: list[LiveFragment] = []
        self.gaps: list[str] = []
        self.floor_ms = floor_ms
        self.segmenter = Segmenter(lambda tracks: None, self.fragments.append, self.gaps.append, lambda: self.floor_ms)
        self.segmenter.tracks_received([VIDEO, AUDIO])
        self.sent = 0
        self.last_ms: float | None = None

    def play(self, seconds: int, arrives: Callable[[float], float], begin_s: int = 0, media_s: float = 0) -> None:
        events: list[tuple[float, Track, Sample]] = []
        at_ms = -math.inf
        for i in range(seconds * 25):
            ms = begin_s * 1000 + i * 40
            data = int(START_MS + ms).to_bytes(8, "big")
            sample = Sample(round((media_s + ms / 1000) * 90_000), data, i % 25 == 0)
            at_ms = max(at_ms, arrives(ms))  # nothing overtakes
            events.append((at_ms, VIDEO, sample))
            self.sent += 1
        at_ms = -math.inf
        for i in range(int(seconds * 48_000 / 1024)):
            ms = begin_s * 1000 + i * 1024 / 48
            at_ms = max(at_ms, arrives(ms))
            events.append((at_ms, AUDIO, Sample(round((media_s + ms / 1000) * 48_000), b"a")))
        for at_ms, track, sample in sorted(events, key=lambda event: event[0]):
            now_ms = START_MS + at_ms
            if self.last_ms is not None and now_ms - self.last_ms > TIMEOUT_MS:
                self.segmenter.lost("silence")
            self.last_ms = now_ms
            self.segmenter.samples_received(track.id, [sample], math.ceil(now_ms))

    def errors_ms(self) -> list[tuple[int, int]]:
        """(true time since the start, how much later it was dated) of each recorded picture."""
        found = []
        for fragment in self.fragments:
            for run in parse_fragment(fragment.data, {}).runs:
                if run.track_id != 1:
                    continue
                at, place = run.dts or 0, (run.data_offset or 0)
                for row in run.rows:
                    true_ms = int.from_bytes(fragment.data[place : place + 8], "big")
                    found.append((true_ms - START_MS, (at + row.cto) // 90 - true_ms))
                    at, place = at + row.duration, place + row.size
        return found

    def check(self, error_ms: int = 100, since_ms: int = 0, lost: int = 30) -> None:
        errors = self.errors_ms()
        wrong = [(at, error) for at, error in errors if at >= since_ms and abs(error) > error_ms]
        assert not wrong, (wrong[:3], len(wrong), self.gaps)
        assert self.sent - len(errors) <= lost + 26
        for a, b in zip(self.fragments, self.fragments[1:], strict=False):
            assert a.end_ms <= b.begin_ms


def stall(at_s: float, for_s: float, speed: float) -> Callable[[float], float]:
    """Nothing comes for a while; then what is owed, `speed` times as fast as it happened."""

    def arrives(ms: float) -> float:
        resumed = (at_s + for_s) * 1000
        return ms if ms < at_s * 1000 else max(ms, resumed + (ms - at_s * 1000) / speed)

    return arrives


@pytest.mark.parametrize("speed", [1.2, 2, 10, 1000])
@pytest.mark.parametrize("for_s", [3, 8, 20, 60])
def test_a_source_that_catches_up_is_dated_as_before(for_s: int, speed: float) -> None:
    source = Source()
    source.play(150 + (400 if speed < 2 else 0), stall(20, for_s, speed))
    source.check()
    assert len(source.gaps) == (1 if for_s * 1000 > TIMEOUT_MS else 0)


def test_a_stall_before_the_timestamps_wrap() -> None:
    """After the stall the demultiplexer is another one, which counts wraps anew."""
    wrap_s = (1 << 33) / 90_000
    source = Source()
    source.play(20, lambda ms: ms, media_s=wrap_s + 5)
    source.play(60, stall(20, 20, 2), begin_s=20, media_s=5)
    source.check()
    assert source.gaps == ["silence"]


def test_another_encoder_after_an_outage_is_dated_by_its_arrival() -> None:
    source = Source()
    source.play(20, lambda ms: ms)
    source.play(30, lambda ms: ms, begin_s=60, media_s=-50)
    source.check()
    assert source.gaps == ["silence"]


@pytest.mark.parametrize("for_s", [5, 20, 60])
def test_a_source_that_pauses_goes_on_at_its_arrival(for_s: int) -> None:
    """Its clock stands still meanwhile: media time says nothing of the pause."""
    source = Source()
    source.play(20, lambda ms: ms)
    source.play(60, lambda ms: ms, begin_s=20 + for_s, media_s=-for_s)
    source.check(since_ms=(20 + for_s) * 1000 + 20_000)
    assert len(source.gaps) <= 2


@pytest.mark.parametrize(("buffered_s", "speed"), [(5, 1000), (5, 3), (15, 10), (12, 2), (3, 1.5)])
def test_a_burst_from_a_buffer_at_connect_is_dated_back(buffered_s: int, speed: float) -> None:
    source = Source()
    source.play(60, lambda ms: max(ms, buffered_s * 1000 + ms / speed))
    source.check()
    assert not source.gaps


@pytest.mark.parametrize("late_ms", [400, 1500, 2800])
def test_an_anchor_that_was_too_late_is_corrected_within_a_minute(late_ms: int) -> None:
    """The first seconds come late, and the delay shrinks too slowly to be a burst."""
    source = Source()
    source.play(120, lambda ms: ms + late_ms * max(0, 1 - ms / 20_000))
    source.check(error_ms=210, since_ms=30_000, lost=25 * (late_ms // 1000 + 2))
    assert set(source.gaps) <= {"clock"} and len(source.gaps) <= 2


def test_an_anchor_that_was_too_early_is_corrected_within_a_minute() -> None:
    source = Source()
    source.play(180, lambda ms: ms + (0 if ms < 2000 else 1000))
    errors = [error for at, error in source.errors_ms() if at > 65_000]
    assert all(abs(error - 1000) <= 100 for error in errors)
    assert source.gaps == ["clock"] and source.sent - len(source.errors_ms()) <= 26


def test_jitter_is_no_reason_to_correct_anything() -> None:
    source = Source()
    source.play(120, lambda ms: ms + (ms * 7919 % 1000 if int(ms / 1000) % 3 else 0))
    source.check(error_ms=150)
    assert not source.gaps


def test_a_source_without_measure_never_runs_far_ahead() -> None:
    source = Source()
    source.play(600, lambda ms: ms / 20)
    now_ms = START_MS + 30_000
    assert all(fragment.end_ms <= now_ms + 20_000 for fragment in source.fragments)
    for a, b in zip(source.fragments, source.fragments[1:], strict=False):
        assert a.end_ms <= b.begin_ms


@pytest.mark.parametrize("shift_ms", [86_400_000, 40_000, -86_400_000, -40_000])
def test_the_servers_clock_steps(shift_ms: int) -> None:
    source = Source()
    source.play(20, lambda ms: ms)
    source.segmenter.clock_stepped(shift_ms * 1000)
    source.last_ms = None
    before = len(source.fragments)
    source.play(60, lambda ms: ms + shift_ms, begin_s=20)
    errors = source.errors_ms()
    assert source.sent - len(errors) <= 26, "no picture is lost"
    assert all(abs(error) <= 100 for at, error in errors if at < 20_000)
    assert all(abs(error - shift_ms) <= 100 for at, error in errors if at > 21_000)
    assert source.gaps == ["clock"]
    assert before < len(source.fragments)


def test_a_small_step_back_loses_nothing() -> None:
    source = Source()
    source.play(20, lambda ms: ms)
    source.segmenter.clock_stepped(-5_000_000)
    source.play(120, lambda ms: ms - 5000, begin_s=20)
    assert not source.gaps and source.sent - len(source.errors_ms()) <= 26
