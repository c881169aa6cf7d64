"""Pictures that come late or seldom: no sound is thrown away for want of them."""

from __future__ import annotations

import pytest

from flussdvr.media import Sample
from tests.live.test_segmenter import AUDIO, VIDEO, Rig


def play(rig: Rig, seconds: float, pictures: list[float], gop: int = 1) -> None:
    """`seconds` of sound in real time, and pictures at these seconds, every `gop`th of them a sync sample."""
    begin_ms = rig.now_ms
    events = [(i * 1024 / 48_000, AUDIO, Sample(i * 1024, b"a" * 10)) for i in range(int(seconds * 48_000 / 1024))]
    events += [(at, VIDEO, Sample(round(at * 90_000), b"v", not n % gop)) for n, at in enumerate(pictures)]
    for at, track, sample in sorted(events, key=lambda event: event[0]):
        rig.now_ms = begin_ms + round(at * 1000)
        rig.put(track, sample)
    rig.segmenter.lost("over")


def sound_s(rig: Rig) -> float:
    """How much sound is recorded, in seconds."""
    return sum(sum(durations) for _, durations, _ in rig.runs(AUDIO)) / 48_000


def picture_times(rig: Rig) -> list[float]:
    """Of all pictures, in seconds behind the first fragment's begin."""
    begin = rig.fragments[0].begin_ms / 1000
    times = []
    for dts, durations, _ in rig.runs(VIDEO):
        for duration in durations:
            times.append(round(dts / 90_000 - begin, 2))
            dts += duration
    return times


@pytest.mark.parametrize("apart", [4, 8, 10])
def test_a_picture_now_and_then(apart: int) -> None:
    rig = Rig(VIDEO, AUDIO)
    play(rig, 60, [float(at) for at in range(0, 60, apart)])
    assert rig.gaps == ["over"]
    assert picture_times(rig) == pytest.approx(list(range(0, 60, apart)), abs=0.05)
    assert sound_s(rig) == pytest.approx(60, abs=0.1)
    assert rig.fragments[-1].end_ms <= rig.now_ms + 100, "the last picture does not last beyond what has come"


@pytest.mark.parametrize("late", [3, 6, 9, 30])
def test_sound_first(late: int) -> None:
    rig = Rig(VIDEO, AUDIO)
    play(rig, late + 10, [late + n / 25 for n in range(250)], 50)
    assert rig.gaps == ["tracks_changed", "over"]
    assert sound_s(rig) == pytest.approx(late + 10, abs=0.1)
    assert picture_times(rig) == pytest.approx([late + n / 25 for n in range(250)], abs=0.05)


def test_a_group_of_pictures_joined_midway() -> None:
    rig = Rig(VIDEO, AUDIO)
    begin = [n / 25 for n in range(300)]
    events = [Sample(round(at * 90_000), b"v", n == 175) for n, at in enumerate(begin)]
    for number in range(int(12 * 48_000 / 1024)):
        at = number * 1024 / 48_000
        while events and events[0].dts <= at * 90_000:
            rig.put(VIDEO, events.pop(0))
        rig.now_ms += 21 if number % 3 else 22
        rig.put(AUDIO, Sample(number * 1024, b"a"))
    rig.segmenter.lost("over")
    assert rig.gaps == ["tracks_changed", "over"]
    assert sound_s(rig) == pytest.approx(12, abs=0.1)
    assert picture_times(rig)[0] == pytest.approx(7, abs=0.05)
