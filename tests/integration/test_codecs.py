"""Every kind of stream that TV and cameras send: pushed by real ffmpeg, recorded, and decoded from every container."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.formats.ts_rules import faults
from tests.integration.lab.server import Server
from tests.integration.lab.wait import TIMEOUT_S
from tests.integration.lab.watch import ffmpeg_complaints

pytestmark = pytest.mark.alone

SECONDS = 8
VIDEO = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r={rate},format=yuv420p"]
TONE = ["-f", "lavfi", "-i", "sine=440:sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-sc_threshold", "0", "-g", "25"]
AAC = ["-c:a", "aac", "-b:a", "64k"]
X265 = "keyint=25:min-keyint=25:scenecut=0:bframes={b}:open-gop={o}:log-level=none"

KINDS: dict[str, tuple[str, list[str], str]] = {
    # name: (picture rate, how ffmpeg makes it, codecs in the multivariant playlist)
    "plain": ("25", [*X264, "-bf", "0", *AAC], "avc1.,mp4a.40.2"),
    "bframes": ("25", [*X264, "-bf", "3", "-x264-params", "b-adapt=0:b-pyramid=normal", *AAC], "avc1.,mp4a.40.2"),
    "opengop": ("25", [*X264, "-bf", "2", "-x264-params", "open-gop=1:b-adapt=0", *AAC], "avc1.,mp4a.40.2"),
    "ntsc": ("30000/1001", [*X264, "-bf", "2", *AAC], "avc1.,mp4a.40.2"),
    "hevc": (
        "25",
        ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", X265.format(b=3, o=1), *AAC],
        "hvc1.,mp4a.40.2",
    ),
    "mp2": ("25", [*X264, "-c:a", "mp2", "-b:a", "128k"], "avc1.,mp4a.40.33"),
    "mp3": ("25", [*X264, "-c:a", "libmp3lame", "-b:a", "128k"], "avc1.,mp4a.40.34"),
    "ac3": ("25", [*X264, "-c:a", "ac3", "-b:a", "192k"], "avc1.,ac-3"),
    "dts": ("25", [*X264, "-c:a", "dca", "-strict", "-2", "-ac", "2", "-b:a", "384k"], "avc1.,dtsc"),
    "latm": ("25", [*X264, *AAC, "-mpegts_flags", "+latm"], "avc1.,mp4a.40.2"),
    "languages": (
        "25",
        [*X264, *AAC, "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=rus"],
        "avc1.,mp4a.40.2",
    ),
    "picture": ("25", [*X264, "-an"], "avc1."),
    "sound": ("25", [*AAC, "-vn"], "mp4a.40.2"),
}


def make(folder: Path, kind: str) -> Path:
    rate, how, _ = KINDS[kind]
    inputs = [word.format(rate=rate) for word in VIDEO] + TONE
    maps = ["-map", "0:v", "-map", "1:a"]
    if kind == "languages":
        inputs, maps = inputs + TONE, [*maps, "-map", "2:a"]
    out = folder / f"{kind}.ts"
    command = ["ffmpeg", "-v", "error", "-y", *inputs, *maps, "-t", str(SECONDS), *how, "-f", "mpegts", str(out)]
    subprocess.run(command, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("codecs")
    streams = "\n".join(f"stream {kind} {{ input publish://; dvr @main; segment_duration 2; }}" for kind in KINDS)
    server = Server(folder, streams)
    server.start()
    files = {kind: make(folder, kind) for kind in KINDS}
    pushes = [
        subprocess.Popen(
            [
                *["ffmpeg", "-v", "error", "-re", "-i", str(path), "-map", "0", "-c", "copy", "-f", "mpegts"],
                *(["-mpegts_flags", "+latm"] if kind == "latm" else []),
                *["-method", "PUT", server.url(f"/{kind}/mpegts")],
            ],
            stdin=subprocess.DEVNULL,
        )
        for kind, path in files.items()
    ]
    try:
        for push in pushes:
            push.wait(60)
        yield server, folder
    finally:
        server.stop()


def span(server: Server, kind: str) -> tuple[int, int]:
    ((begin, end),) = server.ranges(kind)
    return int(begin), int(end - begin + 1)


def frames(url: str, kind: str) -> int:
    with av.open(url) as container:
        stream = container.streams.audio[0] if kind == "sound" else container.streams.video[0]
        return sum(1 for _ in container.decode(stream))


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_it_comes_back(recorded: tuple[Server, Path], kind: str) -> None:
    server, folder = recorded
    begin, length = span(server, kind)
    sent = frames(str(folder / f"{kind}.ts"), kind)
    for path in (f"archive-{begin}-{length}.mp4", f"archive-{begin}-{length}.ts"):
        assert abs(frames(server.url(f"/{kind}/{path}"), kind) - sent) <= 1, path


@pytest.mark.parametrize("kind", KINDS)
def test_transport_streams_keep_the_rules(recorded: tuple[Server, Path], kind: str) -> None:
    """What real encoders made, as one file and as the segments of a list, joined."""
    server, _ = recorded
    begin, length = span(server, kind)
    assert faults(server.get(f"/{kind}/archive-{begin}-{length}.ts").read()) == []
    urls = [line for line in server.text(f"/{kind}/video-{begin}-{length}.m3u8").splitlines() if line[0] != "#"]
    assert faults([server.get(f"/{kind}/{url}").read() for url in urls]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_ffmpeg_has_nothing_to_say(recorded: tuple[Server, Path], kind: str) -> None:
    server, _ = recorded
    begin, length = span(server, kind)
    for path in (f"archive-{begin}-{length}.mp4", f"archive-{begin}-{length}.ts", f"index-{begin}-{length}.ts.m3u8"):
        assert ffmpeg_complaints(server.url(f"/{kind}/{path}")) == "", path
    if kind != "opengop":  # its pictures in front of the first key frame lack what they refer to
        assert ffmpeg_complaints(server.url(f"/{kind}/index-{begin}-{length}.fmp4.m3u8")) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_multivariant_playlist_names_the_codecs(recorded: tuple[Server, Path], kind: str) -> None:
    server, _ = recorded
    begin, length = span(server, kind)
    text = server.text(f"/{kind}/index-{begin}-{length}.m3u8")
    for codec in KINDS[kind][2].split(","):
        assert codec in text, text
    if kind == "languages":
        assert text.count("#EXT-X-MEDIA:TYPE=AUDIO") == 2
        assert 'LANGUAGE="eng"' in text and 'LANGUAGE="rus"' in text


def test_tracks_can_be_chosen(recorded: tuple[Server, Path]) -> None:
    server, _ = recorded
    begin, length = span(server, "languages")
    with av.open(server.url(f"/languages/tracks-v1a2/archive-{begin}-{length}.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert container.streams.audio[0].metadata.get("language") == "rus"


def test_h265_is_tagged_for_apple(recorded: tuple[Server, Path]) -> None:
    server, _ = recorded
    begin, length = span(server, "hevc")
    with av.open(server.url(f"/hevc/archive-{begin}-{length}.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
