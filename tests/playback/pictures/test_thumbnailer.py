from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from flussdvr.archive.thumbs import ThumbsRecorder
from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.live.window import LiveWindow
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.stored import StoredPictures
from flussdvr.playback.pictures.thumbnailer import UNDER_WAY, Thumbnailer
from flussdvr.playback.sources import Source
from flussdvr.threads import MemoryWorker
from flussdvr.timeline import Range
from tests.events.documents import documents
from tests.playback.camera_stamps import Recording, Shot, T, lay_down, result, seen, shoot
from tests.playback.recordings import media
from tests.playback.thumbs import root_of

BOX = Box(320, 9999)


class Studio:
    """A recording of one take, whose live window and codec thread a test moves on."""

    def __init__(self, folder: Path, kind: str = "h264-open", box: Box = BOX) -> None:
        self.recording = Recording(folder)
        self.shot: Shot = shoot(kind, T // 1000, 11)
        self.window: LiveWindow = self.recording.window
        self.window.open(self.shot.init, (self.shot.track,))
        self.codec = MemoryWorker()
        self.events: list[dict[str, Any]] = []
        root = root_of(self.recording)
        self.recorder = ThumbsRecorder(self.recording.archive, lambda path: root)
        self.box = box
        self.position = 0

    def taker(self) -> Thumbnailer:
        return Thumbnailer("ort", self.window, self.recorder, self.codec, self.box, documents(self.events))

    def live(self, count: int) -> None:
        for fragment in self.shot.fragments[self.position : self.position + count]:
            self.window.append(fragment, self.window.begins_segment(fragment))
        self.position += count

    def stored(self) -> dict[int, bytes]:
        """What is on the disk, by moment."""
        pictures = StoredPictures(lambda: T)
        found = result(pictures.within(Source("ort", None, self.recording.archive), Range(0, 2 * T)))
        return {thumb.at_ms: result(pictures.read(thumb)) for thumb in found}


@pytest.mark.parametrize("kind", ["h264-open", "h265"])
def test_one_per_segment_from_its_first_key_frame(tmp_path: Path, kind: str) -> None:
    studio = Studio(tmp_path, kind)
    taker = studio.taker()
    lay_down(studio.recording, studio.shot)
    for _ in range(11):
        studio.live(1)
        studio.codec.step()
    assert (taker.taken, taker.skipped, taker.failed) == (6, 0, 0)
    stored = studio.stored()
    assert list(stored) == [T + 2000 * number for number in range(6)]
    assert all(seen(jpeg) == at_ms for at_ms, jpeg in stored.items())
    result(taker.stop())


def test_it_begins_in_the_middle_of_a_segment_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.live(2)
    taker = studio.taker()
    assert len(studio.codec) == 1
    lay_down(studio.recording, studio.shot)
    studio.codec.step()
    result(taker.stop())
    studio.live(9)
    assert (len(studio.codec), taker.taken) == (0, 1)


def test_a_codec_thread_that_is_behind_costs_thumbnails(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    taker = studio.taker()
    lay_down(studio.recording, studio.shot)
    studio.live(11)
    assert (len(studio.codec), taker.skipped) == (UNDER_WAY, 6 - UNDER_WAY)
    while studio.codec.step():
        pass
    assert taker.taken == len(studio.stored()) == UNDER_WAY
    studio.codec.limit = 0
    studio.window.gap("test")
    studio.position = 0
    studio.live(1)
    assert taker.skipped == 6 - UNDER_WAY + 1


def test_a_key_frame_that_does_not_decode_is_told_once(tmp_path: Path, event_schema: Any) -> None:
    studio = Studio(tmp_path)
    taker = studio.taker()
    lay_down(studio.recording, studio.shot)
    good = studio.shot.fragments
    broken = [type(one)(one.data[:400] + b"\x5a" * 99_999, *[getattr(one, name) for name in
              ("head_size", "begin_ms", "end_ms", "sync")]) for one in good[:4]]  # fmt: skip
    for fragment in (*broken, *good[4:]):
        studio.window.append(fragment, studio.window.begins_segment(fragment))
        studio.codec.step()
    assert (taker.failed, taker.taken) == (2, 4)
    assert [event["event"] for event in studio.events] == ["thumbnail_failed"]
    event_schema.check_own(studio.events)
    assert studio.events[0] == {
        "event": "thumbnail_failed", "media": "ort", "begin_ms": T, "reason": "undecodable_picture"
    }  # fmt: skip


def test_sound_alone_has_no_thumbnails(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    sound = tuple(track for track in media().tracks if not track.is_video)
    studio.window.open(write_init(sound), sound)
    taker = studio.taker()
    studio.live(3)
    assert (len(studio.codec), taker.failed) == (0, 0)


def test_size(tmp_path: Path) -> None:
    from PIL import Image

    studio = Studio(tmp_path, box=Box(100, 40))
    studio.taker()
    lay_down(studio.recording, studio.shot)
    studio.live(1)
    studio.codec.step()
    (jpeg,) = studio.stored().values()
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (71, 40)
    assert isinstance(studio.codec.stop(), Deferred)
