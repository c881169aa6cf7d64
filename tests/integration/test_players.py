"""
Players that we did not write play what we serve, and show the pictures of the moment that was asked for.

VLC, mpv and GStreamer (`playbin` with `hlsdemux`); Chromium has a test of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flussdvr.formats.stamp import read_stamp, read_tone
from tests.integration.lab.server import Server
from tests.integration.lab.wait import TIMEOUT_S
from tests.integration.lab.watch import picture_file

pytestmark = [pytest.mark.players, pytest.mark.alone]

WIDTH, HEIGHT, FPS = 320, 180, 25
DEMO = f"""stream demo {{
  input fake://?size={WIDTH}x{HEIGHT}&fps={FPS}&bframes=2&bitrate=400k; dvr @main; segment_duration 2;
}}"""
LENGTH_S = 8
LIVE = ("index.fmp4.m3u8", "index.ts.m3u8")
ARCHIVE = ("index-{from}-8.fmp4.m3u8", "index-{from}-8.ts.m3u8", "archive-{from}-8.mp4", "archive-{from}-8.ts")
BEHIND_S = 15
"""A live player shows what is at most this old: three or four segments."""
RATE = 8000
SCENES = 6
"""Every tenth picture of VLC: more than 2 s, which a segment has."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("players"), DEMO)
    server.start()
    server.wait_recorded("demo", LENGTH_S + 2)
    yield server
    server.stop()


def begin_of(demo: Server) -> int:
    return demo.ranges("demo")[0][0]


def url(demo: Server, form: str) -> str:
    return demo.url("/demo/" + form.replace("{from}", str(begin_of(demo))))


def check(demo: Server, form: str, shown: list[float | None], at_least: int, now: float | None = None) -> None:
    """Every picture bears a time, and it is the time that the URL speaks of. `now`: when the last was shown."""
    times = [at for at in shown if at is not None]
    assert len(shown) >= at_least, f"only {len(shown)} pictures were shown"
    assert len(times) == len(shown), "some pictures can't be read"
    assert times == sorted(times)
    if form in LIVE:
        assert 0 <= (now or time.time()) - times[-1] < BEHIND_S
    else:
        begin = begin_of(demo)
        assert begin <= times[0] < begin + 1, (begin, times[0])
        assert times[-1] < begin + LENGTH_S, (begin, times[-1])


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: tests/install-system-packages does it")
    return path


@pytest.fixture
def nobodys(tmp_path: Path) -> Path:
    """A folder to which somebody who is not root may write: VLC refuses to run as root."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    if os.getuid() == 0:
        for parent in (folder, *folder.parents[:3]):
            parent.chmod(0o755)
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    return folder


@pytest.mark.parametrize("form", LIVE + ARCHIVE)
def test_vlc(demo: Server, form: str, nobodys: Path) -> None:
    """Over more than a segment: it has to go on to the next one."""
    command = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    command += ["timeout", "-k", "2", str(TIMEOUT_S)]
    command += [
        # However slow the machine is, it shows what it has decoded.
        *[need("cvlc"), "-q", "--no-audio", "--no-drop-late-frames", "--no-skip-frames", "--vout", "dummy"],
        *["--video-filter", "scene", "--scene-path", str(nobodys), "--scene-ratio", "10", "--scene-format", "png"],
        *[url(demo, form), "vlc://quit"],
    ]
    environment = dict(os.environ, HOME=str(nobodys), XDG_RUNTIME_DIR=str(nobodys))
    with (nobodys / "said").open("w") as said:
        vlc = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            while vlc.poll() is None and len(list(nobodys.glob("scene*.png"))) <= SCENES:
                time.sleep(0.1)
            now = time.time()
        finally:
            vlc.terminate()
            vlc.wait()
    scenes = sorted(nobodys.glob("scene*.png"))[:SCENES]  # the last one may be half written
    assert len(scenes) == SCENES, (nobodys / "said").read_text()
    check(demo, form, [picture_file(scene, FPS) for scene in scenes], SCENES, now)


@pytest.mark.parametrize("form", LIVE + ARCHIVE)
def test_mpv(demo: Server, form: str, tmp_path: Path) -> None:
    command = [
        *[need("mpv"), "--no-config", "--ao=null", "--frames=60", "--msg-level=all=warn,ffmpeg=error"],
        *["--vo=image", "--vo-image-format=jpg", f"--vo-image-outdir={tmp_path}", "--untimed", url(demo, form)],
    ]
    done = subprocess.run(command, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    check(demo, form, [picture_file(image, FPS) for image in sorted(tmp_path.glob("*.jpg"))], 50)


@pytest.mark.parametrize("form", LIVE + ARCHIVE)
def test_gstreamer(demo: Server, form: str, tmp_path: Path) -> None:
    """Raw pictures and sound go to files: the sound must be that of the seconds that the pictures show."""
    pictures, sound = tmp_path / "pictures", tmp_path / "sound"
    to_file = "filesink sync=false buffer-mode=unbuffered"
    video_sink = f"videoconvert ! video/x-raw,format=GRAY8 ! {to_file} location={pictures}"
    audio_sink = (
        f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={RATE},channels=1 ! {to_file} location={sound}"
    )
    command = [
        *["timeout", "-k", "2", "-s", "INT", "4" if form in LIVE else "20", need("gst-launch-1.0"), "-q"],
        *["playbin", f"uri={url(demo, form)}", f"video-sink={video_sink}", f"audio-sink={audio_sink}"],
    ]
    done = subprocess.run(command, timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
    assert "ERROR" not in done.stdout + done.stderr, done.stdout + done.stderr
    luma = np.fromfile(pictures, np.uint8)
    frames = luma[: len(luma) // (WIDTH * HEIGHT) * WIDTH * HEIGHT].reshape(-1, HEIGHT, WIDTH)
    stamps = [read_stamp(frame) for frame in frames]
    check(demo, form, [None if stamp is None else stamp[0] + stamp[1] / FPS for stamp in stamps], 40)
    first = next(number for number, stamp in enumerate(stamps) if stamp is not None and stamp[1] == 0)
    second = stamps[first]
    assert second is not None
    pcm = np.fromfile(sound, np.int16)
    heard = pcm[int((first / FPS + 0.2) * RATE) :][: RATE // 2]
    assert read_tone(heard, RATE) == second[0] % 16
