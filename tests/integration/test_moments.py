"""
The promise: the frame you ask for is the frame you get.

A live camera is published in three ways at once, across an hour boundary, an outage of the source and a restart of the
server. Then any moment of it is asked for, and the clock that is burnt into the pictures is read back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import pytest

from tests.integration.lab.server import Server, free_port
from tests.integration.lab.source import Source
from tests.integration.lab.watch import ffmpeg_complaints, first_picture, pictures, seconds_heard

pytestmark = pytest.mark.long


FPS = 25
FRAME_S = 1 / FPS
STREAMS = ("udp", "push", "rtmp")
OUTAGE_S = 10
LATENCY_S = 0.6
"""More than this may not lie between a picture's being seen and its date: encoding and the way to us."""


@dataclass(frozen=True)
class Recording:
    """A server with recordings; `ranges` of each stream in seconds of UTC."""

    server: Server
    original: str
    ranges: dict[str, list[tuple[float, float]]]

    def moments(self, stream: str, count: int, length: float, seed: int) -> list[float]:
        """Random instants that have `length` seconds of recording behind them."""
        chance = random.Random(seed)
        usable = [(begin + 1, end - length) for begin, end in self.ranges[stream] if end - begin > length + 1]
        spans = [end - begin for begin, end in usable]
        found = []
        for _ in range(count):
            begin, end = chance.choices(usable, spans)[0]
            found.append(round(chance.uniform(begin, end), 3))
        return found


def publish(server: Server, port: int, seconds: int) -> Source:
    return Source(
        f"[f=mpegts]{original(server)}",
        f"[f=mpegts:onfail=ignore]udp://127.0.0.1:{port}?pkt_size=1316",
        f"[f=mpegts:onfail=ignore:method=PUT]http://127.0.0.1:{server.http}/push/mpegts",
        f"[f=flv:onfail=ignore]rtmp://127.0.0.1:{server.rtmp}/live/rtmp",
        seconds=seconds,
        shift=server.shift_s,
        bframes=2,
    )


def original(server: Server) -> Path:
    """What the camera sent last, as ffmpeg itself wrote it to a file."""
    return server.folder / "original.ts"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    port = free_port()
    hour_in_s = 3600 - time.time() % 3600
    folder: Path = tmp_path_factory.mktemp("moments")
    streams = f"""
        stream udp {{ input udp://127.0.0.1:{port}; dvr @main; segment_duration 2; input_timeout 4s; }}
        stream push {{ input publish://; dvr @main; segment_duration 2; input_timeout 4s; }}
        stream rtmp {{ input publish://; dvr @main; segment_duration 2; input_timeout 4s; }}
    """
    server = Server(folder, streams, shift_s=round(hour_in_s - 30))  # the hour ends in half a minute
    server.start()
    try:
        assert "rror" not in publish(server, port, 60).wait(90)
        time.sleep(OUTAGE_S)
        publish(server, port, 40).wait(70)
        server.stop()
        server.start()
        publish(server, port, 40).wait(70)
        time.sleep(2)
        ranges: dict[str, list[tuple[float, float]]] = {}
        for name in STREAMS:
            status = server.json(f"/{name}/recording_status.json")[0]
            ranges[name] = [(item["from"], item["from"] + item["duration"]) for item in status["ranges"]]
        yield Recording(server, str(original(server)), ranges)
    finally:
        server.stop()


@pytest.mark.parametrize("stream", STREAMS)
def test_everything_is_recorded_and_the_gaps_are_where_they_were(recording: Recording, stream: str) -> None:
    ranges = recording.ranges[stream]
    assert len(ranges) == 3, ranges
    for (begin, end), seconds in zip(ranges, (60, 40, 40), strict=True):
        assert seconds - 2 <= end - begin <= seconds + 1  # whole seconds are stated
    assert OUTAGE_S - 1 <= ranges[1][0] - ranges[0][1] <= OUTAGE_S + 6


