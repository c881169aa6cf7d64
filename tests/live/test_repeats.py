"""What a source sends once more is recorded once; what is new is recorded, whatever its times look like."""

from __future__ import annotations

import pytest

from flussdvr.formats.mp4.fmp4 import parse_fragment
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.segmenter import Segmenter
from flussdvr.media import Codec, Sample, Track

START_MS = 1_795_194_000_000
VIDEO = Track(1, Codec.H264, 90_000, width=640, height=360)
AUDIO = Track(2, Codec.AAC, 48_000, channels=2, sample_rate=48_000)
FPS = 25


class Source:
    """Pictures that carry their number, one key frame a second; and sound."""

    def __init__(self, sound: bool = True) -> None:
        self.fragments: list[LiveFragment] = []
        self.gaps: list[str] = []
        self.sound = sound
        self.now_ms = START_MS
        self.segmenter = Segmenter(lambda tracks: None, self.fragments.append, self.gaps.append, self.floor_ms)
        self.segmenter.tracks_received([VIDEO, AUDIO] if sound else [VIDEO])

    def floor_ms(self) -> int:
        return max((fragment.end_ms for fragment in self.fragments), default=0)

    def picture(self, number: int, media_s: float, name: int = 0) -> Sample:
        data = b"%d of %d" % (number, name)
        return Sample(round((media_s + number / FPS) * 90_000), data, number % FPS == 0)

    def send(self, begin: int, end: int, media_s: float = 0.0, name: int = 0, paced: bool = False) -> None:
        """Pictures `begin` to `end` and their sound, at once or (`paced`) as time goes by."""
        for number in range(begin, end):
            self.segmenter.samples_received(VIDEO.id, [self.picture(number, media_s, name)], self.now_ms)
            if self.sound:
                dts = round((media_s + number / FPS) * 48_000)
                self.segmenter.samples_received(
                    AUDIO.id, [Sample(dts + 960 * i, b"a%d" % number) for i in range(2)], self.now_ms
                )
            self.now_ms += 1000 // FPS if paced else 0

    def recorded(self) -> list[bytes]:
        """The data of all pictures, in the order of the recording; their times increase, to the millisecond."""
        found, at = [], -1
        for fragment in self.fragments:
            for run in parse_fragment(fragment.data, {}).runs:
                if run.track_id != VIDEO.id:
                    continue
                assert run.dts is not None and run.dts > at - 90
                at = run.dts + sum(row.duration for row in run.rows)
                offset = run.data_offset
                for row in run.rows:
                    found.append(fragment.data[offset : offset + row.size])
                    offset += row.size
        return found


def names(begin: int, end: int, name: int = 0) -> list[bytes]:
    return [b"%d of %d" % (number, name) for number in range(begin, end)]


@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("again", [25, 50, 200])
def test_a_buffer_that_is_sent_once_more_is_recorded_once(again: int, sound: bool) -> None:
    source = Source(sound)
    source.send(0, 250, paced=True)
    source.segmenter.lost("closed")
    source.now_ms += 500
    source.send(250 - again, 262)
    source.send(262, 400, paced=True)
    source.segmenter.lost("closed")
    assert source.recorded() == names(0, 400)
    assert source.gaps[0] == "closed"


@pytest.mark.parametrize("pause_s", [1, 7, 20])
def test_a_burst_that_is_sent_again_and_again_is_recorded_once(pause_s: int) -> None:
    """It would have to lie over what is recorded, or in the future."""
    source = Source()
    for _ in range(5):
        source.send(0, 750)
        source.segmenter.lost("closed")
        source.now_ms += pause_s * 1000
        if source.now_ms - START_MS > 25_000:
            break
    assert source.recorded() == names(0, 750)
    assert source.fragments[-1].end_ms <= START_MS + 100


def test_a_burst_that_is_sent_again_later_than_it_lasts_is_recorded_again() -> None:
    source = Source()
    for _ in range(3):
        source.send(0, 750)
        source.segmenter.lost("closed")
        source.now_ms += 60_000
    assert source.recorded() == names(0, 750) * 3


def test_a_buffer_sent_again_within_a_connection() -> None:
    source = Source()
    source.send(0, 250, paced=True)
    source.send(150, 250)
    source.send(250, 400, paced=True)
    source.segmenter.lost("closed")
    found = source.recorded()
    assert len(found) == len(set(found))
    assert set(names(0, 400)) - set(found) == set()


