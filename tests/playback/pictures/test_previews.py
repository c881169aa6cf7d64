from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from flussdvr.body.body import Extent
from flussdvr.errors import DvrError
from flussdvr.playback.pictures import previews
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.key_frame import KeyFrame, key_frame_for
from flussdvr.playback.pictures.previews import CACHE_BYTES, Previews
from flussdvr.playback.sources import Source
from flussdvr.threads import Busy, MemoryWorker
from tests.events.documents import documents
from tests.playback.camera_stamps import Recording, T, lay_down, result, shoot

BOX = Box(320, 9999)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    recording = Recording(tmp_path)
    lay_down(recording, shoot("h264", T // 1000, 11))
    return Source("ort", None, recording.archive)


class Camera:
    """Previews whose codec thread is stepped by hand."""

    def __init__(self, limit: int = 4) -> None:
        self.codec = MemoryWorker()
        self.events: list[dict[str, Any]] = []
        self.previews = Previews(self.codec, limit, documents(self.events))

    def ask(self, key: KeyFrame, box: Box = BOX) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.previews.jpeg("ort", key, box))


def key_at(source: Source, second: int) -> KeyFrame:
    key: KeyFrame = result(key_frame_for(source, T + second * 1000))
    return key


def outcome(work: Deferred[Any]) -> Any:
    got: list[Any] = []
    work.addBoth(got.append)
    return got[0] if got else None


def test_many_who_ask_for_one_picture_wait_for_one_decoding(source: Source) -> None:
    camera = Camera()
    asked = [camera.ask(key_at(source, 2)) for _ in range(200)]
    assert len(camera.codec) == 1 and camera.previews.under_way == 1
    asked[0].addErrback(lambda failure: None).cancel()  # one goes away
    camera.codec.step()
    assert len({outcome(one) for one in asked[1:]}) == 1
    assert camera.previews.decoded == 1
    assert outcome(camera.ask(key_at(source, 2)))[:2] == b"\xff\xd8"
    assert len(camera.codec) == 0


def test_sizes_are_different_pictures(source: Source) -> None:
    camera = Camera()
    camera.ask(key_at(source, 2), Box(100, 9999))
    camera.ask(key_at(source, 2), Box(101, 9999))
    assert len(camera.codec) == 2


def test_more_than_may_be_under_way_are_refused_and_read_nothing(source: Source) -> None:
    camera = Camera(limit=2)
    camera.ask(key_at(source, 0)), camera.ask(key_at(source, 2))
    refused = outcome(camera.ask(key_at(source, 4)))
    assert isinstance(refused, Failure) and refused.check(Busy)
    assert refused.value.status == 503
    assert (camera.previews.refused, len(camera.codec)) == (1, 2)
    camera.codec.step()
    camera.ask(key_at(source, 4))
    assert len(camera.codec) == 2


def test_bytes_under_way_are_bounded_too(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera()
    monkeypatch.setattr(previews, "MAX_BYTES", 3 * len(key_at(source, 0).sample()) // 2)
    camera.ask(key_at(source, 0))
    refused = outcome(camera.ask(key_at(source, 4)))
    assert isinstance(refused, Failure) and refused.check(Busy)
    camera.codec.step()
    assert camera.previews.bytes_under_way == 0
    camera.ask(key_at(source, 4))
    assert len(camera.codec) == 1


def test_the_cache_is_bounded(source: Source) -> None:
    camera = Camera()
    camera.previews._cache.limit = 30_000
    for width in range(200, 230):
        camera.ask(key_at(source, 0), Box(width, 9999))
        camera.codec.step()
    assert camera.previews._cache.cost <= 30_000 < CACHE_BYTES
    assert camera.previews.decoded == 30


def test_a_key_frame_that_does_not_decode_is_told_and_the_next_is_fine(source: Source) -> None:
    camera = Camera()
    key = key_at(source, 2)
    sample = key.sample().parts[0]
    assert isinstance(sample, Extent)
    with open(str(sample.file), "r+b") as file:
        file.seek(sample.offset)
        file.write(b"\x5a" * sample.length)
    work = camera.ask(key)
    camera.codec.step()
    failed = outcome(work)
    assert isinstance(failed, Failure) and isinstance(failed.value, DvrError)
    assert (failed.value.code, failed.value.status) == ("undecodable_picture", 500)
    assert camera.events == [
        {"event": "thumbnail_failed", "media": "ort", "begin_ms": T + 2000, "reason": "undecodable_picture"}
    ]
    assert camera.previews.under_way == 0
    work = camera.ask(key_at(source, 4))
    camera.codec.step()
    assert outcome(work)[:2] == b"\xff\xd8"


def test_what_has_been_deleted_meanwhile_is_not_found(source: Source) -> None:
    camera = Camera()
    key = key_at(source, 2)
    sample = key.sample().parts[0]
    assert isinstance(sample, Extent)
    Path(str(sample.file)).unlink()
    failed = outcome(camera.ask(key))
    assert isinstance(failed, Failure) and isinstance(failed.value, DvrError) and failed.value.status == 404
    assert camera.previews.under_way == 0
