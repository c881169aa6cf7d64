from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.trim import Cut
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.thumbs import ThumbsRecorder, thumbs_paths
from flussdvr.archive.trim_thumbs import trim_thumbs
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Fate, Killed, Store, result
from tests.archive.test_thumbs import jpeg, thumbnail

HOLES = (Range(UTC_MS + 4000, UTC_MS + 8000), Range(UTC_MS + 12_000, UTC_MS + 14_000))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path).open()
    recorder = store.recorder()
    archive = archive_of(store)
    thumbs = ThumbsRecorder(archive, store.archive.root)
    store.record(recorder, Camera(), 20)
    for number in range(10):
        thumbs.write(thumbnail(UTC_MS + 2000 * number, number))
    result(recorder.close())
    result(thumbs.close())
    return store


def archive_of(store: Store) -> LocalStreamArchive:
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive


def left(blob: Blob) -> dict[int, bytes]:
    """The thumbnails that the index lists, by seconds."""
    path, index_path = thumbs_paths(blob)
    table, data = FragmentTable(Path(index_path).read_bytes()), Path(path).read_bytes()
    samples = table.samples(1)
    rows = zip(samples.decode_times().tolist(), samples.offsets().tolist(), samples.sizes.tolist(), strict=True)
    return {(at_ms - UTC_MS) // 1000: data[offset : offset + size] for at_ms, offset, size in rows}


def check(blob: Blob, seconds: list[int]) -> None:
    assert left(blob) == {second: jpeg(second // 2) for second in seconds}
    data = Path(thumbs_paths(blob)[0]).read_bytes()
    assert data.count(b"\xff\xd8\xff") == len(seconds)  # nothing of the others is left


def test_a_deleted_part_has_no_pictures(store: Store) -> None:
    archive = archive_of(store)
    (blob,) = archive.blobs()
    size = Path(thumbs_paths(blob)[0]).stat().st_size
    assert result(store.archive.deletion.cut(archive, blob, Cut(tuple(HOLES)), "deleted")).error is None
    check(blob, [0, 2, 8, 10, 14, 16, 18])
    assert Path(thumbs_paths(blob)[0]).stat().st_size == size  # offsets never move
    cut = Cut((Range(UTC_MS, UTC_MS + 12_000),))
    assert result(store.archive.deletion.cut(archive, blob, cut, "deleted")).error is None
    check(blob, [14, 16, 18])


def test_when_no_picture_is_left_the_files_go(store: Store) -> None:
    (blob,) = archive_of(store).blobs()
    trim_thumbs(blob, [Range(UTC_MS, UTC_MS + 19_000)])
    assert not any(Path(path).exists() for path in thumbs_paths(blob))
    trim_thumbs(blob, HOLES)


def test_a_torn_index_is_trimmed_to_what_can_be_read(store: Store) -> None:
    (blob,) = archive_of(store).blobs()
    index = Path(thumbs_paths(blob)[1])
    index.write_bytes(index.read_bytes()[:-7] + b"junk")
    trim_thumbs(blob, HOLES)
    assert sorted(left(blob)) == [0, 2, 8, 10, 14, 16]


def test_killed_between_any_two_system_calls(store: Store, tmp_path: Path) -> None:
    (blob,) = archive_of(store).blobs()
    originals = {path: Path(path).read_bytes() for path in thumbs_paths(blob)}
    for kill_at in range(100):
        for path, data in originals.items():
            Path(path).write_bytes(data)
        fate = Fate(kill_at)
        try:
            trim_thumbs(blob, HOLES, fate)  # type: ignore[arg-type]
        except Killed:
            trim_thumbs(blob, HOLES)
            check(blob, [0, 2, 8, 10, 14, 16, 18])
        else:
            break
    assert kill_at > 5
