"""
Recordings of which no file is on this machine: whatever is made of them is the same.

Covers no module of its own: all of playback reads through `body.file`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from flussdvr.body.body import Body
from flussdvr.body.file import Directory, Place
from flussdvr.body.seekable import SeekableBody
from flussdvr.errors import DvrError
from flussdvr.export.exporter import Exporter, Order
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.key_frame import key_frame_for
from flussdvr.playback.pictures.moment import moment_at
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.pictures.stored import StoredPictures
from flussdvr.playback.playback import Playback, make_playback
from flussdvr.playback.selection import parse_selection
from flussdvr.playback.sources import Source
from flussdvr.playback.view import View
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.body.places import Elsewhere
from tests.playback.camera_stamps import result
from tests.playback.recordings import SEGMENT_MS, Recording, T, media
from tests.playback.thumbs import store_thumbs

WINDOW = Range(T + 1500, T + 17_500)
PARTS = View("fmp4", parse_selection("a1")), View("fmp4"), View("ts"), View("ts", parse_selection("v1"))


class Both:
    """The same recording, read here and as another machine's."""

    def __init__(self, path: Path) -> None:
        self.recording = Recording(path)
        self.recording.blob()
        self.recording.blob(T + 10_000, seconds=8, after="source_lost", source=media(b_frames=2))
        store_thumbs(self.recording, [T, T + 2000, T + 12_000])
        self.here: Place = self.recording.place
        self.elsewhere = Elsewhere(str(path))
        self.source = Source("ort", None, self.recording.archive)

    def same(self, make: Callable[[Playback], Any]) -> Any:
        """What is made in either way, by a playback that knows nothing yet."""
        made = []
        for place in (self.here, self.elsewhere):
            self.recording.place = place
            made.append(make(make_playback(InlineWorker(), Clock(), lambda: T + 60_000)))
        assert made[0] == made[1]
        assert self.elsewhere.opened == 0
        return made[1]

    def chunks(self) -> int:
        """Chunks that were read elsewhere, so far."""
        return next(self.elsewhere.chunks)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def content(body: Body) -> bytes:
    with SeekableBody(body) as file:
        return file.read()


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("view", PARTS, ids=str)
def test_segments(both: Both, view: View) -> None:
    def segment(playback: Playback) -> bytes:
        return content(result(playback.segments.body(both.source, T + SEGMENT_MS, SEGMENT_MS, view)))

    assert len(both.same(segment)) > 500 and both.chunks() > 1


@pytest.mark.parametrize("split", [False, True])
def test_files(both: Both, split: bool) -> None:
    def file(playback: Playback) -> tuple[bytes, str]:
        made = playback.exports.mp4(both.source, WINDOW.begin_ms, WINDOW.duration_ms, None, False, split)
        export = result(made)
        return content(export.body), export.etag

    assert len(both.same(file)[0]) > 10_000 and both.chunks() > 1


def test_a_file_of_fragments(both: Both) -> None:
    window = Range(T, T + 9000)
    assert len(both.same(lambda playback: content(result(playback.exports.fragments(both.source, window))))) > 5000
    assert both.chunks() > 1


def test_a_file_of_packets(both: Both) -> None:
    def file(playback: Playback) -> tuple[bytes, str]:
        export = result(playback.ts.export(both.source, WINDOW.begin_ms, WINDOW.duration_ms, None))
        return result(joined(export.chunks(0, export.length))), export.etag

    assert len(both.same(file)[0]) > 10_000 and both.chunks() > 1


def test_init_segments(both: Both) -> None:
    def found(playback: Playback) -> bytes:
        init = make_playback(InlineWorker(), Clock(), lambda: 0).inits
        tracks = media().tracks
        url = init.url(result(both.recording.archive.table(both.recording.archive.blobs()[0])).init, tracks, None)
        return result(playback.inits.find(both.source, url[5:-4], None))

    assert len(both.same(found)) > 100 and both.chunks() > 1


def test_pictures(both: Both) -> None:
    def pictures(playback: Playback) -> list[bytes]:
        previews, stored = Previews(InlineWorker()), StoredPictures(lambda: 2 * T)
        frames = [result(key_frame_for(both.source, T + 12_000)), result(moment_at(both.source, T + 4321))]
        made = [result(previews.jpeg("ort", frame, Box(64, 48))) for frame in frames]
        return made + [result(stored.read(thumb)) for thumb in result(stored.within(both.source, WINDOW))]

    made = both.same(pictures)
    assert [picture[:2] for picture in made] == [b"\xff\xd8"] * 4 and both.chunks() > 4


@pytest.mark.parametrize("fragmented", [False, True])
def test_exports(both: Both, tmp_path: Path, fragmented: bool) -> None:
    (tmp_path / "out").mkdir()
    paths: list[Path] = []

    def export(playback: Playback) -> bytes:
        paths.append(tmp_path / "out" / f"film{len(paths)}.mp4")
        exporter = Exporter(playback.exports, InlineWorker(), InlineWorker(), lambda: [str(tmp_path / "out")])
        order = Order("ort", Range(T, T + 9000), str(paths[-1]), fragmented=fragmented)
        assert result(exporter.export(both.source, order)) == paths[-1].stat().st_size
        return paths[-1].read_bytes()

    assert len(both.same(export)) > 5000 and both.chunks() > 1


def test_a_place_that_fails_is_an_error(both: Both, tmp_path: Path) -> None:
    both.recording.place = Elsewhere(str(tmp_path), fails=0)
    playback = make_playback(InlineWorker(), Clock(), lambda: T + 60_000)
    with pytest.raises(DvrError, match="disk_failed"):
        result(playback.segments.body(both.source, T, SEGMENT_MS, View("ts")))


def test_a_segment_that_was_found_is_read_where_it_is_then(both: Both, tmp_path: Path) -> None:
    """What is kept of a blob says nothing of where it is."""
    index = SegmentIndex()
    first = result(index.find(both.source, T, SEGMENT_MS))
    both.recording.place = Directory(str(tmp_path / "moved"), InlineWorker())
    again = result(index.find(both.source, T, SEGMENT_MS))
    assert str(again.body.parts[0].file).startswith(str(tmp_path / "moved/"))
    assert again.body.parts[0].file.name == first.body.parts[0].file.name
