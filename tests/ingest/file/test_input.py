"""Files are played in a loop, at real time, without a seam."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from twisted.internet.task import Clock

from flussdvr.formats.codecs import h264
from flussdvr.ingest.file.input import FileInput, path_of, read_file
from flussdvr.ingest.file.loop import ORIGIN_S, Loop
from flussdvr.ingest.source import InputEvent
from flussdvr.media import Codec, Sample, SamplesReceived, Track, TracksChanged
from tests.ingest.sinks import RecordingSink, media

SUFFIX = {"mpegts": ".ts", "mp4": ".mp4", "matroska": ".mkv", "flv": ".flv", "mov": ".mov"}


def recording(folder: Path, format_: str, **options: Any) -> Path:
    path = folder / f"a recording{SUFFIX[format_]}"
    path.write_bytes(media(format_, **options))
    return path


def contents(path: Path) -> tuple[dict[Codec, Track], dict[Codec, list[Sample]]]:
    tracks: dict[int, Track] = {}
    samples: dict[int, list[Sample]] = {}
    for event in read_file(str(path)):
        if isinstance(event, TracksChanged):
            tracks = {track.id: track for track in event.tracks}
        elif isinstance(event, SamplesReceived):
            samples.setdefault(event.track_id, []).extend(event.samples)
    return (
        {track.codec: track for track in tracks.values()},
        {tracks[track_id].codec: found for track_id, found in samples.items()},
    )


def decoded(track: Track, samples: Sequence[Sample]) -> int:
    context: Any = av.CodecContext.create("h264", "r")
    context.extradata = track.config
    return sum(len(context.decode(av.Packet(s.data))) for s in samples) + len(context.decode(None))


@pytest.mark.parametrize("format_", SUFFIX)
def test_containers(tmp_path: Path, format_: str) -> None:
    """The same media, whatever it is wrapped in."""
    tracks, samples = contents(recording(tmp_path, format_))
    video, audio = tracks[Codec.H264], tracks[Codec.AAC]
    assert (video.width, video.height) == (64, 48)
    assert (audio.sample_rate, audio.timescale, audio.channels) == (48_000, 48_000, 2)
    assert h264.codec_string(video.config).startswith("avc1.42")
    pictures = samples[Codec.H264]
    assert len(pictures) == 50 and decoded(video, pictures) == 50
    assert [i for i, s in enumerate(pictures) if s.sync] == [0, 10, 20, 30, 40]
    ticks = {b.dts - a.dts for a, b in pairwise(pictures)}
    assert all(abs(Fraction(t, video.timescale) - Fraction(1, 25)) < Fraction(1, 900) for t in ticks)
    assert {b.dts - a.dts for a, b in pairwise(samples[Codec.AAC])} == {1024}
    assert audio.config[:1] == b"\x11" and samples[Codec.AAC][5].data[:1] != b"\xff"


@pytest.mark.parametrize(("audio", "codec"), [("mp2", Codec.MP2), ("ac3", Codec.AC3), ("eac3", Codec.EAC3)])
def test_other_sound(tmp_path: Path, audio: str, codec: Codec) -> None:
    tracks, samples = contents(recording(tmp_path, "matroska", audio=audio))
    assert tracks[codec].sample_rate == 48_000
    assert len({b.dts - a.dts for a, b in pairwise(samples[codec])}) == 1
    assert bool(tracks[codec].config) == (codec is not Codec.MP2)


def test_no_media(tmp_path: Path) -> None:
    (tmp_path / "x.ts").write_bytes(bytes(10_000))
    assert list(read_file(str(tmp_path / "x.ts"))) == []
    (tmp_path / "x.mp4").write_bytes(bytes(10_000))
    with pytest.raises(av.FFmpegError):
        list(read_file(str(tmp_path / "x.mp4")))
    with pytest.raises(OSError):
        list(read_file(str(tmp_path / "none.ts")))


class Tape:
    """A wall clock, and what was handed over when."""

    def __init__(self, seconds: float, begin: float = 1_795_000_000.0) -> None:
        self.time = self.begin = begin
        self.stop_at = begin + seconds
        self.handed: list[tuple[float, Sequence[InputEvent]]] = []

    def now(self) -> float:
        return self.time

    def wait_until(self, utc: float) -> bool:
        self.time = max(self.time, utc)
        return self.time < self.stop_at

    def hand(self, events: Sequence[InputEvent]) -> bool:
        self.handed.append((self.time, events))
        return self.time < self.stop_at

    def samples(self, codec: Codec) -> list[tuple[float, Sample]]:
        tracks: dict[int, Track] = {}
        found = []
        for time, events in self.handed:
            for event in events:
                if isinstance(event, TracksChanged):
                    tracks = {track.id: track for track in event.tracks}
                elif isinstance(event, SamplesReceived) and tracks[event.track_id].codec is codec:
                    found += [(time, sample) for sample in event.samples]
        return found


def played(path: Path, pace: Tape) -> str:
    return FileInput(f"file://{path}", RecordingSink(), Clock()).produce(pace)


@pytest.mark.parametrize("format_", ["mpegts", "mp4", "matroska"])
def test_the_loop_has_no_seam(tmp_path: Path, format_: str) -> None:
    pace = Tape(9)
    assert played(recording(tmp_path, format_), pace) == "stopped"
    video = [sample for _, sample in pace.samples(Codec.H264)]
    assert 215 <= len(video) <= 227
    steps = {round((b.dts - a.dts) / (video[1].dts - video[0].dts), 1) for a, b in pairwise(video)}
    assert steps == {1.0}
    assert [i for i, s in enumerate(video) if s.sync] == list(range(0, len(video), 10))
    audio = [sample.dts for _, sample in pace.samples(Codec.AAC)]
    assert all(0 < b - a < 3 * 1024 for a, b in pairwise(audio))
    changes = [e for _, events in pace.handed for e in events if isinstance(e, TracksChanged)]
    assert len(changes) == 1


def test_it_is_played_at_real_time(tmp_path: Path) -> None:
    pace = Tape(5)
    played(recording(tmp_path, "mpegts"), pace)
    offsets = [time - pace.begin - sample.dts / 90_000 for time, sample in pace.samples(Codec.H264)]
    assert max(offsets) - min(offsets) < 0.2
    assert len(pace.handed) < 5 * 30


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_set_clock_is_no_reason_to_hurry_or_to_wait(tmp_path: Path, jump: float) -> None:
    class Jumping(Tape):
        jumped = False

        def wait_until(self, utc: float) -> bool:
            self.time = max(self.time, min(utc, self.time + 3))
            if not self.jumped and self.time > self.begin + 1:
                self.jumped = True
                self.time += jump
                self.stop_at += jump
            return self.time < self.stop_at

    pace = Jumping(6)
    played(recording(tmp_path, "mpegts"), pace)
    assert 125 < len(pace.samples(Codec.H264)) < 160


def test_a_file_without_media_ends(tmp_path: Path) -> None:
    (tmp_path / "x.ts").write_bytes(bytes(10_000))
    assert "no media" in played(tmp_path / "x.ts", Tape(5))


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "50%20 off.ts"
    assert path_of("file:///srv/a%20b.ts") == "/srv/a b.ts"
    path.write_bytes(b"")
    assert path_of(f"file://{path}") == str(path)
    assert path_of("file://loop.ts") == "loop.ts"


def test_an_odd_loop() -> None:
    """Sound that begins earlier and ends later than the pictures neither shifts nor overlaps them."""
    video = Track(1, Codec.H264, 90_000)
    audio = Track(2, Codec.AAC, 48_000)
    events = [
        TracksChanged((video, audio)),
        SamplesReceived(2, [Sample(-4800 + 4800 * i, b"a") for i in range(14)]),
        SamplesReceived(1, [Sample(9000 * i, b"v") for i in range(10)]),
        SamplesReceived(9, [Sample(0, b"?")]),
    ]
    loop = Loop()
    moved = [item for _ in range(3) for item in loop.play(events) if isinstance(item, tuple)]
    pictures = [sample.dts for _, track, sample in moved if track.id == 1]
    assert pictures == [ORIGIN_S * 90_000 + 9000 + 9000 * i for i in range(30)]
    sound = [sample.dts for _, track, sample in moved if track.id == 2]
    assert sound[0] == ORIGIN_S * 48_000
    assert {b - a for a, b in pairwise(sound)} == {4800}