@pytest.mark.parametrize("seconds", [1, 2, 3, 5, 10])
def test_a_film_in_a_loop_is_recorded_each_time(seconds: int) -> None:
    """The same pictures at the same media times, as fast as time goes by."""
    source = Source()
    for _ in range(30 // seconds):
        source.send(0, seconds * FPS, paced=True)
        source.segmenter.lost("closed")
    assert source.recorded() == names(0, seconds * FPS) * (30 // seconds)


@pytest.mark.parametrize("pause_ms", [0, 100, 2000, 60_000])
def test_encoders_that_begin_at_0_each_time_lose_nothing(pause_ms: int) -> None:
    source = Source()
    for name in range(4):
        source.send(0, 100, name=name)  # all at once
        source.segmenter.lost("closed")
        source.now_ms += pause_ms
    assert source.recorded() == [one for name in range(4) for one in names(0, 100, name)]


@pytest.mark.parametrize("jumps", [(3600.0, 100.0), (100.0, 3600.0), (-50.0, 2.0, -1.0), (26 * 3600.0, 0.5)])
def test_runs_with_jumps_in_one_burst_lose_nothing(jumps: tuple[float, ...]) -> None:
    source = Source()
    for name, media_s in enumerate((50.0, *(50.0 + jump for jump in jumps))):
        source.send(0, 100, media_s=media_s, name=name)
    source.segmenter.lost("closed")
    assert source.recorded() == [one for name in range(1 + len(jumps)) for one in names(0, 100, name)]
    assert set(source.gaps) <= {"timestamp_jump", "closed"}


@pytest.mark.parametrize("behind_s", [-90_000, -4000, -61, 61, 4000, 90_000])
@pytest.mark.parametrize("first", ["video", "audio"])
def test_tracks_without_a_common_time_are_recorded_together(first: str, behind_s: int) -> None:
    """... as they come, and never in the future."""
    source = Source()
    for number in range(500):
        picture = source.picture(number, 100_000)
        audio = [Sample(round((100_000 + behind_s + number / FPS) * 48_000) + 960 * i, b"a") for i in range(2)]
        if first == "video" or number >= 100:
            source.segmenter.samples_received(VIDEO.id, [picture], source.now_ms)
        if first == "audio" or number >= 100:
            source.segmenter.samples_received(AUDIO.id, audio, source.now_ms)
        source.now_ms += 40
    source.segmenter.lost("closed")
    assert set(source.gaps) <= {"tracks_changed", "closed"}
    assert source.recorded() == (names(0, 500) if first == "video" else names(100, 500))
    assert START_MS - 100 <= source.fragments[0].begin_ms and source.fragments[-1].end_ms <= source.now_ms + 100
    last: dict[int, float] = {}
    for fragment in source.fragments:
        for run in parse_fragment(fragment.data, {}).runs:
            assert run.dts is not None
            scale = 90_000 if run.track_id == VIDEO.id else 48_000
            assert run.dts / scale * 1000 == pytest.approx(fragment.begin_ms, abs=150)
            last[run.track_id] = (run.dts + sum(row.duration for row in run.rows)) / scale * 1000
    assert all(at == pytest.approx(source.now_ms, abs=150) for at in last.values())


@pytest.mark.parametrize("behind_s", [-4000, 0, 4000])
def test_a_new_track_without_the_others_time_is_recorded_with_them(behind_s: int) -> None:
    source = Source(sound=False)
    for number in range(300):
        if number == 110:
            source.segmenter.tracks_received([VIDEO, AUDIO])
        source.segmenter.samples_received(VIDEO.id, [source.picture(number, 100_000)], source.now_ms)
        audio = [Sample(round((100_000 + behind_s + number / FPS) * 48_000) + 960 * i, b"a") for i in range(2)]
        source.segmenter.samples_received(AUDIO.id, audio, source.now_ms)
        source.now_ms += 40
    source.segmenter.lost("closed")
    assert source.gaps == ["tracks_changed", "closed"]
    assert source.recorded() == names(0, 300)
    heard = [run for one in source.fragments for run in parse_fragment(one.data, {}).runs if run.track_id == AUDIO.id]
    assert heard[0].dts is not None and heard[0].dts / 48 == pytest.approx(START_MS + 110 * 40, abs=150)
    assert sum(len(run.rows) for run in heard) == pytest.approx(190 * 2, abs=3)


@pytest.mark.parametrize("late_s", [2.5, 4, 8])
def test_pictures_that_begin_late_in_a_burst_are_recorded(late_s: float) -> None:
    """The sound begins first; all of it, and the pictures, come at one instant."""
    source = Source()
    audio = [Sample(i * 1024, b"a") for i in range(int(12 * 48_000 / 1024))]
    source.segmenter.samples_received(AUDIO.id, audio, source.now_ms)
    pictures = [source.picture(number, late_s) for number in range(100)]
    source.segmenter.samples_received(VIDEO.id, pictures, source.now_ms)
    source.segmenter.lost("closed")
    assert source.recorded() == names(0, 100)


def test_a_source_that_states_an_hour_too_little_loses_nothing() -> None:
    """Its own clock says that it is recorded already; for so long that it can't be true."""
    source = Source()
    source.send(0, 250, paced=True)
    source.segmenter.lost("closed")
    source.segmenter.utc_received(source.now_ms - 3_600_000, 0, 90_000)
    source.send(0, 250, name=1, paced=True)
    source.segmenter.lost("closed")
    assert source.recorded() == names(0, 250) + names(0, 250, 1)
