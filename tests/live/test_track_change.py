"""Tracks come, go and change while the video goes on: nothing of it is lost, and no blob is made for each time."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pytest

from flussdvr.formats.mp4.fmp4 import parse_fragment, write_init
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.psi import ElementaryStream
from flussdvr.live.track_change import GONE_US, HELD_BYTES, OFTEN, TOLD_US, WAIT_US
from flussdvr.media import Codec, Sample, SamplesReceived, Track, TracksChanged
from tests.formats.transport import AUDIO_PID, VIDEO_PID, Packets
from tests.live.test_segmenter import AUDIO, START_MS, VIDEO, Rig, tile

MONO = replace(AUDIO, channels=1, config=b"\x11\x88")
SECOND = Track(3, Codec.AAC, 48_000, b"\x11\x90", "eng", channels=2, sample_rate=48_000)
ENGLISH = replace(AUDIO, language="eng")


class Source:
    """25 pictures a second in groups of `gop`, and the sound of whatever tracks it has, each frame with a number."""

    def __init__(self, gop: int = 50, tracks: Sequence[Track] = (VIDEO, AUDIO)) -> None:
        self.rig = Rig(*tracks)
        self.gop = gop
        self.tracks = tuple(tracks)
        self.pictures = 0
        self.sent: dict[int, list[bytes]] = {}

    def change(self, *tracks: Track) -> None:
        self.tracks = tracks
        self.rig.segmenter.tracks_received(tracks)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 25)):
            number = self.pictures
            self.pictures += 1
            self.rig.now_ms += 40
            if self.tracks[0].is_video:
                data = b"v%06d" % number
                self.sent.setdefault(1, []).append(data)
                self.rig.put(self.tracks[0], Sample(number * 3600, data, number % self.gop == 0))
            for track in self.tracks:
                if not track.is_video:
                    for frame in range(math.ceil(number * 1.875), math.ceil((number + 1) * 1.875)):
                        data = b"%d %s %06d" % (track.id, track.language.encode(), frame)
                        self.sent.setdefault(track.id, []).append(data)
                        self.rig.put(track, Sample(frame * 1024, data))

    def end(self) -> None:
        self.rig.segmenter.lost("over")

    @property
    def recorded(self) -> bytes:
        return b"".join(fragment.data for fragment in self.rig.fragments)

    def lost(self, track_id: int) -> list[bytes]:
        """What was sent and is in no fragment."""
        recorded = self.recorded
        return [data for data in self.sent.get(track_id, []) if data not in recorded]

    @property
    def now_left_out(self) -> list[str]:
        return [str(one) for one in self.rig.segmenter.left_out(self.rig.now_ms * 1000)]

    @property
    def changes(self) -> int:
        return self.rig.gaps.count("tracks_changed")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((VIDEO,), (VIDEO, AUDIO)),
        ((VIDEO, AUDIO), (VIDEO, AUDIO, SECOND)),
        ((VIDEO, AUDIO), (VIDEO, MONO)),
        ((VIDEO, AUDIO), (VIDEO, ENGLISH)),
        ((VIDEO, AUDIO), (VIDEO, SECOND)),
        ((VIDEO, AUDIO, SECOND), (VIDEO, SECOND, MONO)),
    ],
)
@pytest.mark.parametrize("at_s", [3.0, 4.0, 4.44, 5.96])
def test_a_change_within_a_group_of_pictures_loses_nothing(
    before: Sequence[Track], after: Sequence[Track], at_s: float
) -> None:
    source = Source(tracks=before)
    source.run(at_s)
    source.change(*after)
    source.run(7)
    source.end()
    assert source.lost(1) == []
    assert [lost for track in after if track.id != 1 for lost in source.lost(track.id)] == []
    assert source.changes == 1
    assert tile(source.rig.fragments)
    begins = [n for n, entry in enumerate(source.rig.log) if isinstance(entry, list)]
    assert len(begins) == 2
    first = next(entry for entry in source.rig.log[begins[1] :] if not isinstance(entry, (list, str)))
    assert first.sync  # type: ignore[attr-defined]


def test_what_comes_before_the_sync_sample_has_its_own_time() -> None:
    """The sound of the new track begins where it came, before the pictures of its blob."""
    source = Source(tracks=(VIDEO,))
    source.run(4.4)
    source.change(VIDEO, AUDIO)
    source.run(5)
    source.end()
    runs = [run for fragment in source.rig.fragments for run in parse_fragment(fragment.data, {}).runs]
    sound = [run for run in runs if run.track_id == 2]
    video = [run for run in runs if run.track_id == 1]
    assert sound[0].dts is not None and video[0].dts is not None
    assert abs(sound[0].dts / 48_000 - video[0].dts / 90_000 - 4.4) < 0.03
    for run, following in zip(sound, sound[1:], strict=False):
        assert run.dts is not None and following.dts is not None
        assert abs(run.dts + sum(row.duration for row in run.rows) - following.dts) <= 1


def test_a_track_that_vanishes_and_comes_back_ends_nothing() -> None:
    source = Source(tracks=(VIDEO, AUDIO, SECOND))
    source.run(3)
    for _ in range(30):
        source.change(VIDEO, AUDIO)
        source.run(1)
        source.change(VIDEO, AUDIO, SECOND)
        source.run(1)
    source.end()
    assert source.changes == 0
    assert [source.lost(number) for number in (1, 2, 3)] == [[], [], []]


def test_a_track_that_has_vanished_for_good_is_left_out_in_time() -> None:
    source = Source(tracks=(VIDEO, AUDIO, SECOND))
    source.run(3)
    source.change(VIDEO, AUDIO)
    source.run(GONE_US / 1e6 - 1)
    assert source.changes == 0
    source.run(4)
    assert source.changes == 1
    source.end()
    assert [source.lost(number) for number in (1, 2)] == [[], []]


def test_two_sets_that_alternate_each_second_make_few_blobs() -> None:
    source = Source(gop=25)
    source.run(3)
    for _ in range(60):
        source.change(VIDEO, MONO)
        source.run(1)
        source.change(VIDEO, AUDIO)
        source.run(1)
    assert source.changes <= OFTEN + 120 // 20
    source.change(VIDEO, MONO)
    source.run(25)
    source.end()
    assert source.lost(1) == []
    assert [track.channels for track in source.rig.segmenter._source_tracks] == [0, 1]


@pytest.mark.parametrize("often", [1, 30])
def test_what_is_not_recorded_of_sets_that_alternate_is_named(often: int) -> None:
    source = Source(gop=100)
    segmenter = source.rig.segmenter
    source.run(4)
    for _ in range(often):
        source.run(0.2)
        source.change(VIDEO, MONO)
        source.run(1)
        source.change(VIDEO, AUDIO)
        source.run(1)
    assert segmenter.dropped_samples > 40
    assert source.now_left_out == [
        "aac sound with 1 channel, 48000 Hz, language und is not recorded: "
        "the tracks of its source change too often, it comes and goes"
    ]
    source.run(TOLD_US / 1e6 + 1)
    assert source.now_left_out == []
    source.end()
    assert source.lost(1) == []


def test_a_set_that_grows_while_it_waits_loses_nothing() -> None:
    source = Source(gop=100, tracks=(VIDEO,))
    source.run(4.5)
    source.change(VIDEO, AUDIO)
    source.run(1)
    source.change(VIDEO, AUDIO, SECOND)
    source.run(6)
    source.end()
    assert source.changes == 1
    assert [source.lost(number) for number in (1, 2, 3)] == [[], [], []]
    assert source.now_left_out == []


def test_tracks_under_other_ids_go_on() -> None:
    """PIDs move, each second; what they carry is the same."""
    source = Source()
    source.run(3)
    moved = replace(VIDEO, id=257), replace(AUDIO, id=258)
    for number in range(20):
        tracks = moved if number % 2 == 0 else (VIDEO, AUDIO)
        source.change(*tracks)
        source.run(1)
    source.end()
    assert source.changes == 0
    assert tile(source.rig.fragments)
    assert [source.lost(number) for number in (1, 2, 258)] == [[], [], []]


def test_a_sync_sample_that_never_comes_is_not_waited_for() -> None:
    source = Source(gop=10_000, tracks=(VIDEO,))
    source.run(3)
    source.change(VIDEO, AUDIO)
    source.run(WAIT_US / 1e6 - 1)
    assert source.changes == 0
    source.run(2)
    assert source.changes == 1


@pytest.mark.parametrize("after", [(VIDEO, MONO), (VIDEO, AUDIO, SECOND), (VIDEO, SECOND)])
@pytest.mark.parametrize("gop_s", [13, 30, 100])
def test_groups_of_pictures_may_be_long(gop_s: int, after: Sequence[Track]) -> None:
    source = Source(gop=25 * gop_s)
    source.run(3)
    source.change(*after)
    source.run(gop_s + 5)
    source.end()
    assert source.changes == 1
    assert [lost for number in source.sent for lost in source.lost(number)] == []
    assert source.now_left_out == []


def test_a_track_that_has_vanished_is_no_reason_to_end_a_run_without_a_sync_sample() -> None:
    source = Source(gop=10_000, tracks=(VIDEO, AUDIO, SECOND))
    source.run(3)
    source.change(VIDEO, AUDIO)
    source.run(WAIT_US / 1e6 + 30)
    source.end()
    assert source.changes == 0
    assert [source.lost(number) for number in (1, 2)] == [[], []]


def test_what_waits_is_bounded() -> None:
    source = Source(gop=10_000, tracks=(VIDEO,))
    source.run(3)
    source.change(VIDEO, AUDIO)
    for number in range(2000):
        source.rig.put(AUDIO, Sample(number * 1024, bytes(10_000)))
    assert source.rig.segmenter.pending_bytes < HELD_BYTES + 20_000
    source.gop = 1
    source.run(5)
    assert source.changes == 1
    (told,) = source.now_left_out
    assert told.startswith("aac sound with 2 channels") and "no key frame came for so long" in told


def test_a_source_that_ends_while_tracks_wait() -> None:
    source = Source(tracks=(VIDEO,))
    source.run(3)
    source.change(VIDEO, AUDIO)
    source.run(0.4)
    source.end()
    assert source.lost(1) == []
    assert source.lost(2) and "ended before the next key frame" in source.now_left_out[0]
    source.rig.segmenter.tracks_received((VIDEO, AUDIO))
    source.pictures = 0
    source.rig.now_ms += 60_000
    source.run(3)
    source.end()
    assert source.rig.log[-1] == "over"
    assert any(run.track_id == 2 for run in parse_fragment(source.rig.fragments[-1].data, {}).runs)


@cache
def encoded_stream(frames: int) -> bytes:
    """One group of pictures by FFmpeg's encoder, whose stereo sound becomes mono after two seconds."""
    picture = av.CodecContext.create("libx264", "w")
    picture.width, picture.height, picture.pix_fmt, picture.gop_size = 64, 64, "yuv420p", 1 << 20  # type: ignore[attr-defined]
    picture.time_base, picture.framerate = Fraction(1, 25), Fraction(25)  # type: ignore[attr-defined]
    picture.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "log-level=none:keyint=infinite"}
    sound = {layout: [bytes(one) for one in _adts(layout, frames * 2)] for layout in ("stereo", "mono")}
    stream = Packets()
    h264, adts = ElementaryStream(VIDEO_PID, 0x1B), ElementaryStream(AUDIO_PID, 0x0F)
    done = 0
    for number in range(frames):
        if number % 5 == 0:
            stream.tables([h264, adts])
        frame = av.VideoFrame.from_ndarray(np.full((96, 64), 16 + number % 220, np.uint8), "yuv420p")
        frame.pts = number
        for packet in picture.encode(frame):  # type: ignore[attr-defined]
            stream.pes(VIDEO_PID, bytes(packet), 90_000 + 3600 * packet.pts, bounded=False)
        while done * 1920 < number * 3600:
            stream.pes(AUDIO_PID, sound["mono" if number > 50 else "stereo"][done], 90_000 + 1920 * done)
            done += 1
    return stream.data


