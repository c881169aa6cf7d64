"""A camera that answers anything; on real sockets where HTTP itself is in question."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from PIL import Image
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from flussdvr.archive.thumbs import ThumbsRecorder
from flussdvr.errors import DvrError
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.snapshot import MAX_WAIT_S, SnapshotPoller, checked_jpeg, fetch_jpeg, without_password
from flussdvr.threads import InlineWorker
from tests.events.documents import documents
from tests.playback.camera_stamps import Recording, T, result
from tests.playback.thumbs import root_of

BOX = Box(320, 9999)
reactor: Any = real_reactor


def jpeg(width: int = 640, height: int = 360, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(out, "JPEG", **options)
    return out.getvalue()


# -- what a camera may send -------------------------------------------------------------------------------------------


def test_a_good_picture_is_made_to_fit() -> None:
    data, width, height = checked_jpeg(jpeg(), BOX)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (width, height) == (320, 180)
        red, green, blue = image.getpixel((100, 100))  # type: ignore[misc]
        assert abs(red - 200) < 8 and abs(green - 30) < 8 and abs(blue - 60) < 8
    grey = io.BytesIO()
    Image.new("L", (100, 100)).save(grey, "JPEG")
    assert checked_jpeg(grey.getvalue(), BOX)[1:] == (100, 100)


def png_bomb() -> bytes:
    rows = zlib.compress(b"\0" * 10_000_000)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def enormous_jpeg() -> bytes:
    """A small file that says it is 65500 x 65500."""
    data = bytearray(jpeg(16, 16))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>Please log in</body></html>",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" * 5000,
        jpeg()[: len(jpeg()) // 2],
        png_bomb(),
        enormous_jpeg(),
        b"GIF89a" + b"\xff" * 100,
    ],
    ids=["nothing", "html", "no image", "markers", "half", "png bomb", "jpeg bomb", "gif"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(DvrError) as caught:
        checked_jpeg(data, BOX)
    assert caught.value.code == "undecodable_picture"


# -- asking -----------------------------------------------------------------------------------------------------------


class Camera:
    """What is fetched is what a test has put into `answers`, in order; then it is never answered."""

    def __init__(self, folder: Path, interval_s: float = 5) -> None:
        self.recording = Recording(folder)
        self.recording.blob(seconds=10)
        self.clock = Clock()
        self.answers: list[Deferred[bytes]] = []
        self.asked = 0
        self.events: list[dict[str, Any]] = []
        root = root_of(self.recording)
        self.recorder = ThumbsRecorder(self.recording.archive, lambda path: root)
        self.poller = SnapshotPoller(
            *("ort", "http://admin:secret@cam/snap.jpg?key=1", interval_s, self.recorder, InlineWorker(), BOX),
            *(self.clock, lambda: T + int(self.clock.seconds() * 1000), documents(self.events), self.fetch),
        )

    def fetch(self, url: str) -> Deferred[bytes]:
        self.asked += 1
        return self.answers.pop(0) if self.answers else Deferred()

    def wait(self, seconds: float, *answers: Deferred[bytes]) -> None:
        self.answers += answers
        self.clock.advance(seconds)


def test_one_per_segment(tmp_path: Path) -> None:
    camera = Camera(tmp_path)
    assert camera.asked == 1
    camera.poller._loop.cancel()
    camera = Camera(tmp_path / "2")
    camera.wait(0)
    assert camera.asked == 1  # no answer yet: not asked again
    camera.wait(30)
    assert camera.asked == 1
    result(camera.poller.stop())


def test_it_goes_on_after_failures_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [fail(TimeoutError()), succeed(b"<html>"), fail(ConnectionRefusedError("no")), *[succeed(b"") for _ in "12"]]
    monkeypatch.setattr(Camera, "fetch", lambda self, url: bad.pop(0) if bad else succeed(jpeg()))
    camera = Camera(tmp_path)
    poller = camera.poller
    waits = []
    while poller.failed < 5:
        waits.append(poller.wait_s)
        camera.wait(poller.wait_s)
    assert waits == [10, 20, 40, 60] and poller.wait_s == MAX_WAIT_S
    assert [event["reason"] for event in camera.events] == ["snapshot_failed"]  # of a row of failures the first
    assert poller.taken == 0
    camera.wait(60)
    assert (poller.taken, poller.wait_s) == (1, 5)
    bad.append(succeed(b""))
    camera.wait(5)
    assert [event["reason"] for event in camera.events] == ["snapshot_failed", "undecodable_picture"]
    result(poller.stop())


def test_snapshots_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Camera, "fetch", lambda self, url: succeed(jpeg()))
    camera = Camera(tmp_path)
    camera.wait(5)
    assert (camera.poller.taken, camera.recorder.written) == (2, 2)
    result(camera.poller.stop())
    camera.wait(100)
    assert camera.poller.taken == 2


def test_no_password_in_the_log() -> None:
    assert without_password("http://admin:secret@cam:81/snap.jpg?key=1") == "http://cam:81/snap.jpg"


class Answers(Resource):
    """`/{kind}`."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.authorization: bytes | None = None
        self.lost = 0

    def render_GET(self, request: Any) -> Any:
        self.authorization = request.getHeader(b"authorization")
        request.notifyFinish().addErrback(lambda failure: setattr(self, "lost", self.lost + 1))
        match request.path:
            case b"/good":
                return jpeg()
            case b"/large":
                request.write(b"\xff" * 100_000)
                return NOT_DONE_YET
            case b"/silent":
                request.write(b"\xff\xd8")
                return NOT_DONE_YET
            case b"/moved":
                request.redirect(b"/good")
                return b""
        request.setResponseCode(401)
        return b"<html>"


@pytest_twisted.ensureDeferred
async def test_http() -> None:
    answers = Answers()
    port = reactor.listenTCP(0, Site(answers), interface="127.0.0.1")
    base = f"127.0.0.1:{port.getHost().port}"
    try:
        assert await fetch_jpeg(f"http://{base}/good", reactor) == jpeg()
        assert await fetch_jpeg(f"http://us%40er:s%3Acret@{base}/moved", reactor) == jpeg()
        assert answers.authorization == b"Basic dXNAZXI6czpjcmV0"
        for path, limit, code in (("large", 50_000, "snapshot_too_large"), ("none", 50_000, "snapshot_failed")):
            with pytest.raises(DvrError) as caught:
                await fetch_jpeg(f"http://{base}/{path}", reactor, limit)
            assert caught.value.code == code
        with pytest.raises(TimeoutError):
            await fetch_jpeg(f"http://{base}/silent", reactor, 50_000, 0.1)
        await deferLater(reactor, 0.05)
        assert answers.lost == 2  # neither of the endless answers is left open
        with pytest.raises(Exception, match="refused"):
            await fetch_jpeg("http://127.0.0.1:1/x", reactor)
    finally:
        await port.stopListening()
