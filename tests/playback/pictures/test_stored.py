from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.thumbs import thumbs_paths
from flussdvr.body.body import Extent
from flussdvr.body.file import Directory, file_at
from flussdvr.playback.pictures.stored import FINAL_MS, StoredPictures, Thumb, nearest, parse_thumbs
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.playback.camera_stamps import Recording, T, result
from tests.playback.thumbs import jpeg, store_thumbs

ALL = Range(0, T * 2)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    recording = Recording(tmp_path)
    recording.blob()
    recording.blob(T + 20_000, closed=False, after="source_lost")
    return recording


class Counted(InlineWorker):
    def __init__(self) -> None:
        self.jobs = 0

    def do(self, f: object, *args: object) -> object:  # type: ignore[override]
        self.jobs += 1
        return super().do(f, *args)  # type: ignore[arg-type]


def stored(recording: Recording, now_ms: int = T + 3_600_000) -> tuple[StoredPictures, Counted]:
    worker = Counted()
    recording.place = Directory(str(recording.root), worker)
    return StoredPictures(lambda: now_ms), worker


def times(pictures: StoredPictures, recording: Recording, window: Range = ALL) -> list[int]:
    found = result(pictures.within(Source("ort", None, recording.archive), window))
    return [thumb.at_ms - T for thumb in found]


def test_those_of_a_window(recording: Recording) -> None:
    pictures, _ = stored(recording)
    assert times(pictures, recording) == []
    pictures, _ = stored(recording)
    store_thumbs(recording, [T, T + 2000, T + 4000, T + 20_000, T + 22_000])
    assert times(pictures, recording) == [0, 2000, 4000, 20_000, 22_000]
    assert times(pictures, recording, Range(T + 2000, T + 22_000)) == [2000, 4000, 20_000]
    source = Source("ort", None, recording.archive)
    for thumb in result(pictures.within(source, ALL)):
        assert result(pictures.read(thumb)) == jpeg(thumb.at_ms // 1000)
    assert result(pictures.within(Source("ort", None, None), ALL)) == []


def test_a_finished_blob_is_read_once_and_a_growing_one_again(recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000])
    pictures, worker = stored(recording)
    times(pictures, recording), times(pictures, recording)
    assert worker.jobs == 1 + 2
    store_thumbs(recording, [T + 20_000])
    assert times(pictures, recording) == [0, 2000, 20_000]
    pictures, worker = stored(recording, T + 10_000 + FINAL_MS)  # a thumbnail may be on its way after the blob's end
    times(pictures, recording), times(pictures, recording)
    assert worker.jobs == 4


def test_what_is_not_recorded_any_more_has_no_thumbnails(recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000, T + 4000])
    pictures, _ = stored(recording)
    recording.archive._ranges = recording.archive.ranges()
    recording.archive._ranges.subtract(Range(T + 1000, T + 3000))
    assert times(pictures, recording) == [0, 4000]


def test_a_torn_index_is_read_up_to_there(recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000, T + 4000])
    _, index_path = thumbs_paths(recording.archive.blobs()[0])
    index = Path(index_path).read_bytes()
    whole = parse_thumbs(index)
    assert len(whole.at_ms) == 3
    for length in range(len(index)):
        torn = parse_thumbs(index[:length])
        assert torn.at_ms.tolist() == whole.at_ms.tolist()[: len(torn.at_ms)]
    for junk in (os.urandom(300), b"\0" * 64, index[100:]):
        assert len(parse_thumbs(index + junk).at_ms) == 3
        assert len(parse_thumbs(junk).at_ms) == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_an_index(data: bytes) -> None:
    assert len(parse_thumbs(data).at_ms) >= 0


def test_a_jpeg_that_is_not_whole_is_none(recording: Recording) -> None:
    store_thumbs(recording, [T, T + 2000])
    pictures, _ = stored(recording)
    first, second = result(pictures.within(Source("ort", None, recording.archive), ALL))
    with open(str(second.extent.file), "r+b") as file:
        file.truncate(second.extent.offset + second.extent.length - 1)
    assert result(pictures.read(first)) == jpeg(T // 1000)
    assert result(pictures.read(second)) is None
    os.unlink(str(first.extent.file))
    assert result(pictures.read(first)) is None


@pytest.mark.parametrize(
    ("utc_ms", "found"),
    [
        (0, 400),
        (400, 400),
        (1000, 400),
        (1450, 400),
        (1451, 2500),
        (2000, 2500),
        (2499, 2500),
        (9000, 2600),
        (500, 400),
    ],
)
def test_the_nearest(utc_ms: int, found: int) -> None:
    thumbs = [Thumb(at, Extent(file_at("/x"), 0, 1)) for at in (400, 2500, 2600)]
    chosen = nearest(thumbs, utc_ms)
    assert chosen is not None and chosen.at_ms == found
    assert nearest([], utc_ms) is None
