"""Lists of a stream that has just begun: they wait for its first segment, a short while."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from flussdvr.web.media.routes import FIRST_SEGMENT_S
from tests.playback.recordings import Recording, T
from tests.web.media.test_routes import Answer, S, Server

LISTS = ["index.m3u8", "mono.m3u8", f"index-{S}-now.m3u8", f"mono-{S - 5}-60.m3u8", "rewind-60.m3u8"]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def starting(recording: Recording, url: str) -> tuple[Server, StringTransport]:
    """A request for a list one second after the first picture."""
    recording.play_live(seconds=1)
    assert not recording.window.segments
    server = Server([recording], now_ms=T + 1000, live=True)
    transport = server.open(f"/ort/{url}")
    assert not transport.value()
    return server, transport


@pytest.mark.parametrize("url", LISTS)
def test_it_is_answered_when_the_first_segment_is_there(recording: Recording, url: str) -> None:
    server, transport = starting(recording, url)
    server.now_ms += 2000
    recording.play_live(T + 1000, 2, skip=1)
    answer = Answer(transport.value())
    assert answer.status == 200 and len(answer.urls) == 1
    assert not recording.window._subscribers


@pytest.mark.parametrize("url", LISTS)
def test_it_does_not_wait_for_ever(recording: Recording, url: str) -> None:
    server, transport = starting(recording, url)
    server.clock.advance(FIRST_SEGMENT_S - 1)
    assert not transport.value()
    server.clock.advance(2)
    answer = Answer(transport.value())
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert answer.json["error"] == "stream_starting"
    assert not recording.window._subscribers


def test_a_viewer_who_leaves_is_forgotten(recording: Recording) -> None:
    server, transport = starting(recording, "mono.m3u8")
    assert recording.window._subscribers
    server.protocols[-1].connectionLost(Failure(ConnectionLost()))
    assert not recording.window._subscribers


def test_a_stream_that_was_just_opened_is_waited_for(recording: Recording) -> None:
    recording.opened_at_ms = T
    server = Server([recording], now_ms=T + 500, live=True)
    transport = server.open("/ort/mono.m3u8")
    recording.play_live(seconds=3)
    assert Answer(transport.value()).status == 200


@pytest.mark.parametrize(
    "url", ["mono.m3u8", f"index-{S - 60}-50.m3u8", f"mono-{S + 500}-now.m3u8", "timeshift_rel-60.m3u8"]
)
def test_nobody_waits_for_what_will_not_come(recording: Recording, url: str) -> None:
    server = Server([recording], now_ms=T + 100_000, live=True)
    assert server.get(f"/ort/{url}").status == 404
    assert server.get(f"/ort/{url}", method="HEAD").status in (200, 404)


def test_asking_about_it_waits_for_nothing(recording: Recording) -> None:
    recording.play_live(seconds=1)
    server = Server([recording], now_ms=T + 1000, live=True)
    assert server.get("/ort/mono.m3u8", method="HEAD").status == 404
