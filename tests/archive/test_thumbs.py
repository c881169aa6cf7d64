from __future__ import annotations

import errno
import io
from pathlib import Path

import av
import pytest
from twisted.internet.defer import Deferred

from flussdvr.archive.recorder import Recorder
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.thumbs import BLOB_WAIT_MS, WAITING, Thumbnail, ThumbsRecorder, thumbs_paths
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, files, result


def jpeg(number: int = 0) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 36), (number * 20 % 256, 80, 120)).save(out, "JPEG")
    return out.getvalue()


def thumbnail(at_ms: int, number: int = 0) -> Thumbnail:
    return Thumbnail(at_ms, jpeg(number), 64, 36, 2000)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path).open()


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return store.recorder()


@pytest.fixture
def archive(store: Store, recorder: Recorder) -> LocalStreamArchive:
    found = store.archive.stream("cam")
    assert found is not None
    return found


@pytest.fixture
def thumbs(store: Store, archive: LocalStreamArchive) -> ThumbsRecorder:
    return ThumbsRecorder(archive, store.archive.root)


def test_they_lie_beside_their_blob_as_an_mp4_that_anything_plays(
    store: Store, recorder: Recorder, archive: LocalStreamArchive, thumbs: ThumbsRecorder
) -> None:
    store.record(recorder, Camera(), 6)
    for number in range(3):
        thumbs.write(thumbnail(UTC_MS + 2000 * number, number))
    assert (thumbs.written, thumbs.dropped) == (3, 0)
    (blob,) = archive.blobs()
    path, index_path = thumbs_paths(blob)
    assert path == blob.path.removesuffix(".mp4") + ".thumbs.mp4"
    table = FragmentTable(Path(index_path).read_bytes())
    assert table.begin_ms.tolist() == [UTC_MS, UTC_MS + 2000, UTC_MS + 4000]
    assert table.end_ms.tolist() == [UTC_MS + 2000, UTC_MS + 4000, UTC_MS + 6000]
    samples = table.samples(1)
    data = Path(path).read_bytes()
    for number, (offset, size) in enumerate(zip(samples.offsets(), samples.sizes, strict=True)):
        assert data[offset : offset + size] == jpeg(number)
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == 3
    root = store.archive.root(store.root())
    assert (root.queued_bytes, root.queued_count) == (0, 0)


def test_a_thumbnail_waits_until_its_moment_is_recorded(
    store: Store, recorder: Recorder, thumbs: ThumbsRecorder
) -> None:
    camera = Camera()
    thumbs.write(thumbnail(UTC_MS + 2500))
    store.record(recorder, camera, 2)
    assert thumbs.written == 0
    store.record(recorder, camera, 1)
    assert thumbs.written == 1


def test_one_of_a_gap_is_dropped_once_it_is_certain(store: Store, recorder: Recorder, thumbs: ThumbsRecorder) -> None:
    camera = Camera()
    store.record(recorder, camera, 2)
    recorder.gap("source_lost")
    thumbs.write(thumbnail(UTC_MS + 3000))
    camera.now_ms += 10_000
    store.record(recorder, camera, 2)
    assert (thumbs.written, thumbs.dropped) == (0, 0)
    store.record(recorder, camera, BLOB_WAIT_MS // 1000)
    assert (thumbs.written, thumbs.dropped) == (0, 1)


def test_few_wait(thumbs: ThumbsRecorder) -> None:
    for number in range(WAITING + 5):
        thumbs.write(thumbnail(UTC_MS + number))
    assert thumbs.dropped == 5
    result(thumbs.close())
    assert thumbs.dropped == WAITING + 5


def test_the_next_blob_has_its_own(store: Store, recorder: Recorder, thumbs: ThumbsRecorder) -> None:
    camera = Camera(UTC_MS + HOUR_MS - 2000)
    for fragment in store.record(recorder, camera, 4):
        if fragment.sync:
            thumbs.write(thumbnail(fragment.begin_ms))
    result(thumbs.close())
    assert thumbs.written == 2
    assert len(files(store.folder, ".thumbs.mp4")) == len(files(store.folder, ".thumbs.idx")) == 2


def test_they_are_synced_and_deleted_with_their_blob(
    store: Store, recorder: Recorder, archive: LocalStreamArchive, thumbs: ThumbsRecorder
) -> None:
    store.record(recorder, Camera(), 4)
    thumbs.write(thumbnail(UTC_MS))
    synced = store.fate.calls.count("fdatasync")
    store.archive.root(store.root()).sync()
    assert store.fate.calls.count("fdatasync") == synced + 4
    result(recorder.close())
    result(thumbs.close())
    result(store.archive.retention.delete(archive.blobs(), "deleted"))
    assert not [path for path in store.folder.rglob("*") if path.suffix in (".mp4", ".idx")]


def test_a_disk_that_refuses_costs_thumbnails_and_nothing_else(
    store: Store, recorder: Recorder, archive: LocalStreamArchive, thumbs: ThumbsRecorder
) -> None:
    camera = Camera()
    store.record(recorder, camera, 2)
    store.fate.faults["open"] = OSError(errno.EIO, "Input/output error")
    thumbs.write(thumbnail(UTC_MS))
    del store.fate.faults["open"]
    thumbs.write(thumbnail(UTC_MS + 1000))  # not for this blob any more
    assert (thumbs.written, thumbs.dropped) == (0, 2)
    recorder.gap("source_lost")
    camera.now_ms += 5000
    at = camera.now_ms
    store.record(recorder, camera, 2)
    thumbs.write(thumbnail(at))
    assert (thumbs.written, recorder.fragments_dropped) == (1, 0)
    store.fate.faults["write"] = OSError(errno.ENOSPC, "No space left on device")
    thumbs.write(thumbnail(at + 1000))
    del store.fate.faults["write"]
    assert thumbs.dropped == 3
    table = FragmentTable(Path(thumbs_paths(archive.blobs()[-1])[1]).read_bytes())
    assert table.begin_ms.tolist() == [at]


def test_a_full_queue_drops_thumbnails(store: Store, recorder: Recorder, thumbs: ThumbsRecorder) -> None:
    store.record(recorder, Camera(), 2)
    store.archive.root(store.root()).limit_bytes = 10
    thumbs.write(thumbnail(UTC_MS))
    assert (thumbs.written, thumbs.dropped) == (0, 1)


def test_closing_waits_for_what_is_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("disk",))
    opening = Deferred.fromCoroutine(store.archive.open())
    assert opening.called
    recorder = store.recorder()
    archive = store.archive.stream("cam")
    assert archive is not None
    thumbs = ThumbsRecorder(archive, store.archive.root)
    store.record(recorder, Camera(), 2)
    store.steps()
    thumbs.write(thumbnail(UTC_MS))
    closing = Deferred.fromCoroutine(thumbs.close())
    assert not closing.called
    store.steps()
    assert closing.called and thumbs.written == 1
    assert archive.ranges(Range(UTC_MS, UTC_MS + 2000))
    thumbs.write(thumbnail(UTC_MS + 1000))
    assert thumbs.dropped == 1


def test_a_reindexed_root_does_not_take_them_for_recordings(store: Store, recorder: Recorder) -> None:
    from flussdvr.archive.disk.scan import find_blobs

    archive = store.archive.stream("cam")
    assert archive is not None
    thumbs = ThumbsRecorder(archive, store.archive.root)
    store.record(recorder, Camera(), 2)
    thumbs.write(thumbnail(UTC_MS))
    assert [blob.begin_ms for blob in find_blobs(store.root())] == [UTC_MS]
