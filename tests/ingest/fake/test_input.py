"""The test source shows, sounds and says the same UTC, whatever codec it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from flussdvr.formats.stamp import read_loud_start, read_stamp, read_tone
from flussdvr.ingest.fake.encoder import AUDIO_ID, SAMPLE_RATE, TIMESCALE, VIDEO_ID, FakeEncoder, FakeSettings
from flussdvr.ingest.fake.input import CAUGHT_UP_S, fake_settings, produce_fake
from flussdvr.ingest.source import InputEvent, UtcReceived
from flussdvr.media import Codec, Sample, SamplesReceived, Track, TracksChanged

SECOND = 1_795_200_003
SMALL = {"width": 160, "height": 90, "bitrate": 300_000}


def encoded(settings: FakeSettings, frames: Sequence[int]) -> tuple[dict[int, Track], dict[int, list[Sample]]]:
    encoder = FakeEncoder(settings, SECOND, "test")
    events = [event for index in frames for event in encoder.encode(index)] + encoder.flush()
    samples: dict[int, list[Sample]] = {track.id: [] for track in encoder.tracks}
    for event in events:
        assert isinstance(event, SamplesReceived)
        samples[event.track_id] += event.samples
    return {track.id: track for track in encoder.tracks}, samples


def pictures(track: Track, samples: list[Sample]) -> list[tuple[int, Any]]:
    """(pts, luma) of everything, decoded from the stored form by FFmpeg."""
    context: Any = av.CodecContext.create("hevc" if track.codec is Codec.H265 else "h264", "r")
    context.extradata = track.config
    result = []
    for sample in [*samples, None]:
        packet = None
        if sample is not None:
            packet = av.Packet(sample.data)
            packet.pts, packet.dts, packet.time_base = sample.pts, sample.dts, Fraction(1, track.timescale)
        result += [(frame.pts, frame.to_ndarray()[: frame.height]) for frame in context.decode(packet)]
    return result


def sound(track: Track, samples: list[Sample]) -> tuple[int, Any]:
    """(pts of the first sample, one channel of PCM), decoded by FFmpeg."""
    context: Any = av.CodecContext.create("aac", "r")
    context.extradata = track.config
    context.sample_rate = track.sample_rate
    pieces = []
    for sample in samples:
        packet = av.Packet(sample.data)
        packet.pts = packet.dts = sample.dts
        packet.time_base = Fraction(1, track.timescale)
        pieces += [frame.to_ndarray()[0] for frame in context.decode(packet)]
    return samples[0].dts, np.concatenate(pieces)


@pytest.mark.parametrize(
    "settings",
    [
        FakeSettings(**SMALL, audio=False),
        FakeSettings(**SMALL, audio=False, fps=30, gop=30, bframes=2),
        FakeSettings(**SMALL, audio=False, gop=12, bframes=2, open_gop=True),
        FakeSettings(**SMALL, audio=False, codec=Codec.H265),
        FakeSettings(**SMALL, audio=False, codec=Codec.H265, gop=12, bframes=2, open_gop=True),
    ],
    ids=["h264", "h264 B", "h264 open GOP", "h265", "h265 open GOP"],
)
def test_every_picture_shows_its_time(settings: FakeSettings) -> None:
    tracks, samples = encoded(settings, range(60))
    track = tracks[VIDEO_ID]
    shown = pictures(track, samples[VIDEO_ID])
    assert [read_stamp(luma) for _, luma in shown] == [
        (SECOND + i // settings.fps, i % settings.fps) for i in range(60)
    ]
    assert [pts for pts, _ in shown] == [SECOND * TIMESCALE + i * TIMESCALE // settings.fps for i in range(60)]
    assert (track.width, track.height, track.frame_rate) == (160, 90, settings.fps)


@pytest.mark.parametrize("bframes", [0, 2])
@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_decoding_times(codec: Codec, bframes: int) -> None:
    settings = FakeSettings(**SMALL, audio=False, codec=codec, bframes=bframes, gop=20)
    _, samples = encoded(settings, range(50))
    video = samples[VIDEO_ID]
    assert all(b.dts - a.dts == TIMESCALE // 25 for a, b in zip(video, video[1:], strict=False))
    assert all(0 <= sample.cto <= 4 * TIMESCALE // 25 for sample in video)
    assert any(sample.cto for sample in video) == bool(bframes)
    assert [(s.pts - SECOND * TIMESCALE) * 25 // TIMESCALE for s in video if s.sync] == [0, 20, 40]


def test_the_sound_is_of_the_same_second() -> None:
    tracks, samples = encoded(FakeSettings(codec=None), range(75))
    track = tracks[AUDIO_ID]
    begin, pcm = sound(track, samples[AUDIO_ID])
    assert begin == SECOND * SAMPLE_RATE
    assert all(b.dts - a.dts == 1024 for a, b in zip(samples[AUDIO_ID], samples[AUDIO_ID][1:], strict=False))
    assert len(pcm) >= 3 * SAMPLE_RATE
    for second in range(3):
        whole = pcm[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE]
        assert read_tone(whole[4800:-4800], SAMPLE_RATE) == (SECOND + second) % 16
    for second in (1, 2):
        at = read_loud_start(pcm[(second * SAMPLE_RATE) - 9600 : second * SAMPLE_RATE + 9600], SAMPLE_RATE)
        assert at is not None and abs(at - 9600) < SAMPLE_RATE * 5 // 1000


def test_sound_and_pictures_begin_together_and_keep_pace() -> None:
    encoder = FakeEncoder(FakeSettings(**SMALL), SECOND)
    ends = {VIDEO_ID: 0.0, AUDIO_ID: 0.0}
    for index in range(50):
        for event in encoder.encode(index):
            assert isinstance(event, SamplesReceived)
            scale = TIMESCALE if event.track_id == VIDEO_ID else SAMPLE_RATE
            ends[event.track_id] = event.samples[-1].dts / scale - SECOND
        if index > 5:
            assert abs(ends[VIDEO_ID] - ends[AUDIO_ID]) < 0.08


def test_left_out_pictures_do_not_shift_the_others() -> None:
    frames = [*range(10), *range(17, 40)]
    tracks, samples = encoded(FakeSettings(**SMALL, audio=False, bframes=2), frames)
    shown = pictures(tracks[VIDEO_ID], samples[VIDEO_ID])
    assert [(pts - SECOND * TIMESCALE) * 25 // TIMESCALE for pts, _ in shown] == frames
    assert [read_stamp(luma) for _, luma in shown] == [(SECOND + i // 25, i % 25) for i in frames]
    assert all(b.dts > a.dts for a, b in zip(samples[VIDEO_ID], samples[VIDEO_ID][1:], strict=False))


class SteppedPace:
    """A wall clock that costs `work` seconds per picture; stops after `seconds`."""

    def __init__(self, seconds: float, work: float = 0.0) -> None:
        self.time = SECOND - 0.5
        self.stop_at = self.time + seconds
        self.work = work
        self.handed: list[tuple[float, Sequence[InputEvent]]] = []

    def now(self) -> float:
        return self.time

    def wait_until(self, utc: float) -> bool:
        self.time = max(self.time, utc) + self.work
        return self.time < self.stop_at

    def hand(self, events: Sequence[InputEvent]) -> bool:
        self.handed.append((self.time, events))
        return True

    def samples(self, track_id: int) -> list[Sample]:
        return [
            s
            for _, events in self.handed
            for event in events
            if isinstance(event, SamplesReceived) and event.track_id == track_id
            for s in event.samples
        ]


def test_it_says_its_tracks_and_utc_first() -> None:
    pace = SteppedPace(2)
    assert produce_fake(FakeSettings(**SMALL), "test", pace) == "stopped"
    changed, utc = pace.handed[0][1]
    assert isinstance(changed, TracksChanged) and [t.codec for t in changed.tracks] == [Codec.H264, Codec.AAC]
    assert utc == UtcReceived(SECOND * 1000, SECOND * TIMESCALE, TIMESCALE)


def test_pictures_are_made_when_they_are_due() -> None:
    pace = SteppedPace(3)
    produce_fake(FakeSettings(**SMALL), "test", pace)
    for time, events in pace.handed[1:]:
        for event in events:
            if isinstance(event, SamplesReceived) and event.track_id == VIDEO_ID:
                assert 0 <= time - event.samples[-1].pts / TIMESCALE < 0.1
    assert len(pace.handed) < 50


def test_a_slow_machine_skips_pictures() -> None:
    pace = SteppedPace(6, work=0.1)
    produce_fake(FakeSettings(**SMALL), "test", pace)
    video = pace.samples(VIDEO_ID)
    assert 40 < len(video) < 60
    assert pace.stop_at - video[-1].pts / TIMESCALE < CAUGHT_UP_S + 0.5
    assert pace.stop_at - pace.samples(AUDIO_ID)[-1].dts / SAMPLE_RATE < CAUGHT_UP_S + 0.5


def test_a_busy_moment_costs_no_picture() -> None:
    class Busy(SteppedPace):
        was_busy = False

        def wait_until(self, utc: float) -> bool:
            if len(self.samples(VIDEO_ID)) == 40 and not self.was_busy:
                self.was_busy = True
                self.time += CAUGHT_UP_S - 0.1
            return super().wait_until(utc)

    pace = Busy(6, work=0.01)
    produce_fake(FakeSettings(**SMALL), "test", pace)
    video = pace.samples(VIDEO_ID)
    assert {b.pts - a.pts for a, b in zip(video, video[1:], strict=False)} == {TIMESCALE // 25}
    assert pace.stop_at - video[-1].pts / TIMESCALE < 0.2, "it is in time again"


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_set_wall_clock_ends_it(jump: float) -> None:
    class Jumping(SteppedPace):
        def wait_until(self, utc: float) -> bool:
            self.time = max(self.time, utc) if self.time < SECOND + 1 else SECOND + 1 + jump
            return True

    assert "wall clock" in produce_fake(FakeSettings(**SMALL), "test", Jumping(99))


def test_options() -> None:
    assert fake_settings("fake://") == fake_settings("fake://fake") == FakeSettings()
    assert fake_settings(
        "fake://?size=320x180&fps=30&gop=60&bframes=1&bitrate=1M&codec=h265&audio=none&open_gop=1"
    ) == FakeSettings(320, 180, 30, 60, 1, 1_000_000, Codec.H265, False, True)
    assert fake_settings("fake://?audio_only") == FakeSettings(codec=None)
    assert fake_settings("fake://?open_gop=1").bframes == 2
    assert fake_settings("fake://", {"fps": "50", "source_timeout": "3"}).fps == 50


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("size=640", "size is WIDTHxHEIGHT"),
        ("size=641x360", "even"),
        ("size=99999x99999", "3840x2160"),
        ("fps=29.97", "fps is one of 1 2"),
        ("fps=7", "fps is one of 1 2"),
        ("fps=²", "fps is one of 1 2"),
        ("gop=0", "gop is a whole number from 1 to 600"),
        ("bframes=-1", "bframes is a whole number from 0 to 4"),
        ("bitrate=fast", "bitrate is bit/s"),
        ("bitrate=1", "32k"),
        ("codec=vp9", "codec is h264 or h265"),
        ("audio=mp3", "audio is aac or none"),
        ("open_gop=maybe", "open_gop is 1 or 0"),
        ("open_gop=1&bframes=0", "open_gop needs bframes"),
        ("audio_only&audio=none", "leave nothing"),
        ("bitrat=800k", "did you mean bitrate"),
        ("zzz=1", "known are size fps"),
    ],
)
def test_wrong_options_are_named(query: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fake_settings(f"fake://?{query}")
