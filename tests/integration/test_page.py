"""
The web page in a real browser, against a real server: what an operator does, and what is then really shown.

    tests/browser/page/*.js    the scenarios; they all run in one Chromium
    here                       the server and its sources, and a test for each scenario

The clock that is burnt into the pictures is read from the pixels of the page's video, and from the files that it
exports; moments are looked for in a recording of ten minutes ago. Screenshots of every screen (and of what has failed)
are kept with FLUSSDVR_SCREENSHOTS=FOLDER; FLUSSDVR_SCENARIOS=live,dvr_zones does only these. Needs `npm ci` in
tests/browser, which tests/install-system-packages does.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flussdvr.ingest.fake.encoder import FakeSettings
from tests.integration.lab import browser
from tests.integration.lab.backend import Backend
from tests.integration.lab.past import record
from tests.integration.lab.server import Server
from tests.integration.lab.source import Source
from tests.integration.lab.watch import ffmpeg_complaints, pictures

pytestmark = [pytest.mark.players, pytest.mark.alone]

CAMERA = "fake://?size=640x360&fps=25&bitrate=800k"
GAP_S = 4
FRAME_S = 1 / 25
SCENARIOS = (
    "sign_in",
    "signed_out_while_watching",
    "list_of_streams",
    "live",
    "embedded_token_expires",
    "embedded_without_permission",
    "embedded_archive",
    "hostile_names",
    "events_and_alarms",
    "a_thousand_events",
    "every_screen",
    "dvr_zones",
    "clicked_moment",
    "export_mp4",
    "misdated",
    "signed_link",
    "sound_only",
    "keyboard_only",
    "zoom_and_move",
)
ONLY = os.environ.get("FLUSSDVR_SCENARIOS", ",".join(SCENARIOS)).split(",")


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[Server]:
    streams = f"""
        stream camera {{ input {CAMERA}; dvr @main; segment_duration 2; title "Camera at the gate"; thumbnails; }}
        stream paid {{ input fake://?size=320x180; dvr @main; segment_duration 2; on_play {backend.auth}; }}
        stream news {{ input publish://; dvr @main; segment_duration 2; title "News"; }}
        stream radio {{ input publish://; dvr @main; segment_duration 2; title "Only sound"; }}
        stream dead {{ input tshttp://127.0.0.1:9/none; dvr @main 7; }}
        stream "x'onmouseover=alert(3)&lt" {{
            input tshttp://127.0.0.1:9/none?<b>;
            title "<script>alert(1)</script><img src=x onerror=alert(2)>";
        }}
    """
    server = Server(tmp_path_factory.mktemp("page"), streams)
    begin = int(time.time()) - 600
    record(server.root, "camera", begin, 60)
    record(server.root, "paid", begin, 20, FakeSettings(width=320, height=180))
    server.start()
    server.wait_recorded("camera", 60 + 2)  # live is there, too
    yield server
    server.stop()


@pytest.fixture(scope="module")
def report(server: Server, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Scenario -> what it found; `problems` are what should not be. Meanwhile the source of `news` has its gap."""
    folder = tmp_path_factory.mktemp("browser")
    settings = {
        **{"base": f"http://127.0.0.1:{server.http}", "user": "admin", "password": "secret", "backend": backend.url},
        **{"folder": str(folder), "screenshots": os.environ.get("FLUSSDVR_SCREENSHOTS", str(folder)), "only": ONLY},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"[f=flv]rtmp://127.0.0.1:{server.rtmp}/live/news"
    script = browser.start("page/run.js", str(folder / "settings.json"))
    source = Source(url, seconds=8)
    sound = ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "sine", "-t", "600", "-c:a", "aac", "-f", "mpegts"]
    radio = subprocess.Popen([*sound, "-method", "PUT", server.url("radio/mpegts")])
    try:
        source.wait(30)
        time.sleep(GAP_S)
        source = Source(url, seconds=600)
        said, complaints = script.communicate(timeout=400)
    finally:
        radio.terminate()
        radio.wait(10)
        source.stop()
        script.kill()
    assert script.returncode == 0, said + complaints
    (folder / "report.json").write_text(said)
    result: dict[str, Any] = json.loads(said)
    return result


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_page(report: dict[str, Any], scenario: str) -> None:
    if scenario not in ONLY:
        pytest.skip("not wanted this time")
    assert report[scenario]["problems"] == []


@pytest.mark.parametrize("scenario", ["export_mp4", "signed_link"])
def test_file_is_what_was_chosen(report: dict[str, Any], scenario: str) -> None:
    """Its first and its last picture show the limits."""
    if scenario not in ONLY:
        pytest.skip("not wanted this time")
    chosen = report[scenario]
    seen = [picture.utc_s for picture in pictures(chosen["file"])]
    assert None not in seen
    begin, end = chosen["from"] / 1000, chosen["to"] / 1000
    assert seen[0] == pytest.approx(begin, abs=FRAME_S + 0.001)
    assert seen[-1] == pytest.approx(end - FRAME_S, abs=FRAME_S + 0.001)
    assert len(seen) == pytest.approx((end - begin) / FRAME_S, abs=1)
    assert ffmpeg_complaints(chosen["file"]) == ""
