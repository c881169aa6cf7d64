from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.errors import DvrError
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.threads import MemoryWorker
from tests.archive.camera import Camera
from tests.archive.store import Store, result


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path).open()


def recorded(store: Store, count: int, blobs: int = 1) -> tuple[LocalStreamArchive, Camera]:
    recorder, camera = store.recorder(), Camera()
    for _ in range(blobs):
        store.record(recorder, camera, count)
        recorder.gap("source_lost")
        camera.now_ms += 1000
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive, camera


def test_one_flight_for_all_who_ask(store: Store) -> None:
    archive, _ = recorded(store, 4)
    (blob,) = archive.blobs()
    worker = MemoryWorker()
    cache = IndexCache(lambda blob: worker)
    waiting = [Deferred.fromCoroutine(cache.table(blob)) for _ in range(5)]
    waiting[2].cancel()
    cancelled: list[object] = []
    waiting[2].addErrback(lambda failure: cancelled.append(failure.type))
    assert len(worker) == 1 and worker.step()
    tables = [result(one) for n, one in enumerate(waiting) if n != 2]
    assert all(table is tables[0] for table in tables) and len(tables[0]) == 4
    assert cancelled == [CancelledError]
    assert result(cache.table(blob)) is tables[0] and len(worker) == 0


def test_who_looks_at_many_once_fills_no_cache(store: Store) -> None:
    archive, camera = recorded(store, 4, blobs=2)
    first, second = archive.blobs()
    worker = MemoryWorker()
    cache = IndexCache(lambda blob: worker)

    def table(blob: Blob, keep: bool) -> Deferred[FragmentTable]:
        return Deferred.fromCoroutine(cache.table(blob, keep))

    passing = table(first, False)
    assert worker.step() and len(result(passing)) == 4 and len(cache) == 0
    kept = table(second, True)
    assert worker.step() and result(table(second, False)) is result(kept) and len(worker) == 0


def test_an_open_blob_is_extended_by_what_was_appended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, camera = store.recorder(), Camera()
    store.record(recorder, camera, 3)
    archive = store.archive.stream("cam")
    assert archive is not None
    (blob,) = archive.blobs()
    table = result(archive.table(blob))
    assert len(table) == 3
    reads: list[tuple[int, int]] = []
    from flussdvr.archive.streams import index_cache as module

    real = module._read_index
    monkeypatch.setattr(
        module, "_read_index", lambda path, start, stop: reads.append((start, stop)) or real(path, start, stop)
    )
    before = blob.index_size
    store.record(recorder, camera, 2)
    assert result(archive.table(blob)) is table and len(table) == 5
    assert result(archive.table(blob)) is table
    assert reads == [(before, blob.index_size)]


def test_the_least_recently_used_go_first(store: Store) -> None:
    archive, _ = recorded(store, 4, blobs=5)
    cache = archive._indexes
    first, *others = archive.blobs()
    size = result(archive.table(first)).nbytes
    cache.limit_bytes = 3 * size + size // 2
    for blob in others:
        result(archive.table(blob))
        kept = result(archive.table(first))
    assert len(cache) == 3 and cache.nbytes <= cache.limit_bytes
    assert result(archive.table(first)) is kept


def test_one_that_is_larger_than_the_limit_is_kept_alone(store: Store) -> None:
    archive, _ = recorded(store, 4, blobs=2)
    archive._indexes.limit_bytes = 1
    for blob in archive.blobs():
        result(archive.table(blob))
    assert len(archive._indexes) == 1


def broken(blob: Blob, how: str) -> None:
    path = Path(blob.index_path)
    if how == "gone":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        data = bytearray(path.read_bytes())
        data[-30:] = bytes(30)
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("how", "code"), [("gone", "blob_gone"), ("short", "corrupt_index"), ("garbled", "corrupt_index")]
)
def test_a_bad_index(store: Store, how: str, code: str) -> None:
    archive, _ = recorded(store, 4)
    (blob,) = archive.blobs()
    broken(blob, how)
    for _ in range(2):
        with pytest.raises(DvrError) as caught:
            result(archive.table(blob))
        assert caught.value.code == code
    assert not archive._indexes._waiting
