"""
Players that we did not write go on where a source changes its resolution, its codec or the mode of its sound.

    source     2 s H.264, 160 wide, mono | 2 s of something else, in one push; of another codec: 2 s | 1 s | 1 s
    outputs    MP4 and MPEG-TS downloads, HLS with fMP4 and with MPEG-TS
    players    ffmpeg, GStreamer, mpv, mkvmerge, Chromium (hls.js)

Each picture bears its time: nothing may be missing, twice or in another order. A list of HLS has the pictures of one
codec: all of them.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from flussdvr.formats.stamp import read_stamp
from tests.integration.lab import browser
from tests.integration.lab.server import Server
from tests.integration.lab.transport import FPS, HEIGHT, WIDTH, broadcast, joined
from tests.integration.lab.wait import TIMEOUT_S
from tests.integration.lab.watch import picture_file, pictures

pytestmark = [pytest.mark.players, pytest.mark.alone]

BEGIN_S = 1_700_000_000
PART_S = 2
CHANGES: dict[str, dict[str, object]] = {
    "resolution": {"width": 2 * WIDTH},
    "sound": {"layout": "stereo"},
    "codec": {"codec": "libx265"},
}
DOWNLOADS = ("archive-{window}.mp4", "archive-{window}.ts")
LISTS = ("index-{window}.fmp4.m3u8", "index-{window}.ts.m3u8")
ALL = [(change, form) for change in ("resolution", "sound") for form in DOWNLOADS + LISTS]
FOLLOWED = [("codec", "archive-{window}.ts")]
"""Where GStreamer follows from one codec to another: a PMT says it."""
ONE_CODEC = [("codec", form) for form in (LISTS[0], LISTS[1], "mono-{window}.m3u8")]
"""Lists of the first codec; the first variant is of the one of which there is most."""
OTHER_CODEC = "index-{window}.h265.m3u8"
SECOND = list(range(PART_S * FPS, (PART_S + 1) * FPS))
FIRST = [at for at in range(2 * PART_S * FPS) if at not in SECOND]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    streams = "\n".join(f"stream {name} {{ input publish://; dvr @main; segment_duration 1; }}" for name in CHANGES)
    server = Server(tmp_path_factory.mktemp("changing"), streams).start()
    try:
        for name, change in CHANGES.items():
            length = 1 if name == "codec" else PART_S
            parts = [broadcast(PART_S, BEGIN_S), broadcast(length, BEGIN_S + PART_S, PART_S, **change)]  # type: ignore[arg-type]
            if name == "codec":
                parts.append(broadcast(length, BEGIN_S + PART_S + length, PART_S + length))
            connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
            connection.request("PUT", f"/{name}/mpegts", joined(*parts))
            assert connection.getresponse().status == 204
            connection.close()
            server.wait_recorded(name, 2 * PART_S - 0.05)
        yield server
    finally:
        server.stop()


def url(server: Server, change: str, form: str) -> str:
    ranges = server.ranges(change)
    begin = int(ranges[0][0])
    return server.url(f"/{change}/" + form.replace("{window}", f"{begin}-{int(ranges[-1][1]) + 1 - begin}"))


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: tests/install-system-packages does it")
    return path


def check(shown: list[float | None], expected: list[int] | None = None) -> None:
    """Every picture of all parts, or those `expected`, in order."""
    times = [None if at is None else round((at - BEGIN_S) * FPS) for at in shown]
    assert times == (list(range(2 * PART_S * FPS)) if expected is None else expected)


@pytest.mark.parametrize(("change", "form"), ALL)
def test_ffmpeg(recorded: Server, change: str, form: str) -> None:
    check([one.utc_s for one in pictures(url(recorded, change, form), FPS)])


def test_ffmpeg_has_two_tracks_of_two_codecs(recorded: Server) -> None:
    """In an MP4: a decoder for each, and nothing else in its track."""
    path = url(recorded, "codec", DOWNLOADS[0])
    for number, expected in enumerate((FIRST, SECOND)):
        check([one.utc_s for one in pictures(path, FPS, track=number)], expected)


@pytest.mark.parametrize(("change", "form"), ONE_CODEC)
def test_ffmpeg_goes_on_behind_the_other_codec(recorded: Server, change: str, form: str) -> None:
    check([one.utc_s for one in pictures(url(recorded, change, form), FPS)], FIRST)


def test_ffmpeg_has_a_list_of_the_other_codec(recorded: Server) -> None:
    check([one.utc_s for one in pictures(url(recorded, "codec", OTHER_CODEC), FPS)], SECOND)


@pytest.mark.parametrize(("change", "form"), ALL + FOLLOWED + ONE_CODEC[:2])
def test_gstreamer(recorded: Server, change: str, form: str, tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    sink = f"videoconvert ! videoscale ! video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT} ! filesink sync=false"
    command = [
        *["timeout", "-k", "2", str(TIMEOUT_S), need("gst-launch-1.0"), "-q", "playbin"],
        *[f"uri={url(recorded, change, form)}", f"video-sink={sink} location={out}", "audio-sink=fakesink sync=false"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ERROR" not in done.stdout + done.stderr, done.stdout + done.stderr
    stamps = [read_stamp(frame) for frame in np.fromfile(out, np.uint8).reshape(-1, HEIGHT, WIDTH)]
    shown = [None if stamp is None else stamp[0] + stamp[1] / FPS for stamp in stamps]
    check(shown, FIRST if (change, form) in ONE_CODEC else None)


@pytest.mark.parametrize(("change", "form"), ALL + ONE_CODEC[:2])
def test_mpv(recorded: Server, change: str, form: str, tmp_path: Path) -> None:
    command = [
        *[need("mpv"), "--no-config", "--no-audio", "--untimed", "--msg-level=all=error"],
        *["--vo=image", "--vo-image-format=jpg", f"--vo-image-outdir={tmp_path}", url(recorded, change, form)],
    ]
    done = subprocess.run(command, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [picture_file(image, FPS) for image in sorted(tmp_path.glob("*.jpg"))]
    check(shown, FIRST if (change, form) in ONE_CODEC else None)


@pytest.mark.parametrize(("change", "form"), [one for one in ALL if one[1] in DOWNLOADS])
def test_mkvmerge(recorded: Server, change: str, form: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out.mkv"
    source.write_bytes(recorded.get(url(recorded, change, form).removeprefix(recorded.url("/"))).read())
    done = subprocess.run([need("mkvmerge"), "-q", "-o", out, source], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout  # 1: it has warned
    check([one.utc_s for one in pictures(str(out), FPS)])


def chromium(server: Server, change: str, form: str) -> list[float | None]:
    process = browser.start("play.js", url(server, change, form), str(2 * PART_S + 3))
    try:
        said, complaints = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 0, said + complaints
    stamps = [one["stamp"] for one in json.loads(said)["seen"]]
    return [None if stamp is None else stamp[0] + stamp[1] / FPS for stamp in stamps]


def test_chromium(recorded: Server) -> None:
    """In real time, all at once; what a slow machine does not draw is not missed."""
    forms = [("resolution", DOWNLOADS[0]), ("resolution", LISTS[0]), ("sound", LISTS[0]), *ONE_CODEC[:2]]
    with ThreadPoolExecutor(len(forms)) as pool:
        for shown in pool.map(lambda one: chromium(recorded, *one), forms):
            times = [round(at - BEGIN_S, 2) for at in shown if at is not None]
            assert len(times) == len(shown), "some pictures can't be read"
            assert times == sorted(times)
            assert times[0] < 1, times
            assert sum(at >= PART_S for at in times) >= 4, times
            assert times[-1] > 2 * PART_S - 1, times
