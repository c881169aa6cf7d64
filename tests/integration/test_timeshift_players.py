"""
What players show first of a timeshift: the moment that was asked for, to a segment.

FFmpeg (as Kodi and mpv have it), GStreamer, VLC, and hls.js in Chromium; the clock is burnt into the pictures.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from flussdvr.formats.stamp import read_stamp
from flussdvr.ingest.fake.encoder import FakeSettings
from tests.integration.lab.past import SEGMENT_MS, record
from tests.integration.lab.server import Server
from tests.integration.lab.wait import TIMEOUT_S
from tests.integration.lab.watch import first_picture, picture_file
from tests.integration.test_browser import node
from tests.integration.test_players import need

pytestmark = [pytest.mark.players, pytest.mark.alone]

WIDTH, HEIGHT, FPS = 320, 180, 25
AGO_S = 600
LENGTH_S = 240
AT_S = 61.5
"""The moment that is asked for, in the recording: in the middle of a segment."""
SEGMENT_S = SEGMENT_MS / 1000
EXACT = ("video.m3u8?utc={at}&lutc={now}", "index.m3u8?utc={at}")
RELATIVE = ("timeshift_rel-{ago}.m3u8",)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A server, and when its recording begins."""
    server = Server(
        tmp_path_factory.mktemp("timeshift"), "stream cam { input publish://; dvr @main; segment_duration 2; }"
    )
    begin = int(time.time()) - AGO_S
    record(server.root, "cam", begin, LENGTH_S, FakeSettings(width=WIDTH, height=HEIGHT, fps=FPS))
    server.start()
    server.wait_recorded("cam", LENGTH_S - 5)
    yield server, begin
    server.stop()


def by_ffmpeg(url: str, folder: Path) -> float | None:
    return first_picture(url, FPS).utc_s


def by_gstreamer(url: str, folder: Path) -> float | None:
    pictures = folder / "pictures"
    sink = f"videoconvert ! video/x-raw,format=GRAY8 ! filesink sync=false buffer-mode=unbuffered location={pictures}"
    command = [*["timeout", "-k", "2", "-s", "INT", "3", need("gst-launch-1.0"), "-q", "playbin", f"uri={url}"]]
    command += [f"video-sink={sink}", "audio-sink=fakesink"]
    done = subprocess.run(command, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    assert "ERROR" not in done.stdout + done.stderr, done.stdout + done.stderr
    luma = np.fromfile(pictures, np.uint8, WIDTH * HEIGHT)
    stamp = read_stamp(luma.reshape(HEIGHT, WIDTH))
    return None if stamp is None else stamp[0] + stamp[1] / FPS


def by_vlc(url: str, folder: Path) -> float | None:
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    scenes = folder / "scenes"
    scenes.mkdir()
    scenes.chmod(0o777)
    command = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    command += [
        "timeout",
        "-k",
        "2",
        "6",
        need("cvlc"),
        "-q",
        "--no-audio",
        "--vout",
        "dummy",
        "--video-filter",
        "scene",
    ]
    command += ["--scene-path", str(scenes), "--scene-ratio", "1", "--scene-format", "png", url, "vlc://quit"]
    environment = dict(os.environ, HOME=str(scenes), XDG_RUNTIME_DIR=str(scenes))
    done = subprocess.run(command, timeout=TIMEOUT_S, env=environment, check=False, capture_output=True, text=True)
    pictures = sorted(scenes.glob("scene*.png"))
    assert pictures, done.stderr
    return picture_file(pictures[0], FPS)


def by_hls_js(url: str, folder: Path) -> float | None:
    report = node("play.js", url, "4")
    first = report["seen"][0]["stamp"]
    return None if first is None else first[0] + first[1] / FPS


PLAYERS: dict[str, Callable[[str, Path], float | None]] = {
    "ffmpeg": by_ffmpeg,
    "gstreamer": by_gstreamer,
    "vlc": by_vlc,
    "hls.js": by_hls_js,
}


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("form", EXACT + RELATIVE)
def test_the_first_picture(past: tuple[Server, int], form: str, player: str, tmp_path: Path) -> None:
    server, begin = past
    now = time.time()
    asked = begin + AT_S
    names = {"at": f"{asked:.3f}", "now": f"{now:.0f}", "ago": f"{now - asked:.3f}"}
    query = f"{'&' if '?' in form else '?'}token={abs(hash((form, player)))}"
    shown = PLAYERS[player](server.url("/cam/" + form.format(**names) + query), tmp_path)
    waited = time.time() - now if form in RELATIVE else 0  # what was on `ago` goes on while the player starts
    assert shown is not None
    assert -SEGMENT_S <= shown - asked <= SEGMENT_S + waited, f"{shown - asked:.2f} s beside what was asked for"


@pytest.mark.parametrize("form", ["index-{at}-now.m3u8", "index-{at}-900.m3u8?event=true"])
def test_a_list_that_grows_begins_at_its_beginning(past: tuple[Server, int], form: str, tmp_path: Path) -> None:
    """In players that read EXT-X-START."""
    server, begin = past
    asked = begin + AT_S
    shown = by_hls_js(server.url("/cam/" + form.format(at=f"{asked:.3f}")), tmp_path)
    assert shown is not None and -SEGMENT_S <= shown - asked <= SEGMENT_S
