"""What a window costs is known before anything of it is read."""

from __future__ import annotations

from typing import Any

import pytest

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.body.file import Directory
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.playback.files.windows import Exports
from flussdvr.playback.limits import HEAD_BYTES, SEGMENTS, index_bytes, segment_count
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.pictures.sprite import Grid, Sprites
from flussdvr.playback.pictures.stored import LOOKED_AT, StoredPictures
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from flussdvr.timeline import HOUR_MS, Range

YEAR = 8760
INDEX = 2 << 20


class Nothing(IndexCache):
    """Refuses to read."""

    async def table(self, blob: Blob, keep: bool = True) -> Any:
        raise AssertionError("an index is read")


class Hour(Blob):
    """Counts how often it is asked how long it is."""

    looked_at = 0

    @property
    def range(self) -> Range:
        Hour.looked_at += 1
        return Range(self.begin_ms, self.end_ms)


@pytest.fixture
def archive() -> LocalStreamArchive:
    """A year of hours."""
    blobs = [
        Hour("cam", "/r", n * HOUR_MS, (n + 1) * HOUR_MS, 10**9, INDEX, BlobState.CLOSED, 5000)
        for n in range(1, YEAR + 1)
    ]
    return LocalStreamArchive("cam", Nothing(lambda blob: InlineWorker()), None, blobs)  # type: ignore[arg-type]


def test_costs_are_in_proportion_to_the_window(archive: LocalStreamArchive) -> None:
    window = Range(10 * HOUR_MS + HOUR_MS // 2, 12 * HOUR_MS)
    assert index_bytes(archive, window, HEAD_BYTES, "an MP4") == INDEX * 3 // 2
    assert segment_count(archive, window) == 720 + 360 + 2
    assert segment_count(archive, Range(0, 10)) == 0


def test_days_are_possible_and_a_year_is_not(archive: LocalStreamArchive) -> None:
    index_bytes(archive, Range(HOUR_MS, 73 * HOUR_MS), HEAD_BYTES, "an MP4")
    with pytest.raises(DvrError) as refused:
        index_bytes(archive, Range(0, 1 << 60), HEAD_BYTES, "an MP4")
    assert (refused.value.kind, refused.value.status) == (Kind.TOO_LARGE, 413)
    assert refused.value.title == "an MP4 has at most 72.0 hours of these recordings, this window has 8760.0"
    segment_count(archive, Range(HOUR_MS, 31 * 24 * HOUR_MS))
    with pytest.raises(DvrError) as refused:
        segment_count(archive, Range(0, 1 << 60))
    assert refused.value.code == "window_too_long"


def test_no_more_blobs_are_looked_at_than_the_answer_needs(archive: LocalStreamArchive) -> None:
    Hour.looked_at = 0
    with pytest.raises(DvrError):
        segment_count(archive, Range(0, 1 << 60))
    assert Hour.looked_at <= SEGMENTS // 700


def test_nothing_is_read_for_a_file_that_is_too_long(archive: LocalStreamArchive) -> None:
    worker = InlineWorker()
    exports, source = Exports(worker, lambda: (YEAR + 1) * HOUR_MS), Source("cam", None, archive)
    for duration_ms in (99_999_999_999_000, None):
        with pytest.raises(DvrError) as refused:
            exports.mp4(source, 0, duration_ms, None, False).send(None)
        assert refused.value.code == "window_too_long"


class Silent(IndexCache):
    """Indexes of sound only, counted."""

    def __init__(self) -> None:
        super().__init__(lambda blob: InlineWorker())
        self.reads = 0

    async def table(self, blob: Blob, keep: bool = True) -> Any:
        self.reads += 1
        return FragmentTable()


class Disk(InlineWorker):
    reads = 0

    def do(self, f: Any, *args: Any) -> Any:
        self.reads += 1
        return super().do(f, *args)


def test_a_sprite_of_all_time_looks_at_some_blobs_of_each_tile(archive: LocalStreamArchive) -> None:
    indexes, disk = Silent(), Disk()
    place = Directory("/r", disk)
    archive = LocalStreamArchive("cam", indexes, lambda blob, suffix: place.file(blob.name + suffix), archive.blobs())
    stored = StoredPictures(lambda: 1 << 60)
    sprites = Sprites(Previews(disk), stored, disk)
    grid = Grid(Range(HOUR_MS, YEAR * HOUR_MS), 12, 12, Box(160, 90))
    with pytest.raises(DvrError) as refused:
        sprites.find(Source("cam", None, archive), grid).send(None)
    assert refused.value.code == "no_recordings"
    assert disk.reads <= 144 * LOOKED_AT
    assert indexes.reads <= 144 * (LOOKED_AT + 30), "forwards, and back from where a tile begins"