@pytest.mark.parametrize("stream", STREAMS)
def test_the_hour_boundary_lies_inside_a_range(recording: Recording, stream: str) -> None:
    assert any(begin < 3600 * (end // 3600) - 5 < end - 10 for begin, end in recording.ranges[stream])
    files = sorted((recording.server.root / stream).rglob("*.mp4"))
    assert len({file.parent for file in files}) == 2


@pytest.mark.parametrize("stream", STREAMS)
def test_an_mp4_begins_with_the_frame_that_was_asked_for(recording: Recording, stream: str) -> None:
    """50 moments: the first picture shows the moment, less the same latency every time, to within one frame."""
    moments = recording.moments(stream, 50, 6, seed=hash_of(stream))
    late = []
    for moment in moments:
        picture = first_picture(recording.server.url(f"/{stream}/archive-{moment:.3f}-5.mp4"), FPS)
        assert picture.utc_s is not None, f"no readable stamp at {moment}"
        late.append(moment - picture.utc_s)
    check_latency(late, moments, recording.ranges[stream])


@pytest.mark.parametrize("stream", STREAMS)
def test_sound_and_picture_agree_as_they_did_in_the_camera(recording: Recording, stream: str) -> None:
    sent = sound_after_picture(recording.original)
    for moment in recording.moments(stream, 4, 12, seed=7):
        for path in (f"archive-{moment:.3f}-10.mp4", f"archive-{moment:.3f}-10.ts"):
            late = sound_after_picture(recording.server.url(f"/{stream}/{path}"))
            assert abs(late - sent) <= 0.040, (path, late, sent)


def sound_after_picture(url: str) -> float:
    """How much later the sound of a second begins than the first picture of that second is shown."""
    whole = {p.at_s for p in pictures(url, FPS) if p.utc_s is not None and abs(p.utc_s - round(p.utc_s)) < 1e-3}
    heard = [min((at - other for other in whole), key=abs) for at in seconds_heard(url)[1:-1]]
    assert len(heard) >= 5
    return median(heard)


@pytest.mark.parametrize("kind", ["fmp4", "ts"])
@pytest.mark.parametrize("stream", STREAMS)
def test_hls_begins_with_the_first_segment_not_before_the_moment(recording: Recording, stream: str, kind: str) -> None:
    late, moments = [], []
    for moment in recording.moments(stream, 8, 14, seed=11):
        url = recording.server.url(f"/{stream}/mono-{moment:.3f}-10.{kind}.m3u8")
        lines = recording.server.text(f"/{stream}/mono-{moment:.3f}-10.{kind}.m3u8").splitlines()
        begins = program_date_times(lines)
        assert moment <= begins[0] < moment + 4
        assert begins[-1] < moment + 10
        picture = first_picture(url, FPS)
        assert picture.utc_s is not None
        late.append(begins[0] - picture.utc_s)
        moments.append(moment)
    check_latency(late, moments, recording.ranges[stream])


@pytest.mark.parametrize("stream", STREAMS)
def test_ffmpeg_has_nothing_to_say_about_anything(recording: Recording, stream: str) -> None:
    (moment,) = recording.moments(stream, 1, 12, seed=3)
    begin, end = int(recording.ranges[stream][0][0]) + 1, int(recording.ranges[stream][-1][1])
    hour = next(3600 * (int(e) // 3600) for b, e in recording.ranges[stream] if int(b) // 3600 != int(e) // 3600)
    restart = int(recording.ranges[stream][1][1]) - 4
    for path in (
        f"archive-{moment:.3f}-10.mp4",
        f"archive-{moment:.3f}-10.ts",
        f"index-{int(moment)}-10.fmp4.m3u8",
        f"index-{int(moment)}-10.ts.m3u8",
        f"archive-{hour - 5}-10.mp4",
        f"archive-{hour - 5}-10.ts",
        f"index-{hour - 5}-10.ts.m3u8",
        f"index-{hour - 5}-10.fmp4.m3u8",
        f"archive-{restart}-20.mp4",
        f"archive-{restart}-20.ts",
        f"index-{restart}-20.ts.m3u8",
        f"archive-{begin}-{end - begin}.mp4",
        f"archive-{begin}-{end - begin}.ts",
        f"index-{begin}-{end - begin}.ts.m3u8",
    ):
        assert ffmpeg_complaints(recording.server.url(f"/{stream}/{path}")) == "", path


@pytest.mark.parametrize("stream", STREAMS)
def test_every_picture_is_there_once_across_hour_outage_and_restart(recording: Recording, stream: str) -> None:
    begin, end = recording.ranges[stream][0][0], recording.ranges[stream][-1][1]
    for extension in ("mp4", "ts"):
        url = recording.server.url(f"/{stream}/archive-{begin:.3f}-{end - begin:.3f}.{extension}")
        shown = [picture.utc_s for picture in pictures(url, FPS)]
        assert None not in shown
        steps = [
            round((b - a) * FPS) for a, b in zip(shown, shown[1:], strict=False) if a is not None and b is not None
        ]
        jumps = [step for step in steps if step != 1]
        assert len(jumps) == 2, jumps  # the outage and the restart
        assert all(step > FPS for step in jumps)


def program_date_times(lines: list[str]) -> list[float]:
    """When each segment of a media playlist begins."""
    begins, at = [], 0.0
    for line in lines:
        if line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            at = datetime.fromisoformat(line.partition(":")[2]).timestamp()
        elif line.startswith("#EXTINF:"):
            begins.append(round(at, 3))
            at += float(line.partition(":")[2].rstrip(","))
    return begins


def check_latency(late: list[float], moments: list[float], ranges: list[tuple[float, float]]) -> None:
    """Each run of the camera has its latency (that of its encoder); within a run it is the same to a frame."""
    for begin, end in ranges:
        run = [(value, at) for value, at in zip(late, moments, strict=True) if begin - 1 <= at < end]
        if not run:
            continue
        usual = median(value for value, _ in run)
        assert -FRAME_S <= usual <= LATENCY_S, usual
        worst, at = max(run, key=lambda pair: abs(pair[0] - usual))
        assert abs(worst - usual) <= FRAME_S + 0.002, f"{at}: {worst:.3f} s late, usually {usual:.3f} s"


def hash_of(stream: str) -> int:
    return sum(stream.encode())
