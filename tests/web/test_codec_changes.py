"""Lists over a change of the pictures' codec: one codec in each, and a list for every codec."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest

from flussdvr.playback.hls.variants import Extent, Lists
from flussdvr.playback.hls.variants import variants as variants_of
from flussdvr.playback.sources import Source
from flussdvr.playback.view import View
from flussdvr.timeline import Range
from tests.formats.ts_rules import faults
from tests.playback import hls_rules
from tests.playback.recordings import Media, Recording, T, decoded, media
from tests.playback.test_cursor import result
from tests.web.media.test_routes import S, Server
from tests.web.test_track_sets import lay_down, media_list

AVC = media()
HEVC = media(encoder="libx265")
TWO, HEVC_TWO = media(audios=2), media(audios=2, encoder="libx265")
SOUND = Media((replace(AVC.tracks[1], id=1),), {1: AVC.samples[2]})


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def begins(server: Server, url: str) -> list[int]:
    """The seconds behind S at which the segments of a list begin."""
    return [int(second) for second in re.findall(r"/(\d\d)\.\d{3}-\d{5}\.", media_list(server, url)[1])]


def variants(server: Server, url: str) -> dict[str, str]:
    """The URLs of the variants, by the beginnings of their codecs."""
    text = server.get(url).text
    return {
        codec: urljoin(url, uri) for codec, uri in re.findall(r'STREAM-INF:.*CODECS="(\w{4})[^"]*".*\n(.+)\n', text)
    }


def played(server: Server, url: str) -> list[float]:
    """Presentation times of the pictures of a whole media list, by one decoder."""
    url, text = media_list(server, url)
    data = b""
    for line in text.splitlines():
        if line.startswith("#EXT-X-MAP") and not data:  # ffmpeg takes the first alone
            data += server.get(urljoin(url, line.split('"')[1])).body
        if not line.startswith("#"):
            data += server.get(urljoin(url, line)).body
    return decoded(data)


@pytest.mark.parametrize("end", ["", ".fmp4", ".ts"])
def test_a_window_has_a_variant_for_each_codec(recording: Recording, end: str) -> None:
    server = lay_down(recording, AVC, HEVC, AVC)
    found = variants(server, f"/ort/index-{S}-60{end}.m3u8")
    assert list(found) == ["avc1", "hvc1"], "that of which there is most is the first"
    assert begins(server, found["avc1"]) == [0, 2, 8, 10]
    assert begins(server, found["hvc1"]) == [4, 6]
    bandwidths = re.findall(r"[:,]BANDWIDTH=(\d+)", server.get(f"/ort/index-{S}-60{end}.m3u8").text)
    assert len(bandwidths) == 2 and len(set(bandwidths)) == 1, "nobody changes to another for it"
    for url, count in ((found["avc1"], 80), (found["hvc1"], 40)):
        assert len(played(server, url)) == count
        text = server.get(url).text
        assert "EXT-X-GAP" not in text and text.endswith("#EXT-X-ENDLIST\n")
    assert server.get(found["avc1"]).text.count("#EXT-X-DISCONTINUITY\n") == 1


@pytest.mark.parametrize("form", ["mono", "video"])
def test_a_list_by_itself_has_the_first_codec(recording: Recording, form: str) -> None:
    server = lay_down(recording, HEVC, AVC, HEVC)
    assert begins(server, f"/ort/{form}-{S}-60.m3u8") == [0, 2, 8, 10]
    assert begins(server, f"/ort/{form}-{S}-60.h264.m3u8") == [4, 6]
    assert begins(server, f"/ort/{form}.h264-{S}-60.m3u8") == [4, 6]
    assert server.get(f"/ort/{form}-{S}-60.av1.m3u8").status == 404
    assert begins(server, f"/ort/{form}-{S + 4}-60.m3u8") == [4, 6]


def test_one_codec_by_name(recording: Recording) -> None:
    server = lay_down(recording, AVC, HEVC)
    found = variants(server, f"/ort/index-{S}-60.h265.m3u8")
    assert list(found) == ["hvc1"]
    assert begins(server, found["hvc1"]) == [4, 6]
    assert server.get(f"/ort/index-{S}-60.vp9.m3u8").status == 404


def test_one_codec_has_one_variant_without_a_name(recording: Recording) -> None:
    server = lay_down(recording, AVC, AVC)
    assert server.get(f"/ort/index-{S}-60.m3u8").urls == [f"mono-{S}-60.fmp4.m3u8"]
    assert server.get(f"/ort/index-{S}-now.m3u8").urls == [f"tracks-v1a1/mono-{S}-now.fmp4.m3u8"]


def test_sounds_have_the_holes_of_their_pictures(recording: Recording) -> None:
    server = lay_down(recording, TWO, HEVC_TWO, TWO)
    master = server.get(f"/ort/index-{S}-60.m3u8").text
    groups = dict(re.findall(r'CODECS="(\w{4}).*AUDIO="(\w+)"', master))
    assert len(set(groups.values())) == 2
    for codec, expected in (("avc1", [0, 2, 8, 10]), ("hvc1", [4, 6])):
        sounds = re.findall(rf'GROUP-ID="{groups[codec]}".*URI="([^"]+)"', master)
        assert len(sounds) == 2
        for uri in sounds:
            assert begins(server, urljoin(f"/ort/index-{S}-60.m3u8", uri)) == expected
    assert begins(server, f"/ort/tracks-a1/mono-{S}-60.m3u8") == [0, 2, 4, 6, 8, 10], "by itself it has none"


def test_a_list_that_grows_keeps_its_codec(recording: Recording) -> None:
    server = lay_down(recording, TWO)
    master = f"/ort/index-{S}-now.m3u8"
    text = server.get(master).text
    lists = [urljoin(master, uri) for uri in [*server.get(master).urls, *re.findall(r'URI="([^"]+)"', text)]]
    assert len(lists) == 3
    watches = [hls_rules.Watch() for _ in lists]
    for number, source in enumerate((HEVC_TWO, TWO), 1):
        for watch, url in zip(watches, lists, strict=True):
            watch.see(server.get(url).text)
        recording.blob(T + 4000 * number, 4, 100 + 2 * number, "tracks_changed", source)
    for watch, url in zip(watches, lists, strict=True):
        watch.see(server.get(url).text)
        assert begins(server, url) == [0, 2, 8, 10]
    assert list(variants(server, master)) == ["avc1", "hvc1"]


def test_a_change_behind_what_a_long_window_is_measured_by(recording: Recording) -> None:
    server = lay_down(recording, AVC, AVC, AVC, HEVC)
    extent = Extent(Range(T, T + 60_000), grows=False, slides=False, measured=2)
    blocks = server.media.playback.hls.blocks
    made = result(variants_of(blocks, Source("ort", None, recording.archive), extent, View("fmp4"), Lists("mono")))
    assert [one.uri for one in made] == ["mono.h264.fmp4.m3u8", "mono.h265.fmp4.m3u8"]


@pytest.mark.parametrize("form", ["mono", "video"])
def test_live_lists_go_on_with_the_new_codec(recording: Recording, form: str) -> None:
    """Once that is a list by itself: no number goes back, nothing is passed over, and no list has both."""
    server = Server([recording], now_ms=T + 8000, live=True)
    watch, listed = hls_rules.Watch(short=True), set()
    recording.play_live(T, 8, AVC)
    for number in range(6):
        watch.see(server.get(f"/ort/{form}.m3u8").text)
        shown = begins(server, f"/ort/{form}.m3u8")
        assert len({begin < 8 for begin in shown}) == 1, shown
        listed.update(shown)
        recording.play_live(T + 8000 + number * 2000, 2, HEVC)
    assert shown[0] >= 8
    assert sorted(listed) == list(range(0, shown[-1] + 1, 2))


def test_a_live_list_of_a_codec_that_has_gone(recording: Recording) -> None:
    server = Server([recording], now_ms=T + 8000, live=True)
    recording.play_live(T, 8, AVC)
    recording.play_live(T + 8000, 4, HEVC)
    assert begins(server, "/ort/mono.h264.m3u8")[-1] == 6
    assert begins(server, "/ort/mono.h265.m3u8")[0] == 8
    recording.play_live(T + 12_000, 11, HEVC)
    assert server.get("/ort/mono.h264.m3u8").status == 404


def test_a_live_multivariant_list_says_what_its_list_has(recording: Recording) -> None:
    server = Server([recording], now_ms=T + 8000, live=True)
    recording.play_live(T, 8, AVC)
    recording.play_live(T + 8000, 4, HEVC)
    assert list(variants(server, "/ort/index.m3u8")) == ["avc1"]
    recording.play_live(T + 12_000, 10, HEVC)
    found = variants(server, "/ort/index.m3u8")
    assert list(found) == ["hvc1"]
    assert found["hvc1"] == "/ort/tracks-v1a1/mono.fmp4.m3u8"


def test_rewinding_behind_the_change(recording: Recording) -> None:
    server = lay_down(recording, AVC, AVC, HEVC, HEVC)
    server.now_ms = T + 16_000
    found = variants(server, "/ort/rewind-30.m3u8")
    assert set(found) == {"avc1", "hvc1"}
    assert begins(server, found["avc1"]) == [0, 2, 4, 6]
    assert begins(server, found["hvc1"]) == [8, 10, 12, 14]
    assert begins(server, "/ort/mono-rewind-30.m3u8") == [8, 10, 12, 14]


def test_a_timeshift_passes_the_change(recording: Recording) -> None:
    """Nothing of either codec is passed over, and no list has both."""
    recording.blob(T, 10, 100, None, AVC)
    recording.blob(T + 10_000, 10, 105, "tracks_changed", HEVC)
    server = Server([recording])
    watch, listed = hls_rules.Watch(), set()
    for second in range(20):
        server.now_ms = T + 60_000 + second * 1000
        url = "/ort/mono-timeshift_rel-60.m3u8"
        watch.see(server.get(url).text)
        shown = begins(server, url)
        assert len({begin < 10 for begin in shown}) == 1, shown
        assert shown[0] <= second
        listed.update(shown)
    assert sorted(listed) == list(range(0, 20, 2))


def test_a_timeshift_of_its_session_passes_the_change(recording: Recording) -> None:
    recording.blob(T, 10, 100, None, AVC)
    recording.blob(T + 10_000, 10, 105, "tracks_changed", HEVC)
    server = Server([recording])
    opened, listed = server.now_ms, set()
    for second in range(20):
        server.now_ms = opened + second * 1000
        url = f"/ort/mono-timeshift_abs-{S}.m3u8"
        shown = begins(server, url)
        assert len({begin < 10 for begin in shown}) == 1, shown
        listed.update(shown)
    assert sorted(listed) == list(range(0, 20, 2))
    assert list(variants(server, f"/ort/timeshift_abs-{S}.m3u8")) == ["avc1"]


def test_transport_streams_of_one_codec_keep_the_rules(recording: Recording) -> None:
    server = lay_down(recording, AVC, HEVC, AVC)
    url, text = media_list(server, f"/ort/video-{S}-60.m3u8")
    parts, said = [], set()
    for line in text.splitlines():
        if line == "#EXT-X-DISCONTINUITY":
            said.add(len(parts))
        elif not line.startswith("#"):
            parts.append(server.get(urljoin(url, line)).body)
    assert faults(parts, said) == []


def test_sound_alone_among_the_codecs(recording: Recording) -> None:
    server = lay_down(recording, SOUND, AVC, HEVC, SOUND, AVC)
    url = f"/ort/mono-{S}-60.m3u8"
    assert [begin for begin in begins(server, url) if begin not in (12, 14)] == [4, 6, 16, 18]


def test_nothing_is_said_to_be_missing(recording: Recording) -> None:
    """Downloads have both, and what is recorded is told whole."""
    server = lay_down(recording, AVC, HEVC, AVC)
    status = server.get("/ort/recording_status.json").json
    assert status[0]["ranges"] == [{"from": S, "duration": 12}]
    data = server.get(f"/ort/archive-{S}-60.mp4").body
    assert b"avc1" in data and b"hvc1" in data or b"avc3" in data