def _adts(layout: str, count: int) -> list[av.Packet]:
    out = io.BytesIO()
    with av.open(out, "w", "adts") as file:
        stream = file.add_stream("aac", rate=48_000, layout=layout)
        for number in range(count):
            chance = np.random.default_rng(number)
            wave = (chance.random((2 if layout == "stereo" else 1, 1024), np.float32) - 0.5) * 0.2
            frame = av.AudioFrame.from_ndarray(wave, "fltp", layout)
            frame.sample_rate, frame.pts = 48_000, 1024 * number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = out.getvalue()
    with av.open(io.BytesIO(data), format="aac") as file:
        return [packet for packet in file.demux() if packet.size]


def test_pictures_and_sound_of_a_long_group_of_pictures_are_decoded() -> None:
    """The key frame never comes: the sound is waited for 25 s of pictures, and the pictures go on."""
    source = Source(tracks=(VIDEO,))
    segmenter = source.rig.segmenter
    data, demuxer = encoded_stream(700), TsDemuxer()
    tracks: list[Track] = []
    for at in range(0, len(data), 188 * 7):
        events = demuxer.feed(data[at : at + 188 * 7])
        source.rig.now_ms = START_MS + 28_000 * at // len(data)
        for event in events:
            if isinstance(event, TracksChanged):
                tracks += [track for track in event.tracks if track not in tracks]
                segmenter.tracks_received(event.tracks)
            elif isinstance(event, SamplesReceived):
                segmenter.samples_received(event.track_id, event.samples, source.rig.now_ms)
    source.end()
    assert [track.channels for track in tracks] == [0, 2, 1]
    named = [replace(track, id=number) for number, track in enumerate(tracks[:2], 1)]
    file = write_init(named) + source.recorded
    with av.open(io.BytesIO(file), format="mp4") as found:
        shown = [int(frame.to_ndarray()[32, 32]) for frame in found.decode(video=0)]
    assert len(shown) >= 699
    assert all(abs(value - 16 - number % 220) < 6 for number, value in enumerate(shown))
    assert "ended before the next key frame" in source.now_left_out[0]
