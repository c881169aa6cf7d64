"""Every live and archive URL that a client may use, against a real server: status, type, and the picture's clock."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator

import av
import pytest

from tests.integration.lab.server import Server
from tests.integration.lab.watch import first_picture, pictures

pytestmark = pytest.mark.alone

HLS, MP4, TS = "application/vnd.apple.mpegurl", "video/mp4", "video/mp2t"
STREAM = "a/b.c"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    fake = "input fake://?size=320x180&fps=25&gop=25; dvr @main; segment_duration 1;"
    server = Server(tmp_path_factory.mktemp("urls"), f"stream {STREAM} {{ {fake} }}")
    server.start()
    server.wait_recorded(STREAM, 14)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def begin(demo: Server) -> int:
    return int(demo.ranges(STREAM)[0][0]) + 1


LIVE = ["index", "video", "mono", "playlist", "index.fmp4", "index.ts", "tracks-v1a1/mono", "tracks-v1/index"]
ARCHIVE = [
    "index-{from}-5.m3u8",
    "archive-{from}-5.m3u8",
    "video-{from}-5.m3u8",
    "mono-{from}-5.m3u8",
    "index-{from}-5.fmp4.m3u8",
    "index-{from}-5.ts.m3u8",
    "index-{from}-now.m3u8",
    "index-{from}-5.m3u8?event=true",
    "index-{from_ms}-5.m3u8",
    "tracks-v1a1/index-{from}-5.m3u8",
    "archive/{from}/5/index.m3u8",
    "index.m3u8?utc={from}&lutc={now}",
    "video.m3u8?token=x&utc={from}&amp;lutc={now}",
    "mono.m3u8?token=x?utc={from}&lutc={now}",
    "timeshift_abs-{from}.m3u8",
    "video-timeshift_abs-{from}.m3u8",
    "mono-timeshift_abs-{from}.m3u8",
    "archive-{from}-5.mp4",
    "archive-{from_ms}-5.mp4",
    "archive-{from}-now.mp4",
    "archive-{from}-5.ts",
    "archive/{from}/5/mpegts",
]
"""Those that begin at `from`."""
RELATIVE = [
    "timeshift_rel-6.m3u8",
    "mono-timeshift_rel-6.m3u8",
    "video-timeshift_rel-6.m3u8",
    "index.fmp4-timeshift_rel-6.m3u8",
]
ENDLESS = ["{from}.ts", "timeshift_abs-{from}.ts", "timeshift_abs/{from}"]


def fill(form: str, begin: int) -> str:
    now = int(time.time())
    path = form.replace("{from_ms}", f"{begin}000").replace("{from}", str(begin)).replace("{now}", str(now))
    return f"/{STREAM}/{path}"


def content_type(path: str) -> str:
    if ".m3u8" in path:
        return HLS
    return MP4 if path.endswith(".mp4") else TS


@pytest.mark.parametrize("name", LIVE)
def test_live_lists_play_the_present(demo: Server, name: str) -> None:
    path = f"/{STREAM}/{name}.m3u8"
    response = demo.get(path, {"Range": "bytes=0-", "Icy-MetaData": "1"})
    assert response.status in (200, 206)
    assert response.headers["content-type"].startswith(HLS)
    assert "#EXT-X-VERSION" in response.read().decode().splitlines()[1]
    seen = first_picture(demo.url(path))
    assert seen.utc_s is not None and time.time() - 12 < seen.utc_s < time.time()


@pytest.mark.parametrize("form", ARCHIVE)
def test_archive_begins_where_it_was_asked_to(demo: Server, begin: int, form: str) -> None:
    path = fill(form, begin)
    head = demo.get(path, method="HEAD")
    assert head.status == 200 and head.read() == b""
    assert head.headers["content-type"].startswith(content_type(path.partition("?")[0]))
    assert head.headers["access-control-allow-origin"] == "*"
    assert len(head.headers["x-session"]) == 40
    seen = next(pictures(demo.url(path), options={"live_start_index": "0"} if ".m3u8" in path else None))
    assert seen.utc_s is not None
    exact = path.endswith("-5.mp4")  # a playlist begins with a segment, a TS with a key frame
    assert begin - (0.04 if exact else 1.04) <= seen.utc_s <= begin + (0.04 if exact else 1.04)


@pytest.mark.parametrize("form", RELATIVE)
def test_relative_timeshift_lists_are_late_by_what_was_asked(demo: Server, form: str) -> None:
    seen = first_picture(demo.url(f"/{STREAM}/{form}"))
    late = time.time() - (seen.utc_s or 0)
    assert 6 <= late < 14, late  # players begin a few segments before the end of a live list


def test_rewind_goes_back(demo: Server) -> None:
    text = demo.text(f"/{STREAM}/mono.m3u8")
    assert demo.text(f"/{STREAM}/mono-rewind-8.m3u8").count("#EXTINF") > text.count("#EXTINF")


@pytest.mark.parametrize("form", ENDLESS)
def test_endless_ts_begins_at_the_moment_and_goes_on(demo: Server, begin: int, form: str) -> None:
    shown = list(itertools.islice(pictures(demo.url(fill(form, begin))), 75))
    assert shown[0].utc_s is not None and abs(shown[0].utc_s - begin) <= 1.04
    steps = {round((b.utc_s or 0) - (a.utc_s or 0), 3) for a, b in itertools.pairwise(shown)}
    assert steps == {0.04}


@pytest.mark.parametrize("path", ["mpegts", "timeshift_rel-5.ts", "timeshift_rel/5"])
def test_endless_ts_follows_live(demo: Server, path: str) -> None:
    shown = list(itertools.islice(pictures(demo.url(f"/{STREAM}/{path}")), 50))
    late = time.time() - (shown[0].utc_s or 0)
    assert (5 if "5" in path else 0) <= late < 14


def test_media_info_and_recording_status(demo: Server, begin: int) -> None:
    tracks = demo.json(f"/{STREAM}/media_info.json")["stats"]["media_info"]["tracks"]
    assert [(track["track_id"], track["codec"]) for track in tracks] == [("v1", "h264"), ("a1", "aac")]
    (status,) = demo.json(f"/{STREAM}/recording_status.json?from={begin}&to=now&request=ranges,locks&token=x")
    assert status["stream"] == STREAM
    assert status["ranges"][0]["from"] in (begin, begin - 1)
    assert status["locks"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nosuch/index.m3u8", 404, "stream_not_found"),
        (f"{STREAM}/archive-1-10.mp4", 404, "no_recordings"),
        (f"{STREAM}/index-4000000000-10.m3u8", 404, "no_recordings"),
        (f"{STREAM}/archive--5-10.mp4", 400, None),
        (f"{STREAM}/archive-abc-10.mp4", 400, None),
        (f"{STREAM}/../../etc/passwd", 400, None),
        (f"{STREAM}/what.is.this", 404, None),
        (f"{STREAM}/2026/13/45/99/00/00.000-01000.m4s", 400, None),
        (f"{STREAM}/init-0123456789abcdef.mp4", 404, None),
    ],
)
def test_refusals_are_json_with_a_reason(demo: Server, path: str, status: int, code: str | None) -> None:
    with socket.create_connection(("127.0.0.1", demo.http)) as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ") or (status == 400 and answer.startswith("HTTP/1.1 404 ")), answer
    assert '"errors"' in answer and (code is None or code in answer)
    assert "Traceback" not in answer and "<html" not in answer


def test_a_master_playlist_says_what_it_lists(demo: Server) -> None:
    line = next(
        line for line in demo.text(f"/{STREAM}/index.m3u8").splitlines() if line.startswith("#EXT-X-STREAM-INF")
    )
    assert 'CODECS="avc1.' in line and "mp4a.40.2" in line
    assert "RESOLUTION=320x180" in line and "FRAME-RATE=25.000" in line and "BANDWIDTH=" in line


def test_a_download_is_an_mp4_that_seeks(demo: Server, begin: int) -> None:
    url = demo.url(fill("archive-{from}-8.mp4", begin))
    with av.open(url) as container:
        assert abs(float(container.duration or 0) / 1e6 - 8) < 0.05
    seen = next(p for p in pictures(url, seek_s=5) if p.at_s >= 5)
    assert seen.utc_s is not None and abs(seen.utc_s - begin - seen.at_s) <= 0.04
