"""Picture URLs; the first document's three dialogues word for word."""

from __future__ import annotations

import email.utils
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import pytest
from PIL import Image

from flussdvr.access.auth_request import asked
from flussdvr.access.verdict import Verdict
from flussdvr.config.model import ThumbnailSettings
from flussdvr.playback.pictures.pictures import Pictures
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import Range
from flussdvr.urls.paths import parse
from flussdvr.web.media.pictures import PictureSite
from tests.playback.camera_stamps import T, lay_down, seen, seen_in_mp4, shoot
from tests.playback.recordings import Recording
from tests.playback.thumbs import jpeg, root_of, store_thumbs
from tests.web.media.test_routes import Answer, Server

S = T // 1000
ON_DEMAND = ThumbnailSettings("ondemand")


class PictureServer(Server):
    """The HTTP side with pictures. `thumbnails`: what is configured."""

    def __init__(self, recordings: list[Recording], codec: object = None, live: bool = False) -> None:
        super().__init__(recordings, live=live)
        worker = InlineWorker()
        codecs = (codec or worker, worker)
        root = root_of(recordings[0])
        self.pictures = Pictures(
            SimpleNamespace(names=list), lambda path: root, self.clock, lambda: self.now_ms,
            codecs=codecs,  # type: ignore[arg-type]
        )  # fmt: skip
        self.thumbnails: ThumbnailSettings | None = ON_DEMAND
        site = PictureSite(self.pictures, self.media.sender, lambda name: SimpleNamespace(thumbnails=self.thumbnails))
        self.media.pictures = site


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


@pytest.fixture
def server(recording: Recording) -> Iterator[PictureServer]:
    lay_down(recording, shoot("h264-b", S, 11))
    lay_down(recording, shoot("h264-b", S + 20, 7), "source_lost")
    yield PictureServer([recording])


