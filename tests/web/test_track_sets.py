"""Every list has one set of tracks from its first segment to its last, whatever the recordings have."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest

from flussdvr.formats.mp4.fmp4 import parse_init
from tests.formats.ts_rules import faults, rules_of
from tests.playback.recordings import Media, Recording, T, media
from tests.web.media.test_routes import S, Server

SOUND = media(b_frames=2)
MUTE = Media(SOUND.tracks[:1], {1: SOUND.samples[1]})
ANNOUNCED = Media(SOUND.tracks, {1: SOUND.samples[1], 2: []})
TWO = media(audios=2)
RADIO = Media((replace(SOUND.tracks[1], id=1),), {1: SOUND.samples[2]})


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def lay_down(recording: Recording, *sources: Media, begin_ms: int = T) -> Server:
    """4 s of each, one after the other."""
    for number, source in enumerate(sources):
        after = "tracks_changed" if number else None
        recording.blob(begin_ms + 4000 * number, 4, 100 + 2 * number, after, source, skip=0)
    return Server([recording])


def media_list(server: Server, url: str) -> tuple[str, str]:
    """The media playlist behind a URL, and its own."""
    answer = server.get(url)
    assert answer.status == 200, answer.body
    if "#EXT-X-STREAM-INF" in answer.text:
        return media_list(server, urljoin(url, answer.urls[0]))
    return url, answer.text


def shapes(server: Server, url: str) -> list[tuple[int, int]]:
    """(pictures, frames of sound) that a decoder finds in each segment of a list, with the init segment it names."""
    url, text = media_list(server, url)
    found: list[tuple[int, int]] = []
    init, missing = b"", False
    for line in text.splitlines():
        missing = missing or line == "#EXT-X-GAP"
        if line.startswith("#EXT-X-MAP"):
            init = server.get(urljoin(url, line.split('"')[1])).body
        if not line.startswith("#"):
            missing, skip = False, missing
            if skip:
                continue
            data = init + server.get(urljoin(url, line)).body
            with av.open(io.BytesIO(data)) as file:
                counts = {stream.type: 0 for stream in file.streams}
                for packet in file.demux():
                    counts[packet.stream.type] += bool(packet.size)
            found.append((counts.get("video", -1), counts.get("audio", -1)))
    return found


def one_set(server: Server, url: str) -> set[tuple[bool, bool]]:
    """Which kinds of tracks the segments have, all of them with something in them."""
    counts = shapes(server, url)
    assert all(0 not in pair for pair in counts), counts
    return {(pictures > 0, sound > 0) for pictures, sound in counts}


FORMS = [
    f"index-{S}-60.m3u8",
    f"mono-{S}-60.m3u8",
    f"index-{S}-60.ts.m3u8",
    f"video-{S}-60.m3u8",
    f"index-{S}-now.m3u8",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", ["sms", "ms", "sm", "mas", "sas", "m2", "2s2"])
def test_sound_that_comes_and_goes(recording: Recording, form: str, order: str) -> None:
    kinds = {"s": SOUND, "m": MUTE, "a": ANNOUNCED, "2": TWO}
    server = lay_down(recording, *(kinds[letter] for letter in order))
    if order in ("m2", "2s2") and form.startswith("index"):
        master = server.get(f"/ort/{form}")
        assert master.text.count("TYPE=AUDIO") == 2
        assert one_set(server, f"/ort/{form}") == {(True, False)}
        for uri in re.findall(r'URI="([^"]+)"', master.text):
            assert one_set(server, urljoin(f"/ort/{form}", uri)) == {(False, True)}
        return
    counts = shapes(server, f"/ort/{form}")
    assert len(counts) == 2 * len(order)
    if order != "2s2":
        assert one_set(server, f"/ort/{form}") == {(True, True)}


@pytest.mark.parametrize("form", FORMS)
def test_sound_that_is_announced_and_never_comes(recording: Recording, form: str) -> None:
    server = lay_down(recording, ANNOUNCED, ANNOUNCED)
    assert one_set(server, f"/ort/{form}") == {(True, False)}
    if form.startswith("index"):
        assert "mp4a" not in server.get(f"/ort/{form}").text


def test_nothing_changes_where_all_have_the_same(recording: Recording) -> None:
    server = lay_down(recording, SOUND, SOUND)
    _, text = media_list(server, f"/ort/index-{S}-60.m3u8")
    assert "tracks-" not in text and "#EXT-X-GAP" not in text


@pytest.mark.parametrize("form", FORMS)
def test_pictures_that_are_missing_for_a_while(recording: Recording, form: str) -> None:
    """Nothing can stand for a picture: the segments are listed as missing; the sound of that time has a list."""
    server = lay_down(recording, SOUND, RADIO, SOUND)
    url, text = media_list(server, f"/ort/{form}")
    assert "#EXT-X-VERSION:8\n" in text
    assert text.count("#EXT-X-GAP\n#EXTINF") == 2
    assert text.count("#EXTINF") == 6
    lines = text.split("#EXT-X-GAP\n")
    assert all("tracks-v1a1/" in urljoin(url, part) for part in lines[0].splitlines() if part.endswith(("m4s", "ts")))
    assert one_set(server, f"/ort/tracks-a1/{form}") == {(False, True)}


@pytest.mark.parametrize("form", FORMS)
def test_pictures_that_come_later_than_the_sound(recording: Recording, form: str) -> None:
    """A list begins where the pictures do: a player that knows nothing of missing segments finds them in the first."""
    server = lay_down(recording, RADIO, SOUND, RADIO)
    _, text = media_list(server, f"/ort/{form}")
    first = text.index("#EXTINF")
    assert "#EXT-X-GAP" not in text[:first] and "#EXT-X-DISCONTINUITY" not in text[:first]
    assert text.count("#EXTINF") == 4
    assert text.count("#EXT-X-GAP\n#EXTINF") == 2
    assert "#EXT-X-MEDIA-SEQUENCE:102\n" in text
    assert one_set(server, f"/ort/{form}") == {(True, True)}
    assert one_set(server, f"/ort/tracks-a1/{form}") == {(False, True)}
    assert media_list(server, f"/ort/tracks-a1/{form}")[1].count("#EXTINF") == 6


def test_a_list_of_sound_by_the_name_that_cameras_have(recording: Recording) -> None:
    server = lay_down(recording, RADIO, RADIO)
    assert one_set(server, f"/ort/tracks-v1a1/mono-{S}-60.m3u8") == {(False, True)}
    assert "#EXT-X-GAP" not in server.get(f"/ort/tracks-v1a1/mono-{S}-60.m3u8").text
    for form in (f"mono-{S}-60.m3u8", f"index-{S}-60.m3u8"):
        assert server.get(f"/ort/tracks-a7/{form}").status == 404
        assert server.get(f"/ort/tracks-v2/{form}").status == 404


def live(recording: Recording, begin_ms: int, seconds: int, source: Media) -> None:
    recording.play_live(begin_ms, seconds, source)


@pytest.mark.parametrize("container", ["", ".ts"])
def test_live_lists_keep_what_they_began_with(recording: Recording, container: str) -> None:
    """Who has joined without sound is not given any; who joins then gets a list that has it, and keeps it."""
    server = Server([recording], now_ms=T + 12_000, live=True)
    live(recording, T, 12, MUTE)
    master = f"/ort/index{container}.m3u8"
    mute = urljoin(master, server.get(master).urls[0])
    assert "/tracks-v1/" in mute
    assert one_set(server, mute) == {(True, False)}
    live(recording, T + 12_000, 4, SOUND)
    assert one_set(server, mute) == {(True, False)}
    loud = urljoin(master, server.get(master).urls[0])
    assert "/tracks-v1a1/" in loud
    assert "mp4a.40.2" in server.get(master).text
    assert one_set(server, loud) == {(True, True)}
    live(recording, T + 16_000, 12, MUTE)
    assert one_set(server, loud) == {(True, True)}, "silence"
    assert one_set(server, mute) == {(True, False)}


def test_silence_is_the_same_from_ram_and_from_the_disk(recording: Recording) -> None:
    live(recording, T, 10, MUTE)
    server = Server([recording], now_ms=T + 10_000, live=True)
    urls = [f"/ort/tracks-v1a1/2026/11/20/17/00/02.000-02000.{kind}" for kind in ("m4s", "ts")]
    before = [server.get(url) for url in urls]
    recording.window.segments.clear()
    recording.blob(T, 10, source=MUTE)
    after = [server.get(url) for url in urls]
    assert [one.body for one in before] == [one.body for one in after]
    assert [one.status for one in after] == [200, 200]
    _, text = media_list(server, f"/ort/tracks-v1a1/mono-{S}-9.m3u8")
    init = re.search(r'MAP:URI="([^"]+)"', text)
    assert init is not None
    again = Server([recording])  # another process: it has handed out nothing
    tracks = parse_init(again.get(f"/ort/tracks-v1a1/{init[1]}").body).tracks
    assert [(track.is_video, track.channels) for track in tracks] == [(True, 0), (False, 2)]


def test_transport_streams_with_silence_keep_the_rules(recording: Recording) -> None:
    server = lay_down(recording, SOUND, MUTE, ANNOUNCED, SOUND)
    url, text = media_list(server, f"/ort/video-{S}-60.m3u8")
    parts, said = [], set()
    for line in text.splitlines():
        if line == "#EXT-X-DISCONTINUITY":
            said.add(len(parts))
        elif not line.startswith("#"):
            parts.append(server.get(urljoin(url, line)).body)
    assert faults(parts, said) == []
    assert len({rules_of(part).programs[0] for part in parts}) == 1


def test_exports_have_no_silence(recording: Recording) -> None:
    server = lay_down(recording, MUTE)
    for form in (f"archive-{S}-4.mp4", f"archive-{S}-now.mp4", f"archive-{S}-4.ts"):
        with av.open(io.BytesIO(server.get(f"/ort/tracks-v1a1/{form}").body)) as file:
            assert [stream.type for stream in file.streams] == ["video"]
