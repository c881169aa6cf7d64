import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from flussdvr.playback.playback import make_playback
from flussdvr.threads import InlineWorker
from flussdvr.web.http.sender import Sender
from flussdvr.web.http.site import Site
from flussdvr.web.media.admission import Everybody
from flussdvr.web.media.routes import MediaSite
from flussdvr.web.root import Root
from tests.formats.ts_rules import faults, rules_of
from tests.playback import hls_rules
from tests.playback.recordings import Recording, Streams, T, decoded, media

S = T // 1000


class Answer:
    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        if self.headers.get("transfer-encoding") == "chunked":
            self.body = unchunked(self.body)

    @property
    def text(self) -> str:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def urls(self) -> list[str]:
        return [line for line in self.text.splitlines() if not line.startswith("#")]


def unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body


class Server:
    """The whole HTTP side in memory. `now_ms` is the wall clock."""

    def __init__(self, recordings: list[Recording], now_ms: int = T + 3_600_000, live: bool = False) -> None:
        self.clock = Clock()
        self.now_ms = now_ms
        self.streams = Streams(recordings, live)
        worker = InlineWorker()
        playback = make_playback(worker, self.clock, lambda: self.now_ms)
        sender = Sender(self.clock, worker)
        admission = Everybody(lambda: self.now_ms)
        self.media = MediaSite(self.streams, playback, sender, admission, lambda: self.now_ms, worker)
        self.accessed: list[Any] = []
        self.protocols: list[Any] = []
        root = Root(self.media.resource())
        self.site = Site(root, self.clock, None, lambda request, aborted: self.accessed.append(request))

    def open(self, url: str, *headers: str, method: str = "GET") -> StringTransport:
        self.protocols.append(protocol := self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5)))
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived("\r\n".join([f"{method} {url} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        return transport

    def get(self, url: str, *headers: str, method: str = "GET") -> Answer:
        answer = Answer(self.open(url, *headers, method=method).value())
        if answer.status == 200 and method == "GET" and "mpegurl" in answer.headers.get("content-type", ""):
            hls_rules.check(answer.text)
        return answer


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


@pytest.fixture
def server(recording: Recording) -> Iterator[Server]:
    recording.blob()
    yield Server([recording])


def test_vod(server: Server) -> None:
    answer = server.get(f"/ort/mono-{S}-8.m3u8")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.text.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:100\n")
    assert answer.urls == [f"2026/11/20/17/00/{second:02}.000-02000.m4s" for second in (0, 2, 4, 6)]
    assert answer.text.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in answer.text


def test_the_window_is_by_the_beginnings_of_segments(server: Server) -> None:
    urls = server.get(f"/ort/mono-{S + 1}-5.m3u8").urls
    assert [url[17:19] for url in urls] == ["02", "04"]
    assert [url[17:19] for url in server.get(f"/ort/mono-{S}.5-0.5.m3u8").urls] == ["00"]


def resource(server: Server, playlist: str) -> bytes:
    """A whole media playlist, put together as a player does."""
    answer = server.get(playlist)
    assert answer.status == 200, answer.body
    data = b""
    for line in answer.text.splitlines():
        if line.startswith("#EXT-X-MAP"):
            init = server.get(urljoin(playlist, line.split('"')[1]))
            assert init.status == 200, init.body
            data += init.body
        elif not line.startswith("#"):
            segment = server.get(urljoin(playlist, line))
            assert segment.status == 200, segment.body
            assert segment.headers["content-length"] == str(len(segment.body))
            data += segment.body
    return data


@pytest.mark.parametrize("container", ["fmp4", "ts"])
def test_what_a_playlist_lists_can_be_decoded(server: Server, container: str) -> None:
    data = resource(server, f"/ort/mono-{S}-3600.{container}.m3u8?token=a")
    assert len(decoded(data)) == 100
    assert len(decoded(data, "audio")) > 400


def test_master(server: Server) -> None:
    answer = server.get(f"/ort/index-{S}-10.m3u8?token=x%22y")
    assert answer.headers["cache-control"] == "no-cache"
    lines = answer.text.splitlines()
    assert lines[0] == "#EXTM3U" and lines[1] == "#EXT-X-VERSION:7"
    info = lines[-2]
    assert 'CODECS="avc1.' in info and 'mp4a.40.2"' in info
    assert "RESOLUTION=64x48" in info and "FRAME-RATE=10.000" in info and "BANDWIDTH=" in info
    assert answer.urls == [f"mono-{S}-10.fmp4.m3u8?token=x%22y"]
    assert server.get(urljoin(f"/ort/index-{S}-10.m3u8", answer.urls[0])).status == 200


@pytest.mark.parametrize(
    "master", ["/ort/index-{}-10.m3u8", "/ort/archive/{}/10/index.m3u8", "/ort/tracks-v1a1a2/index-{}-10.m3u8"]
)
@pytest.mark.parametrize("container", ["", ".ts"])
def test_alternate_audio(tmp_path: Path, master: str, container: str) -> None:
    recording = Recording(tmp_path)
    recording.blob(source=media(audios=2))
    server = Server([recording])
    url = master.format(S).replace(".m3u8", f"{container}.m3u8")
    answer = server.get(url)
    assert answer.status == 200, answer.body
    assert answer.text.count("#EXT-X-MEDIA:TYPE=AUDIO") == 2
    video = resource(server, urljoin(url, answer.urls[0]))
    with av.open(io.BytesIO(video)) as container_:
        assert [stream.type for stream in container_.streams] == ["video"]
    assert len(decoded(video)) == 100
    audio = next(line for line in answer.text.splitlines() if "tracks-a2" in line).split('URI="')[1][:-1]
    assert len(decoded(resource(server, urljoin(url, audio)), "audio")) > 400


def test_a_gap_is_a_discontinuity(recording: Recording) -> None:
    recording.blob()
    recording.blob(T + 60_000, sequence=130, after="source_lost")
    answer = Server([recording]).get(f"/ort/mono-{S}-3600.m3u8")
    assert answer.text.count("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-20T17:01:00.000Z\n") == 1
    assert answer.text.count("EXT-X-MAP") == 1


def test_blobs_that_join_are_continuous(recording: Recording) -> None:
    recording.blob()
    recording.blob(T + 10_000, sequence=105)
    answer = Server([recording]).get(f"/ort/mono-{S}-3600.m3u8")
    assert "DISCONTINUITY" not in answer.text
    assert len(answer.urls) == 10


def test_event_and_now(recording: Recording) -> None:
    recording.blob(closed=False)
    server = Server([recording], now_ms=T + 11_000)
    now = server.get(f"/ort/mono-{S}-now.m3u8")
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in now.text and "ENDLIST" not in now.text
    assert len(now.urls) == 4  # the last may still grow
    event = server.get(f"/ort/mono-{S}-60.m3u8?event=true")
    assert "EVENT" in event.text and "ENDLIST" not in event.text
    vod = server.get(f"/ort/mono-{S}-60.m3u8")
    assert "VOD" in vod.text and "ENDLIST" in vod.text
    server.now_ms = T + 100_000
    assert "VOD" in server.get(f"/ort/mono-{S}-60.m3u8?event=true").text


def test_shift(recording: Recording) -> None:
    recording.blob()
    server = Server([recording], now_ms=T + 11_000)
    answer = server.get(f"/ort/mono.m3u8?token=1?utc={S}&amp;lutc={S + 11}")
    assert "TYPE" not in answer.text and "#EXT-X-START:TIME-OFFSET=-6.000,PRECISE=YES\n" in answer.text
    assert [url[17:] for url in answer.urls] == [f"{second:02}.000-02000.m4s?token=1" for second in (0, 2, 4)]


def test_a_shift_that_is_opened_again_begins_again(recording: Recording) -> None:
    recording.blob(seconds=12)
    server = Server([recording], now_ms=T + 20_000)

    def first(now: int) -> str:
        (child,) = server.get(f"/ort/index.m3u8?token=1&utc={S}&lutc={S + now}").urls
        return server.get(f"/ort/{child}").urls[0]

    assert first(20).endswith("00.000-02000.m4s?token=1")
    server.now_ms += 5000
    assert first(20).endswith("02.000-02000.m4s?token=1"), "the same opening, 5 s later"
    assert first(25).endswith("00.000-02000.m4s?token=1"), "another one"


def test_live(recording: Recording) -> None:
    recording.play_live()
    server = Server([recording], now_ms=T + 10_000, live=True)
    answer = server.get("/ort/mono.m3u8")
    assert [url[17:19] for url in answer.urls] == ["00", "02", "04", "06"]
    assert "PLAYLIST-TYPE" not in answer.text and "ENDLIST" not in answer.text
    assert len(decoded(resource(server, "/ort/mono.m3u8"))) == 80
    assert len(decoded(resource(server, "/ort/video.m3u8"))) == 80
    assert server.get("/ort/index.m3u8").urls == ["tracks-v1a1/mono.fmp4.m3u8"]
    assert len(decoded(resource(server, "/ort/tracks-a1/mono.m3u8"), "audio")) > 300


def test_live_and_archive_are_the_same_segments(recording: Recording) -> None:
    recording.play_live()
    server = Server([recording], now_ms=T + 10_000, live=True)
    url = "/ort/2026/11/20/17/00/02.000-02000"
    live = [server.get(url + extension) for extension in (".m4s", ".ts")]
    recording.window.segments.clear()
    recording.blob()
    archived = [server.get(url + extension) for extension in (".m4s", ".ts")]
    assert [answer.body for answer in live] == [answer.body for answer in archived]
    assert [answer.headers["etag"] for answer in live] == [answer.headers["etag"] for answer in archived]
    assert server.accessed[0].facts.sent.ram and server.accessed[2].facts.sent.disk


def test_rewind_joins_archive_and_live(recording: Recording) -> None:
    recording.blob(seconds=6, closed=False)
    recording.play_live(seconds=10)
    server = Server([recording], now_ms=T + 10_000, live=True)
    urls = server.get("/ort/mono-rewind-3600.m3u8").urls
    assert [url[17:19] for url in urls] == ["00", "02", "04", "06"]
    assert "ENDLIST" not in server.get("/ort/mono-rewind-3600.m3u8").text


def test_timeshift_rel(recording: Recording) -> None:
    recording.blob()
    server = Server([recording], now_ms=T + 3_609_000)
    urls = server.get("/ort/mono-timeshift_rel-3600.m3u8").urls
    assert [url[17:19] for url in urls] == ["04", "06", "08"]
    server.now_ms += 1000
    assert [url[17:19] for url in server.get("/ort/mono-timeshift_rel-3600.m3u8").urls] == ["04", "06", "08"]
    server.now_ms += 900_000  # in the gap after it: what was last
    assert [url[17:19] for url in server.get("/ort/mono-timeshift_rel-3600.m3u8").urls] == ["04", "06", "08"]


@pytest.mark.parametrize(("form", "at"), [("rel-3600", 13.5), ("rel-3607", 6.5), (f"abs-{S + 13}.500", 13.5)])
def test_a_timeshift_leads_by_what_players_skip(recording: Recording, form: str, at: float) -> None:
    """They begin three segments before the end, or where EXT-X-START says."""
    recording.blob(seconds=12)
    recording.blob(T + 12_000, sequence=106, seconds=12, skip=0)
    server = Server([recording], now_ms=T + 3_613_500)
    answer = server.get(f"/ort/mono-timeshift_{form}.m3u8")
    made = hls_rules.check_media(answer.text)
    third = made.segments[-3]
    assert third.date_ms is not None and third.date_ms <= T + at * 1000 < third.date_ms + third.duration_ms
    end_ms = made.segments[-1].date_ms + made.segments[-1].duration_ms  # type: ignore[operator]
    assert made.start_s == pytest.approx(at - (end_ms - T) / 1000)


@pytest.mark.parametrize("form", ["rewind-9", "timeshift_rel-3600", f"timeshift_abs-{S}"])
def test_sliding_lists_keep_the_rules_from_reload_to_reload(tmp_path: Path, form: str) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    recording.blob(T + 10_000, sequence=105)
    recording.blob(T + 30_000, sequence=110, after="source_lost")
    recording.blob(T + 3_700_000, sequence=115, after="source_lost")
    late = {"r": 0, "t": 3_600_000, "a": 4_000_000}["a" if "abs" in form else form[0]]
    server, watch = Server([recording], now_ms=T + 8000 + late), hls_rules.Watch()
    for _ in range(60):
        server.now_ms += 700
        answer = server.get(f"/ort/mono-{form}.m3u8")
        if answer.status == 200:
            watch.see(answer.text)
    assert watch.last is not None and watch.last.sequence >= 108
    if "abs" in form:
        assert watch.last.segments[-1].number == 119, "it goes on behind the gap of an hour"


def test_a_timeshift_is_not_opened_by_asking_about_it(recording: Recording) -> None:
    recording.blob()
    server = Server([recording])
    assert server.get(f"/ort/mono-timeshift_abs-{S}.m3u8", method="HEAD").status == 200
    server.now_ms += 6000
    assert server.get(f"/ort/mono-timeshift_abs-{S}.m3u8").urls[0].endswith("00.000-02000.m4s")


def test_a_list_that_grows_is_begun_at_its_beginning(recording: Recording) -> None:
    recording.blob()
    server = Server([recording], now_ms=T + 11_000)
    for url in (f"/ort/mono-{S}-now.m3u8", f"/ort/mono-{S}-60.m3u8?event=true"):
        assert "#EXT-X-START:TIME-OFFSET=0.001,PRECISE=YES\n" in server.get(url).text
    assert "EXT-X-START" not in server.get(f"/ort/mono-{S}-8.m3u8").text


@pytest.mark.parametrize(
    ("url", "content_type"),
    [
        (f"index-{S - 9000}-60.m3u8", "application/vnd.apple.mpegurl"),
        (f"mono.m3u8?utc={S - 9000}", "application/vnd.apple.mpegurl"),
        (f"timeshift_abs-{S - 9000}.ts", "video/mp2t"),
        (f"archive-{S - 9000}-60.ts", "video/mp2t"),
        (f"archive-{S - 9000}-60.mp4", "video/mp4"),
    ],
)
def test_head_of_a_window_without_recordings_tells_the_type(tmp_path: Path, url: str, content_type: str) -> None:
    server = Server([Recording(tmp_path)], now_ms=T)
    answer = server.get(f"/ort/{url}", method="HEAD")
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert "content-length" not in answer.headers and answer.headers["cache-control"] == "no-store"
    assert server.get(f"/ort/{url}").status == 404
    assert server.get(f"/nobody/{url}", method="HEAD").status == 404


def test_timeshift_abs_belongs_to_the_session(recording: Recording) -> None:
    recording.blob()
    server = Server([recording])

    def shown(token: str) -> list[str]:
        return [url[17:19] for url in server.get(f"/ort/mono-timeshift_abs-{S}.m3u8?token={token}").urls]

    assert shown("a") == ["00", "02", "04"]
    server.now_ms += 2000
    assert shown("a") == ["00", "02", "04", "06"]
    server.now_ms += 2000
    assert shown("a") == ["02", "04", "06", "08"]
    assert shown("b") == ["00", "02", "04"]
    answer = server.get(f"/ort/timeshift_abs-{S}.m3u8?token=b")
    assert answer.urls == [f"tracks-v1a1/mono-timeshift_abs-{S}.fmp4.m3u8?token=b"]


def test_sliding_lists_count_discontinuities(recording: Recording) -> None:
    recording.blob()
    recording.blob(T + 60_000, sequence=130, after="source_lost")
    server = Server([recording], now_ms=T + 67_000)
    answer = server.get("/ort/mono-rewind-65.m3u8")
    assert "DISCONTINUITY-SEQUENCE" not in answer.text and "#EXT-X-DISCONTINUITY\n" in answer.text
    answer = server.get("/ort/mono-rewind-7.m3u8")
    assert "#EXT-X-MEDIA-SEQUENCE:130\n" in answer.text
    assert "DISCONTINUITY-SEQUENCE" not in answer.text and "#EXT-X-DISCONTINUITY\n" in answer.text
    answer = server.get("/ort/mono-rewind-6.m3u8")
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in answer.text and "#EXT-X-MEDIA-SEQUENCE:131\n" in answer.text
    assert "#EXT-X-DISCONTINUITY\n" not in answer.text


def test_mp4(server: Server) -> None:
    answer = server.get(f"/ort/archive-{S + 2}-5.mp4")
    assert answer.status == 200
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["content-disposition"] == f"attachment; filename=ort_{S + 2}_5.mp4"
    assert "x-prepare-time" in answer.headers and len(answer.headers["x-session"]) == 40
    assert len(decoded(answer.body)) == 50
    part = server.get(f"/ort/archive-{S + 2}-5.mp4", "Range: bytes=100-999", f"If-Range: {answer.headers['etag']}")
    assert (part.status, part.body) == (206, answer.body[100:1000])
    head = server.get(f"/ort/archive-{S + 2}-5.mp4", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))
    assert server.get(f"/ort/archive-{S + 2}-5.mp4", f"If-None-Match: {answer.headers['etag']}").status == 304


def test_mp4_of_chosen_tracks(server: Server) -> None:
    for url in (f"/ort/archive-{S}-5.mp4?filter.tracks=v1", f"/ort/tracks-v1/archive-{S}-5.mp4"):
        with av.open(io.BytesIO(server.get(url).body)) as container:
            assert [stream.type for stream in container.streams] == ["video"]
    assert server.get(f"/ort/tracks-a7/archive-{S}-5.mp4").status == 404


def test_mp4_up_to_now(server: Server) -> None:
    answer = server.get(f"/ort/archive-{S + 5}-now.mp4")
    assert answer.status == 200
    assert len(decoded(answer.body)) == 50
    assert answer.headers["content-disposition"] == f"attachment; filename=ort_{S + 5}_now.mp4"
    assert b"mvex" in answer.body
    assert len(decoded(server.get(f"/ort/tracks-v1/archive-{S + 5}-now.mp4").body)) == 50


def changing(recording: Recording) -> Server:
    """4 s with B-frames, 4 s without, 4 s with again; the last without sound."""
    recording.blob(seconds=4, source=media(b_frames=2))
    recording.blob(T + 4000, seconds=4, sequence=104, after="tracks_changed", source=media())
    recording.blob(T + 8000, seconds=4, sequence=108, after="tracks_changed", source=media(b_frames=2, audios=0))
    return Server([recording])


def test_an_mp4_over_a_change(recording: Recording) -> None:
    server = changing(recording)
    url = f"/ort/archive-{S + 1}-10.mp4"
    whole = server.get(url)
    assert len(decoded(whole.body)) == 100
    assert b"avc3" in whole.body and b"avc1" not in whole.body
    assert int(whole.headers["content-length"]) == len(whole.body)
    assert server.get(url).headers["etag"] == whole.headers["etag"]
    for start, stop in ((0, 9), (1000, 9000), (len(whole.body) // 2, len(whole.body) - 5)):
        assert server.get(url, f"Range: bytes={start}-{stop - 1}").body == whole.body[start:stop]


def test_a_file_per_configuration(recording: Recording) -> None:
    server = changing(recording)
    url = f"/ort/archive-{S + 1}-10.mp4?split=true"
    whole = server.get(url)
    assert whole.headers["content-type"] == "application/x-tar"
    assert whole.headers["content-disposition"] == f"attachment; filename=ort_{S + 1}_10.tar"
    assert int(whole.headers["content-length"]) == len(whole.body)
    with tarfile.open(fileobj=io.BytesIO(whole.body)) as files:
        names = files.getnames()
        contents = [files.extractfile(name).read() for name in names]  # type: ignore[union-attr]
        times = [one.mtime for one in files.getmembers()]
    assert names == [f"00{n}_2026-11-20T17-00-{at:02}Z.mp4" for n, at in ((1, 1), (2, 4), (3, 8))]
    assert times == [S + 1, S + 4, S + 8]
    assert [len(decoded(content)) for content in contents] == [30, 40, 30]
    assert all(b"avc1" in content and b"avc3" not in content for content in contents)
    assert server.get(url).headers["etag"] == whole.headers["etag"]
    for start, stop in ((0, 600), (511, 9000), (len(whole.body) // 2, len(whole.body))):
        assert server.get(url, f"Range: bytes={start}-{stop - 1}").body == whole.body[start:stop]
    sound = server.get(f"/ort/tracks-a1/archive-{S + 1}-10.mp4?split=true")
    with tarfile.open(fileobj=io.BytesIO(sound.body)) as files:
        assert len(files.getnames()) == 1, "the sound is the same before and after"


def test_an_mp4_up_to_now_over_a_change(recording: Recording) -> None:
    server = changing(recording)
    assert len(decoded(server.get(f"/ort/archive-{S + 1}-now.mp4").body)) == 110
    assert len(decoded(server.get(f"/ort/archive-{S + 9}-now.mp4").body)) == 30
    with tarfile.open(fileobj=io.BytesIO(server.get(f"/ort/archive-{S + 1}-now.mp4?split=true").body)) as files:
        assert len(files.getnames()) == 3


def test_ts_download(server: Server) -> None:
    for url in (f"/ort/archive-{S + 2}-4.ts", f"/ort/archive/{S + 2}/4/mpegts"):
        answer = server.get(url)
        assert answer.headers["content-type"] == "video/mp2t"
        assert answer.headers["content-disposition"] == f"attachment; filename=ort_{S + 2}_4.ts"
        assert len(decoded(answer.body)) == 40
        assert faults(answer.body) == []
    head = server.get(f"/ort/archive-{S + 2}-4.ts", method="HEAD")
    assert head.body == b""
    assert int(head.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("tracks", ["", "tracks-v1/", "tracks-a1/"])
def test_ranges_of_a_ts_download(recording: Recording, tracks: str) -> None:
    recording.blob()
    recording.blob(T + 60_000, sequence=130, after="source_lost")
    server = Server([recording])
    url = f"/ort/{tracks}archive-{S + 3}-68.5.ts"
    whole = server.get(url)
    assert whole.status == 200
    assert int(whole.headers["content-length"]) == len(whole.body)
    assert faults(whole.body) == []
    assert server.get(url).headers["etag"] == whole.headers["etag"]
    for start, stop in ((0, 1), (0, 188), (1000, 1001), (187, 40_000), (len(whole.body) // 2, len(whole.body))):
        part = server.get(url, f"Range: bytes={start}-{stop - 1}")
        assert part.status == 206
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole.body)}"
        assert part.body == whole.body[start:stop]
    assert server.get(url, f"Range: bytes={len(whole.body)}-").status == 416
    assert server.get(url, f"If-None-Match: {whole.headers['etag']}").status == 304
    assert server.get(url, "Range: bytes=5-9", 'If-Range: "another"').body == whole.body


def test_a_ts_download_too_long_to_be_measured(server: Server) -> None:
    measured, streamed = (server.get(f"/ort/archive-{S + 2}-{duration}.ts") for duration in (7200, 7201))
    assert "content-length" in measured.headers
    assert "content-length" not in streamed.headers
    assert measured.body == streamed.body


def test_ts_download_over_a_gap(recording: Recording) -> None:
    recording.blob()
    recording.blob(T + 60_000, sequence=130, after="source_lost")
    times = decoded(Server([recording]).get(f"/ort/archive-{S}-600.ts").body)
    assert len(times) == 200
    assert max(later - earlier for earlier, later in zip(times, times[1:], strict=False)) < 0.2


@pytest.mark.parametrize("tracks", ["", "tracks-v1/", "tracks-a1/"])
@pytest.mark.parametrize("form", [f"archive-{S}-60.ts", f"archive-{S}-7201.ts", f"timeshift_abs-{S}.ts"])
def test_one_transport_stream_over_gaps_and_changes(recording: Recording, tracks: str, form: str) -> None:
    recording.blob(seconds=4, source=media(b_frames=2))
    recording.blob(T + 4000, seconds=4, sequence=104, source=media(b_frames=2), skip=4)
    recording.blob(T + 20_000, seconds=4, sequence=108, after="source_lost", source=media(audios=2))
    recording.blob(T + 24_000, seconds=4, sequence=112, after="tracks_changed", source=media(b_frames=1, audios=0))
    server = Server([recording])
    transport = server.open(f"/ort/{tracks}{form}")
    server.now_ms += 60_000
    server.clock.pump([1] * 60)
    answer = Answer(transport.value() + (b"0\r\n\r\n" if "timeshift" in form else b""))
    rules = rules_of(answer.body)
    assert rules.found == []
    # A file whose length is known announces from its beginning what comes later; what is read as it goes on can't.
    assert len(rules.programs) == (3 if not tracks and "-60.ts" not in form else 1)
    assert len(decoded(answer.body, "audio" if tracks == "tracks-a1/" else "video")) >= (160 if "v1" in tracks else 100)


def test_segments_of_a_list_are_one_transport_stream(recording: Recording) -> None:
    recording.blob(seconds=8, source=media(b_frames=2))
    recording.blob(T + 8000, seconds=4, sequence=104, source=media(b_frames=2), skip=8)
    recording.blob(T + 20_000, seconds=4, sequence=106, after="source_lost", source=media(audios=2))
    server = Server([recording])
    answer = server.get(f"/ort/video-{S}-60.m3u8")
    blocks = answer.text.split("#EXT-X-DISCONTINUITY\n")
    lists = [[line for line in block.splitlines() if line.endswith(".ts")] for block in blocks]
    assert [len(part) for part in lists] == [6, 2]
    parts = [server.get(f"/ort/{url}").body for part in lists for url in part]
    assert faults(parts, said={6}) == []


def test_a_timeshift_is_paced(recording: Recording) -> None:
    for hour in range(6):
        recording.blob(T + hour * 10_000, sequence=100 + hour * 5)
    server = Server([recording])
    transport = server.open(f"/ort/timeshift_abs-{S}.ts")
    first = Answer(transport.value() + b"0\r\n\r\n")
    assert 100 <= len(decoded(first.body)) <= 140
    for _ in range(100):
        server.now_ms += 100
        server.clock.advance(0.1)
    second = Answer(transport.value() + b"0\r\n\r\n")
    assert 200 <= len(decoded(second.body)) <= 240


def test_a_timeshift_follows_the_live_window(recording: Recording) -> None:
    recording.blob()
    server = Server([recording], now_ms=T + 15_000, live=True)
    transport = server.open("/ort/timeshift_rel-12.ts")
    before = len(transport.value())
    recording.play_live(T + 10_000, 10)
    for _ in range(120):
        server.now_ms += 100
        server.clock.advance(0.1)
    assert len(transport.value()) > before
    assert len(decoded(Answer(transport.value() + b"0\r\n\r\n").body)) > 120


def test_live_ts(recording: Recording) -> None:
    recording.play_live(seconds=3)
    server = Server([recording], now_ms=T + 3_000, live=True)
    transport = server.open("/ort/mpegts")
    recording.play_live(T + 3000, 4, skip=3)
    answer = Answer(transport.value() + b"0\r\n\r\n")
    assert answer.headers["content-type"] == "video/mp2t"
    assert len(decoded(answer.body)) == 50  # from the growing segment's beginning
    assert faults(answer.body) == []


def test_a_live_viewer_who_leaves_is_forgotten(recording: Recording) -> None:
    recording.play_live(seconds=3)
    server = Server([recording], now_ms=T + 3_000, live=True)
    for url in ("/ort/mpegts", f"/ort/timeshift_abs-{S}.ts"):
        server.open(url)
        server.protocols[-1].connectionLost(Failure(ConnectionLost()))
        assert not recording.window._subscribers
        assert not server.clock.getDelayedCalls()
    assert all(request.facts.sent.ram for request in server.accessed)


def test_recording_status(recording: Recording) -> None:
    recording.blob()
    recording.blob(T + 60_000, sequence=130, after="source_lost")
    server = Server([recording])
    answer = server.get("/ort/recording_status.json?from=1525186456&request=ranges,locks,brief_thumbnails&token=1")
    assert answer.json == [
        {
            "stream": "ort",
            "ranges": [{"from": S, "duration": 10}, {"from": S + 60, "duration": 10}],
            "locks": [],
            "brief_thumbnails": [],
        }
    ]
    assert server.get(f"/ort/recording_status.json?from={S + 5}&to={S + 20}").json == [
        {"stream": "ort", "ranges": [{"from": S + 5, "duration": 5}]}
    ]


def test_ranges(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in (0, 60, 120):
        recording.blob(T + at * 1000)
    server = Server([recording])
    answer = server.get("/ort/ranges.json?token=1")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert [item["from"] for item in answer.json["ranges"]] == [S, S + 60, S + 120]
    monkeypatch.setattr("flussdvr.web.media.routes.MANY_RANGES", 0)
    assert server.get("/ort/ranges.json").json == answer.json, "the CPU worker lists the same"
    assert server.get("/ort/ranges.json?limit=x").status == 400
    assert server.get("/nobody/ranges.json").status == 404


def test_media_info(server: Server) -> None:
    info = server.get("/ort/media_info.json").json
    assert server.get("/ort/info.json").json == info
    assert info["name"] == "ort"
    tracks = info["stats"]["media_info"]["tracks"]
    assert [(track["track_id"], track["content"], track["codec"]) for track in tracks] == [
        ("v1", "video", "h264"),
        ("a1", "audio", "aac"),
    ]
    assert info["stats"]["dvr_info"]["from"] == S


REFUSED = [
    ("/none/index.m3u8", 404, "stream_not_found"),
    ("/none/archive-1-2.mp4", 404, "stream_not_found"),
    (f"/ort/mono-{S - 5000}-60.m3u8", 404, "no_recordings"),
    (f"/ort/index-{S - 5000}-60.m3u8", 404, "no_recordings"),
    (f"/ort/index-{S + 90000}-60.m3u8", 404, "no_recordings"),
    (f"/ort/archive-{S - 5000}-60.mp4", 404, "no_recordings"),
    (f"/ort/archive-{S + 90000}-now.mp4", 404, "no_recordings"),
    (f"/ort/archive-{S + 90000}-60.ts", 404, "no_recordings"),
    (f"/ort/timeshift_abs-{S + 90000}.ts", 404, "no_recordings"),
    (f"/ort/mono-timeshift_abs-{S + 90000}.m3u8", 404, "no_recordings"),
    ("/ort/mono.m3u8", 404, "no_recordings"),
    ("/ort/mpegts", 404, "no_recordings"),
    ("/ort/2026/11/20/17/00/01.000-02000.m4s", 404, "segment_not_found"),
    ("/ort/2026/11/20/17/00/02.000-02001.ts", 404, "segment_not_found"),
    ("/ort/init-0123456789abcdef.mp4", 404, "init_not_found"),
    ("/ort/preview.jpg", 501, "not_implemented"),
    ("/ort", 404, "not_found"),
    ("/ort//index.m3u8", 404, "not_found"),
    ("/ort/%2e%2e/index.m3u8", 400, "bad_request"),
    ("/ort/index-1-99999999999999999999.m3u8", 400, "bad_request"),
    ("/streamer/api/v3/none", 404, "not_found"),
]


@pytest.mark.parametrize(("url", "status", "code"), REFUSED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_refusals_are_json_for_everyone(server: Server, url: str, status: int, code: str, method: str) -> None:
    answer = server.get(url, method=method)
    if method == "HEAD" and code == "no_recordings" and url not in ("/ort/mono.m3u8", "/ort/mpegts"):
        assert answer.status == 200, "a URL of the archive that might be one"
        return
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.json["error"] == code
        assert answer.json["errors"][0]["status"] == str(status)


def test_methods(server: Server) -> None:
    options = server.get(f"/ort/index-{S}-10.m3u8", method="OPTIONS")
    assert (options.status, options.body) == (204, b"")
    assert "Range" in options.headers["access-control-allow-headers"]
    asked = "Access-Control-Request-Headers: session,X-Mine, range,x-csrf-token,cookie,*,b\u00e4d," + "x" * 65
    options = server.get("/ort/ranges.json", asked, method="OPTIONS")
    allowed = options.headers["access-control-allow-headers"].lower().split(", ")
    assert {"session", "x-mine", "range", "authorization"} <= set(allowed) and len(allowed) == len(set(allowed))
    assert not {"x-csrf-token", "cookie", "*"} & set(allowed) and all(name.isascii() for name in allowed)
    many = "Access-Control-Request-Headers: " + ",".join(f"a{at}" for at in range(1000))
    assert len(server.get("/ort/info.json", many, method="OPTIONS").headers["access-control-allow-headers"]) < 300
    for method in ("DELETE", "PUT", "POST", "PROPFIND"):
        answer = server.get(f"/ort/index-{S}-10.m3u8", "Content-Length: 0", method=method)
        assert (answer.status, answer.json["error"]) == (405, "unknown_operation")


def test_ranges_and_heads_of_playlists_are_normal(server: Server) -> None:
    whole = server.get(f"/ort/mono-{S}-10.m3u8")
    ranged = server.get(f"/ort/mono-{S}-10.m3u8", "Range: bytes=0-", "Icy-MetaData: 1")
    assert (ranged.status, ranged.body) == (200, whole.body)
    head = server.get(f"/ort/mono-{S}-10.m3u8", method="HEAD")
    assert (head.status, head.headers["content-length"]) == (200, str(len(whole.body)))
    assert all("accept-ranges" not in answer.headers for answer in (whole, ranged, head))


def test_gzip(recording: Recording) -> None:
    for hour in range(6):
        recording.blob(T + hour * 10_000, sequence=100 + hour * 5)
    server = Server([recording])
    plain = server.get(f"/ort/mono-{S}-600.m3u8")
    packed = server.get(f"/ort/mono-{S}-600.m3u8", "Accept-Encoding: br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


def test_init_segments_are_found_without_having_been_listed(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob(source=media(audios=2))
    recording.blob(T + 60_000, sequence=200)
    listed = Server([recording]).get(f"/ort/tracks-v1a2/mono-{S}-10.m3u8").text
    init = listed.split('MAP:URI="')[1].split('"')[0]
    fresh = Server([recording]).get(f"/ort/tracks-v1a2/{init}")
    assert fresh.status == 200
    assert "immutable" in fresh.headers["cache-control"]


def test_names_with_slashes(tmp_path: Path) -> None:
    recording = Recording(tmp_path, "a/b/c")
    recording.blob()
    server = Server([recording])
    assert len(decoded(resource(server, f"/a/b/c/mono-{S}-10.m3u8"))) == 100
    disposition = server.get(f"/a/b/c/archive-{S}-5.mp4").headers["content-disposition"]
    assert disposition == f"attachment; filename=a_b_c_{S}_5.mp4"


def test_b_frames(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob(source=media(b_frames=2))
    server = Server([recording])
    for container in ("fmp4", "ts"):
        times = decoded(resource(server, f"/ort/mono-{S}-10.{container}.m3u8"))
        assert len(times) == 100
        assert times == sorted(times)
