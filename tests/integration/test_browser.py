"""
Chromium with hls.js plays live and archive from a page on another port, and shows what the playlist says it shows.

The clock that is burnt into the pictures is read from the pixels that were really presented, and compared with the
date that hls.js makes of EXT-X-PROGRAM-DATE-TIME for them. Needs `npm ci` in tests/browser, which
tests/install-system-packages does.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest

from tests.integration.lab import browser
from tests.integration.lab.server import Server

pytestmark = [pytest.mark.players, pytest.mark.alone]

FPS = 25
FRAME_MS = 1000 / FPS
LENGTH_S = 10
LIVE = ("index.m3u8", "index.fmp4.m3u8", "index.ts.m3u8")
ARCHIVE = ("index-{from}-10.fmp4.m3u8", "index-{from}-10.ts.m3u8")
BEHIND_S = 15
HOLE_AT_START = re.compile(r"hls\.js: bufferSeekOverHole .*, seeking from 0 to 0\.1\d*$")
"""Its own: it begins at the first decoding time, and where B-frames delay the first picture, it may jump there."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    camera = f"fake://?size=320x180&fps={FPS}&bframes=2&bitrate=400k"
    server = Server(
        tmp_path_factory.mktemp("browser"), f"stream demo {{ input {camera}; dvr @main; segment_duration 2; }}"
    )
    server.start()
    server.wait_recorded("demo", LENGTH_S + 3)
    yield server
    server.stop()


def node(script: str, *arguments: str) -> Any:
    """What a script of tests/browser prints as JSON."""
    process = browser.start(script, *arguments)
    try:
        said, complaints = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 0, said + complaints
    return json.loads(said)


def play(url: str, seconds: float, *seek: float) -> dict[str, Any]:
    """What Chromium showed: `report` of tests/browser/player.html."""
    report: dict[str, Any] = node("play.js", url, str(seconds), *map(str, seek))
    problems = [problem for problem in report["problems"] if not HOLE_AT_START.match(problem)]
    assert problems == []
    return report


def stamps(report: dict[str, Any]) -> list[tuple[float, float]]:
    """(time in the media element, UTC in ms that is burnt into the picture) of each presented picture."""
    assert all(picture["stamp"] for picture in report["seen"]), report["seen"]
    return [
        (picture["mediaTime"], 1000 * (picture["stamp"][0] + picture["stamp"][1] / FPS)) for picture in report["seen"]
    ]


def check_dates(report: dict[str, Any]) -> None:
    """
    What is shown is what the playlist dates.

    hls.js dates the first segment that it loads by its decoding time, which is two frames before the presentation
    time in a stream with two B-frames; after that every picture has its date to the millisecond. The player's own
    clock goes on between pictures.
    """
    shown = list(zip(report["seen"], stamps(report), strict=True))
    dates = [(media, abs(picture["date"] - at)) for picture, (media, at) in shown if picture["date"] is not None]
    first = dates[0][0]
    assert len(dates) > len(shown) * 0.8
    assert max(off for _, off in dates) <= 2 * FRAME_MS + 1, dates
    assert max(off for media, off in dates if media > first + 2.1) <= 1, dates
    clock = [abs(picture["playingDate"] - at) for picture, (_, at) in shown if picture["playingDate"] is not None]
    assert median(clock) <= 2 * FRAME_MS, clock


@pytest.mark.parametrize("form", LIVE)
def test_live(demo: Server, form: str) -> None:
    report = play(demo.url(f"/demo/{form}"), 5)
    shown = stamps(report)
    assert report["currentTime"] > shown[0][0] + 2, "the time does not advance"
    assert len(shown) > 2 * FPS * 0.6
    assert 0 <= time.time() - shown[-1][1] / 1000 < BEHIND_S
    assert report["audioBytes"] > 0
    check_dates(report)


@pytest.mark.parametrize("form", ARCHIVE)
def test_archive(demo: Server, form: str) -> None:
    """From its first picture, and after a jump."""
    begin = demo.ranges("demo")[0][0]
    report = play(demo.url("/demo/" + form.replace("{from}", str(begin))), 3, 7)
    shown = stamps(report)
    assert 0 <= shown[0][1] - 1000 * begin <= 5 * FRAME_MS  # the very first pictures may be shown before we look
    assert abs(shown[-1][1] - 1000 * (begin + report["currentTime"])) <= 4 * FRAME_MS
    assert report["currentTime"] > 7.3, "the time does not advance"
    assert abs(report["duration"] - LENGTH_S) < 0.1
    assert report["audioBytes"] > 0
    check_dates(report)


def test_mp4(demo: Server) -> None:
    """As a file of another site: needs CORS and ranges."""
    begin = demo.ranges("demo")[0][0]
    report = play(demo.url(f"/demo/archive-{begin}.400-9.mp4"), 2, 6.5)
    assert all(abs(at - 1000 * (begin + 0.4 + media)) <= 1 for media, at in stamps(report)), report["seen"]
    assert report["currentTime"] > 6.8
    assert abs(report["duration"] - 9) < 0.1
    assert report["audioBytes"] > 0


@pytest.mark.parametrize("form", LIVE + ARCHIVE + ("rewind-8.m3u8", "timeshift_abs-{from}.m3u8"))
def test_validators_have_nothing_to_say(demo: Server, form: str) -> None:
    """Other projects' parsers of HLS, MP4 and MPEG-TS: tests/browser/validate.js."""
    url = demo.url("/demo/" + form.replace("{from}", str(demo.ranges("demo")[0][0])))
    assert node("validate.js", url) == []
