"""What is deleted while it is in RAM is in no output any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import Deleted, LiveWindow
from flussdvr.playback.pictures.moment import moment_at
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.live import WAITING_BYTES, LiveQueue
from flussdvr.timeline import Range
from tests.playback.recordings import Recording, T, decoded, media
from tests.playback.test_cursor import result
from tests.web.media.test_routes import Server

HIDDEN = Deleted((Range(T + 4000, T + 6000),))
FOLDER = "/ort/2026/11/20/17/00/"


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def test_lists_and_segments(recording: Recording) -> None:
    recording.play_live()
    server = Server([recording], now_ms=T + 10_000, live=True)
    names = [f"{FOLDER}04.000-02000.{extension}" for extension in ("m4s", "ts")]
    assert [server.get(name).status for name in names] == [200, 200]
    recording.window.delete(HIDDEN)
    assert [server.get(name).status for name in names] == [404, 404], "also what was made for somebody before"
    for url in ("/ort/mono.m3u8", "/ort/mono.ts.m3u8", "/ort/tracks-v1/mono.m3u8"):
        text = server.get(url).text
        assert text.count("#EXT-X-GAP") == 1 and text.count("#EXTINF") == 4, text
        missing = text.splitlines()[text.splitlines().index("#EXT-X-GAP") + 2]
        assert "/04.000-02000." in missing
    assert server.get(FOLDER + "02.000-02000.m4s").status == 200
    assert server.get("/ort/index.m3u8").status == 200


def test_the_archive_has_a_gap_where_the_live_window_has_nothing(recording: Recording) -> None:
    recording.blob(seconds=4, closed=True)
    recording.play_live()
    recording.window.delete(HIDDEN)
    server = Server([recording], now_ms=T + 10_000, live=True)
    answer = server.get("/ort/mono-rewind-3600.m3u8")
    assert [url[17:19] for url in answer.urls] == ["00", "02", "06"]
    assert answer.text.count("#EXT-X-DISCONTINUITY\n") == 1 and "EXT-X-GAP" not in answer.text


@pytest.mark.parametrize("duration", ["8", "now"])
def test_downloads(recording: Recording, duration: str) -> None:
    recording.play_live()
    server = Server([recording], now_ms=T + 10_000, live=True)
    url = f"/ort/archive-{T // 1000}-{duration}.ts"
    whole = decoded(server.get(url).body)
    recording.window.delete(HIDDEN)
    answer = server.get(url)
    assert answer.status == 200 and len(decoded(answer.body)) == len(whole) - 20, "10 pictures a second"


def test_pictures(recording: Recording) -> None:
    recording.play_live()
    source = Source("ort", recording, None)
    hidden, before = T + 4500, T + 3990
    assert result(moment_at(source, hidden)) is not None
    found = result(moment_at(source, before))
    recording.window.delete(HIDDEN)
    assert result(moment_at(source, hidden)) is None
    again = result(moment_at(source, before))
    assert found is not None and again is not None and again.at_ms == found.at_ms
    assert result(moment_at(source, T + 6500)) is not None


def piece(at_s: int, sync: bool, size: int = 10) -> LiveFragment:
    return LiveFragment(bytes(size), 8, T + at_s * 1000, T + at_s * 1000 + 1000, sync)


def waiting(queue: LiveQueue) -> list[int]:
    return [(result(queue.next())[1].begin_ms - T) // 1000 for _ in range(len(queue._fragments))]


def test_a_viewer_who_is_behind_is_not_sent_it() -> None:
    window = LiveWindow(60_000, 3)
    window.open(b"init", ())
    window.append(piece(0, True), True)
    queue = LiveQueue(window)
    for at_s in range(1, 12):
        window.append(piece(at_s, at_s % 4 == 0), False)
    window.delete(Deleted((Range(T + 2000, T + 3000),)))
    assert waiting(queue) == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11], "nor what cannot be decoded without it"
    window.append(piece(12, True), False)
    window.append(piece(13, False), False)
    window.delete(Deleted((Range(T + 13_000, T + 14_000),)))
    window.append(piece(14, False), False)
    assert waiting(queue) == [12]
    window.append(piece(15, False), False)
    window.append(piece(16, True), False)
    assert waiting(queue) == [16]
    queue.close()


def test_what_has_been_lost_is_not_brought_back_by_a_deletion() -> None:
    window = LiveWindow(60_000, 3)
    window.open(b"init", ())
    window.append(piece(0, True, WAITING_BYTES + 9), True)
    queue = LiveQueue(window)
    window.append(piece(1, False), False)
    window.delete(Deleted((Range(T + 1000, T + 2000),)))
    window.append(piece(2, False), False)
    assert waiting(queue) == []


def test_who_comes_to_a_segment_that_is_deleted_begins_with_the_next_key_frame() -> None:
    window = LiveWindow(60_000, 3)
    window.open(b"init", ())
    window.append(piece(0, True), True)
    window.delete(Deleted((Range(T, T + 1000),)))
    queue = LiveQueue(window)
    window.append(piece(1, False), False)
    window.append(piece(2, True), False)
    assert waiting(queue) == [2] and queue.taken_lost() == 0


def test_a_timeshift_that_waits_for_its_time_does_not_send_it(recording: Recording) -> None:
    source_media = media(seconds=40)
    recording.window.segment_count = 100
    recording.play_live(seconds=30, source=source_media)
    assert recording.window.init == write_init(source_media.tracks)
    server = Server([recording], now_ms=T + 3_600_000, live=True)
    clock = server.clock
    stream = result(server.media.playback.ts.timeshift_abs(Source("ort", recording, None), T, None))
    sent: list[int] = []

    async def watch() -> None:
        async for packets in stream:
            sent.append(len(packets))

    Deferred.fromCoroutine(watch())
    count = len(sent)
    assert 0 < count < 14, "a burst of ten seconds, then it waits"
    waits_for = T + count * 2000
    recording.window.delete(Deleted((Range(waits_for, waits_for + 1000),)))
    for _ in range(2):
        server.now_ms += 2000
        clock.advance(2)
    assert len(sent) == count + 1, "the one that it waited for is left out"
