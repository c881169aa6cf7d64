"""Players that we did not write play what we serve: VLC, mpv and GStreamer; Chromium has a test of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.server import Server

DEMO = "stream demo { input fake://?size=640x360&fps=25&bframes=2; dvr @main; segment_duration 2; }"
URLS = (
    "index.fmp4.m3u8",
    "index.ts.m3u8",
    "index-{from}-8.fmp4.m3u8",
    "index-{from}-8.ts.m3u8",
    "archive-{from}-8.mp4",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("players"), DEMO)
    server.start()
    server.wait_recorded("demo", 16)
    yield server
    server.stop()


def url(demo: Server, form: str) -> str:
    begin, _ = demo.ranges("demo")[0]
    return demo.url("/demo/" + form.replace("{from}", str(int(begin) + 2)))


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: tests/install-system-packages does it")
    return path


def as_somebody(command: list[str]) -> list[str]:
    """VLC refuses to run as root."""
    return ["runuser", "-u", "nobody", "--", *command] if os.getuid() == 0 else command


@pytest.mark.players
@pytest.mark.parametrize("form", URLS)
def test_vlc(demo: Server, form: str, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    if os.getuid() == 0:
        for folder in (scenes, *scenes.parents[:3]):
            folder.chmod(0o755)
        os.chown(scenes, pwd.getpwnam("nobody").pw_uid, -1)
    command = [
        *[need("cvlc"), "-q", "--no-audio", "--vout", "dummy", "--run-time", "4", "--video-filter", "scene"],
        *["--scene-path", str(scenes), "--scene-ratio", "25", "--scene-format", "png", url(demo, form), "vlc://quit"],
    ]
    environment = dict(os.environ, HOME=str(scenes), XDG_RUNTIME_DIR=str(scenes))
    subprocess.run(as_somebody(command), timeout=40, env=environment, check=False, capture_output=True)
    assert list(scenes.glob("*.png")), "VLC showed no picture"


@pytest.mark.players
@pytest.mark.parametrize("form", URLS)
def test_mpv(demo: Server, form: str) -> None:
    command = [
        need("mpv"),
        "--no-config",
        "--vo=null",
        "--ao=null",
        "--length=4",
        "--msg-level=all=warn",
        url(demo, form),
    ]
    done = subprocess.run(command, timeout=40, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in (done.stdout + done.stderr).lower()


@pytest.mark.players
@pytest.mark.parametrize("form", URLS)
def test_gstreamer(demo: Server, form: str) -> None:
    """`playbin` (with hlsdemux) decodes; the sinks count what arrives."""
    command = [
        *[need("gst-launch-1.0"), "-q", "playbin", f"uri={url(demo, form)}", "video-sink=fakevideosink name=v"],
        *["audio-sink=fakeaudiosink", "-v"],
    ]
    done = subprocess.run(
        ["timeout", "-s", "INT", "8", *command], timeout=40, capture_output=True, text=True, check=False
    )
    assert "ERROR" not in done.stdout + done.stderr, done.stdout[-2000:] + done.stderr[-2000:]
    assert "video/x-raw" in done.stdout
    assert "audio/x-raw" in done.stdout