def check_described(answer: Answer, utc_ms: int) -> None:
    headers = answer.headers
    assert headers["x-thumbnail-utc"] == str(utc_ms // 1000)
    assert headers["x-thumbnail-utc-ms"] == str(utc_ms)
    assert email.utils.parsedate_to_datetime(headers["last-modified"]).timestamp() == utc_ms // 1000
    assert headers["content-length"] == str(len(answer.body))
    assert headers["etag"].startswith('"')


# -- the document's dialogues -----------------------------------------------------------------------------------------


def test_golden_jpeg_thumbnail(recording: Recording) -> None:
    """> GET /ort/1675171691.jpg    < 302 Found    < Location: /ort/1675171627.jpg"""
    lay_down(recording, shoot("h264", 1675171625, 80))
    store_thumbs(recording, [1675171627000])
    server = PictureServer([recording])
    answer = server.get("/ort/1675171691.jpg")
    assert (answer.status, answer.headers["location"], answer.body) == (302, "/ort/1675171627.jpg", b"")
    answer = server.get(answer.headers["location"])
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body == jpeg(1675171627)
    check_described(answer, 1675171627000)


def test_golden_jpeg_on_demand(recording: Recording) -> None:
    """> GET /ort/1675179644-preview.jpg    < 200 OK    Content-Length, Content-Type, Last-Modified, X-Thumbnail-Utc"""
    lay_down(recording, shoot("h264", 1675179643, 11))
    answer = PictureServer([recording]).get("/ort/1675179644-preview.jpg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    check_described(answer, 1675179645000)  # key frames are 2 s apart
    assert answer.headers["last-modified"] == "Tue, 31 Jan 2023 15:40:45 GMT"
    assert seen(answer.body) == 1675179645000


def test_golden_mp4_thumbnail(recording: Recording) -> None:
    """> GET /ort/1675252800-preview.mp4    < 302 Found    < Location: /ort/1675252803-preview.mp4"""
    lay_down(recording, shoot("h264", 1675252803, 11))
    server = PictureServer([recording])
    answer = server.get("/ort/1675252800-preview.mp4")
    assert (answer.status, answer.headers["location"]) == (302, "/ort/1675252803-preview.mp4")
    answer = server.get(answer.headers["location"])
    assert (answer.status, answer.headers["content-type"]) == (200, "video/mp4")
    assert seen_in_mp4(answer.body) == [1675252803000]


# -- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "shown"), [(0, 0), (1, 2), (9.5, 10), (10.001, 20), (15, 20), (26.5, 26), (27, 26), (300, 26), (-300, 0)]
)
def test_a_preview_is_of_the_key_frame_after_else_before(server: PictureServer, moment: float, shown: int) -> None:
    answer = server.get(f"/ort/{S + moment:.3f}-preview.jpg?width=640")
    check_described(answer, T + shown * 1000)
    assert seen(answer.body) == T + shown * 1000
    settled = "public, max-age=86400" if shown >= moment else "no-cache"
    assert answer.headers["cache-control"] == settled
    answer = server.get(f"/ort/{S + moment:.3f}-preview.mp4?token=a%20b")
    if moment != shown:
        assert (answer.status, answer.headers["location"]) == (302, f"/ort/{S + shown}-preview.mp4?token=a%20b")
        answer = server.get(answer.headers["location"])
    assert answer.status == 200
    assert seen_in_mp4(answer.body) == [T + shown * 1000]


def test_exact_is_the_very_picture(server: PictureServer) -> None:
    for tenth in (0, 1, 7, 19, 20, 21, 55, 108):
        answer = server.get(f"/ort/{S + tenth / 10:.3f}-preview.jpg?exact=true&width=640")
        check_described(answer, T + tenth * 100)
        assert seen(answer.body) == T + tenth * 100
    answer = server.get(f"/ort/{S + 15}-preview.jpg?exact=true&width=640")  # nothing was shown then
    check_described(answer, T + 20_000)


def test_the_newest(server: PictureServer, recording: Recording) -> None:
    answer = server.get("/ort/preview.jpg?width=640")
    assert seen(answer.body) == T + 26_000
    assert answer.headers["cache-control"] == "no-cache"
    answer = server.get("/ort/preview.mp4")
    assert (answer.status, seen_in_mp4(answer.body)) == (200, [T + 26_000])


def test_the_newest_of_a_stream_that_is_not_recorded(recording: Recording) -> None:
    take = shoot("h264-b", S, 11)
    recording.window.open(take.init, (take.track,))
    for fragment in take.fragments:
        recording.window.append(fragment, recording.window.begins_segment(fragment))
    server = PictureServer([recording], live=True)
    answer = server.get("/ort/preview.mp4")
    assert (answer.status, seen_in_mp4(answer.body)) == (200, [T + 10_000])
    assert seen(server.get("/ort/preview.jpg").body) == T + 10_000


def test_dates(server: PictureServer) -> None:
    answer = server.get("/ort/2026/11/20/17/00/03-preview.mp4")
    assert (answer.status, answer.headers["location"]) == (302, f"/ort/{S + 4}-preview.mp4")
    assert seen_in_mp4(server.get("/ort/2026/11/20/17/00/04-preview.mp4").body) == [T + 4000]
    assert seen(server.get("/ort/2026/11/20/17/00/03-preview.jpg").body) == T + 4000
    assert seen(server.get("/ort/2026/11/20/17/00/03.jpg").body) == T + 4000


def test_width(server: PictureServer) -> None:
    for query, width in (("", 320), ("?width=160", 160), ("?width=16", 16), ("?width=3840", 320)):
        with Image.open(io.BytesIO(server.get(f"/ort/{S}-preview.jpg{query}").body)) as image:
            assert image.size == (width, width * 9 // 16)
    for width in ("0", "15", "-1", "4000", "99999999999", "x", "", "1e2", "%C2%B2"):
        answer = server.get(f"/ort/{S}-preview.jpg?width={width}")
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    server.thumbnails = ThumbnailSettings("ondemand", None, ((100, 40),))
    with Image.open(io.BytesIO(server.get(f"/ort/{S}-preview.jpg").body)) as image:
        assert image.size == (71, 40)


def test_disabled(server: PictureServer, recording: Recording) -> None:
    server.thumbnails = None
    for command in (f"{S}-preview.jpg", "preview.jpg", f"{S}.jpg", "2026/11/20/17/00/03-preview.jpg"):
        answer = server.get("/ort/" + command)
        assert (answer.status, answer.json["error"]) == (403, "thumbnails_disabled")
    assert server.get(f"/ort/{S}-preview.mp4").status == 200
    store_thumbs(recording, [T + 2000])
    server = PictureServer([recording])
    server.thumbnails = None
    assert server.get(f"/ort/{S + 2}.jpg").body == jpeg(S + 2)


def test_nothing_near(server: PictureServer) -> None:
    for command in ("0-preview.jpg", "0-preview.mp4", "0.jpg", f"{S - 700}-preview.jpg", f"{S + 700}.jpg"):
        answer = server.get("/ort/" + command)
        assert (answer.status, answer.json["error"]) == (404, "no_recordings")
    assert server.get(f"/nobody/{S}-preview.jpg").json["error"] == "stream_not_found"


def test_stored_ones_redirect_to_the_nearest(server: PictureServer, recording: Recording) -> None:
    assert seen(server.get(f"/ort/{S + 1}.jpg?width=640").body) == T + 2000  # none are stored: made on demand
    store_thumbs(recording, [T + 40, T + 2000, T + 4000, T + 4500, T + 20_000])
    server = PictureServer([recording])
    for moment, name in (("1.1", "2"), ("1.000", "0"), ("3", "2"), ("4.3", "4.500"), ("4.1", "4"), ("11", "4.500"),
                         ("18", "20"), ("400", "20"), ("-9", "0")):  # fmt: skip
        whole, _, fraction = moment.partition(".")
        url = f"{S + int(whole)}" + (f".{fraction}" if fraction else "")
        answer = server.get(f"/ort/{url}.jpg?token=x")
        whole, _, fraction = name.partition(".")
        found = f"{S + int(whole)}" + (f".{fraction}" if fraction else "")
        assert (answer.status, answer.headers["location"]) == (302, f"/ort/{found}.jpg?token=x")
        assert server.get(answer.headers["location"]).status == 200
    for name, at_ms in (("0", 40), ("2", 2000), ("4", 4000), ("4.500", 4500)):
        answer = server.get(f"/ort/{S + float(name):.3f}.jpg" if "." in name else f"/ort/{S + int(name)}.jpg")
        check_described(answer, T + at_ms)


def test_a_stored_one_that_is_damaged_is_made_again(server: PictureServer, recording: Recording) -> None:
    store_thumbs(recording, [T + 2000])
    path = next(recording.root.rglob("*.thumbs.mp4"))
    path.write_bytes(path.read_bytes()[:-40])
    answer = server.get(f"/ort/{S + 2}.jpg?width=640")
    assert (answer.status, seen(answer.body)) == (200, T + 2000)


def test_brief_thumbnails(server: PictureServer, recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000, T + 4000, T + 4500, T + 20_000])
    status = server.get(f"/ort/recording_status.json?from={S + 1}&request=brief_thumbnails,ranges").json
    assert status[0]["brief_thumbnails"] == [S + 2, S + 4, S + 20]
    assert "ranges" in status[0]
    assert server.get("/ort/recording_status.json").json[0].keys() == {"stream", "ranges"}


def test_entity_tags(server: PictureServer) -> None:
    for command in (f"{S}-preview.jpg", f"{S}-preview.mp4"):
        answer = server.get("/ort/" + command)
        decoded = server.pictures.previews.decoded
        again = server.get("/ort/" + command, f"If-None-Match: {answer.headers['etag']}")
        assert (again.status, again.body, server.pictures.previews.decoded) == (304, b"", decoded)
        head = server.get("/ort/" + command, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == answer.headers["content-length"]
        part = server.get("/ort/" + command, "Range: bytes=2-9")
        assert (part.status, part.body) == (206, answer.body[2:10])
    other = server.get(f"/ort/{S}-preview.jpg?width=100").headers["etag"]
    assert other != server.get(f"/ort/{S}-preview.jpg").headers["etag"]


def test_too_many_are_refused_with_the_time_to_come_again(server: PictureServer, recording: Recording) -> None:
    codec = MemoryWorker()
    server = PictureServer([recording], codec)
    server.pictures.previews.limit = 3
    opened = [server.open(f"/ort/{S}-preview.jpg?width={100 + number % 100}") for number in range(200)]
    answers = [Answer(one.value()) for one in opened if one.value()]
    assert len(answers) == 200 - 6
    for answer in answers:
        assert (answer.status, answer.json["error"]) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
    codec.stop()
    assert [Answer(one.value()).status for one in opened].count(200) == 6


def test_names_are_quoted_in_redirects(tmp_path: Path) -> None:
    recording = Recording(tmp_path, "a b/ü?")
    lay_down(recording, shoot("h264", S, 11))
    answer = PictureServer([recording]).get(f"/a%20b/%C3%BC%3F/{S + 1}-preview.mp4")
    assert (answer.status, answer.headers["location"]) == (302, f"/a%20b/%C3%BC%3F/{S + 2}-preview.mp4")


def test_a_key_frame_that_does_not_decode(server: PictureServer, recording: Recording) -> None:
    shot = shoot("h264-b", S, 11)
    assert shot.fragments[0].sync
    with open(recording.archive.blobs()[0].path, "r+b") as file:
        file.seek(recording.archive.blobs()[0].size - sum(len(one.data) for one in shot.fragments) + 300)
        file.write(b"\x5a" * (len(shot.fragments[0].data) - 300))
    answers = [server.get(f"/ort/{S + second}-preview.jpg") for second in (0, 2, 0, 10)]
    assert [answer.status for answer in answers] == [500, 200, 500, 200]
    assert answers[0].json["error"] == "undecodable_picture"


def test_sprites(server: PictureServer) -> None:
    vtt = server.get(f"/ort/sprite-{S}-28-7x2.vtt?token=a&width=100")
    assert (vtt.status, vtt.headers["content-type"]) == (200, "text/vtt; charset=utf-8")
    urls = [line for line in vtt.text.splitlines() if "#xywh=" in line]
    assert len(urls) == 10
    assert urls[0] == f"sprite-{S}-28-7x2.jpg?token=a&width=100#xywh=0,0,100,56"
    answer = server.get("/ort/" + urls[-1].partition("#")[0])
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "no-cache"  # the recording has not reached the window's end
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.size == (700, 112)
    again = server.get(f"/ort/sprite-{S}-28-7x2.jpg?width=100", f"If-None-Match: {answer.headers['etag']}")
    assert again.status == 304
    assert server.get(f"/ort/sprite-{S}-9-3x3.jpg").headers["cache-control"] == "public, max-age=86400"
    for command in ("9-0x3.jpg", "9-13x12.jpg", "0-1x1.jpg", "9-100x1.jpg"):
        assert server.get(f"/ort/sprite-{S}-{command}").status == 400
    assert server.get(f"/ort/sprite-{S + 1000}-9-3x3.vtt").status == 404
    server.thumbnails = None
    for extension in ("jpg", "vtt"):
        assert server.get(f"/ort/sprite-{S}-9-3x3.{extension}").status == 403


@pytest.mark.parametrize("form", [f"index-{S}-28.m3u8", f"archive/{S}/28/index.m3u8", f"tracks-v1/index-{S}-28.m3u8"])
def test_pictures_along_an_hls_window(server: PictureServer, form: str) -> None:
    assert b"IMAGE" not in server.get(f"/ort/{form}").body
    (line,) = [line for line in server.get(f"/ort/{form}?thumbnails=9&token=a").text.splitlines() if "IMAGE" in line]
    assert "RESOLUTION=320x180" in line
    playlist = urljoin(f"/ort/{form}", line.split('"')[-2])
    assert playlist.startswith(f"/ort/images-320x180/tpl-{S}-28-9.m3u8?") and "token=a" in playlist
    answer = server.get(playlist)
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert len(answer.urls) == 9 and all("token=a" in url for url in answer.urls)
    shown = []
    for url in answer.urls:
        picture = server.get(urljoin(playlist, url))
        assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
        shown.append((seen(picture.body) or 0) - T)
    assert shown == [0, 2000, 4000, 6000, 8000, 10_000, 22_000, 24_000, 26_000]


def test_pictures_along_an_hls_window_that_are_refused(server: PictureServer) -> None:
    for number in ("0", "x", "1001"):
        assert server.get(f"/ort/index-{S}-28.m3u8?thumbnails={number}").status == 400
    assert server.get(f"/ort/images-320x180/tpl-{S}-28-0.m3u8").status == 400
    assert server.get(f"/ort/images-3x180/seg-{S}-28.hls.jpg").status == 400
    assert server.get(f"/ort/images-320x180/tpl-{S + 100}-28-5.m3u8").status == 404
    server.thumbnails = None
    for form in (
        f"index-{S}-28.m3u8?thumbnails=9",
        f"images-320x180/tpl-{S}-28-9.m3u8",
        f"images-320x180/seg-{S}-0.hls.jpg",
    ):
        answer = server.get(f"/ort/{form}")
        assert (answer.status, answer.json["error"]) == (403, "thumbnails_disabled")


def test_only_pictures_of_what_a_viewer_may_see(server: PictureServer, recording: Recording) -> None:
    held = SimpleNamespace(verdict=Verdict(True, spans=((T, T + 3000),)))
    admit = server.media.admission.admit

    async def restricted(request: Any, parsed: Any) -> Any:
        session, parsed = await admit(request, parsed)
        session.archive = held
        return session, parsed

    server.media.admission = SimpleNamespace(admit=restricted)  # type: ignore[assignment]
    for command in (f"{S}-preview.jpg", f"{S + 2}-preview.mp4", f"{S + 1}.jpg"):
        assert server.get(f"/ort/{command}").status == 200
    for command in (f"{S + 2.5:.1f}-preview.jpg", f"{S + 2.5:.1f}-preview.mp4", "preview.jpg", "preview.mp4"):
        answer = server.get(f"/ort/{command}")  # found are those of seconds 4 and 26
        assert (answer.status, answer.json["error"]) == (403, "archive_not_allowed")
    cues = [line for line in server.get(f"/ort/sprite-{S}-9-3x3.vtt").text.splitlines() if "-->" in line]
    assert [cue[:8] for cue in cues] == [f"00:00:0{second}" for second in range(4)]
    held.verdict = Verdict(True, spans=((T + 2500, T + 3500),))
    for extension in ("jpg", "vtt"):  # what was on when the window began is of the second before it
        assert server.get(f"/ort/sprite-{S + 2.5:.1f}-1-2x2.{extension}").status == 404
    held.verdict = Verdict(True, spans=((T, T + 3000),))
    store_thumbs(recording, [T, T + 4000])
    for key, _ in server.pictures.stored._cache.items():
        server.pictures.stored._cache.pop(key)
    assert server.get(f"/ort/{S + 2.9:.1f}.jpg").headers["location"] == f"/ort/{S}.jpg"


def test_what_is_asked_for_with_many_pictures_is_their_window() -> None:
    for command in (f"sprite-{S}-60-2x2.vtt", f"images-320x180/tpl-{S}-60-9.m3u8"):
        what = asked(parse(f"/ort/{command}"), T + 3_600_000, None)
        assert (what.span, what.media_request) == (Range(T, T + 60_000), f"preview-{S}-60")
    what = asked(parse(f"/ort/images-320x180/seg-{S}-60.hls.jpg"), T + 3_600_000, None)
    assert what.span == Range(T + 60_000, T + 60_001)
