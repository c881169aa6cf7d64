from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from flussdvr.archive.archive import LOOK_S, READY_S
from flussdvr.archive.disk.marker import MARKER, check_marker, lock_marker, make_marker, read_marker
from flussdvr.archive.disk.root import Root, RootWorkers
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker, MemoryWorker
from tests.archive.camera import Camera
from tests.archive.store import Fate, Store, result
from tests.events.documents import documents


def test_a_marker_is_made_once(tmp_path: Path) -> None:
    root = str(tmp_path / "new" / "disk")
    assert read_marker(root) is None
    uuid = make_marker(root)
    assert make_marker(root) == uuid == read_marker(root)
    assert [path.name for path in Path(root).iterdir()] == [MARKER]
    check_marker(root, uuid)
    with pytest.raises(DvrError, match="another_disk"):
        check_marker(root, "0" * 8)
    (Path(root) / MARKER).write_text("garbage")
    with pytest.raises(DvrError, match="bad_marker"):
        check_marker(root, uuid)
    (Path(root) / MARKER).unlink()
    with pytest.raises(DvrError, match="disk_not_mounted"):
        check_marker(root, uuid)


def test_the_root_is_shared_by_servers_and_not_with_a_repair(tmp_path: Path) -> None:
    root = str(tmp_path)
    make_marker(root)
    held = [lock_marker(root, exclusive=False), lock_marker(root, exclusive=False)]
    with pytest.raises(DvrError, match="in use by a server"):
        lock_marker(root, exclusive=True)
    for fd in held:
        Fate().close(fd)
    fd = lock_marker(root, exclusive=True)
    with pytest.raises(DvrError, match="in use by a repair"):
        lock_marker(root, exclusive=False)
    Fate().close(fd)


def test_all_who_wait_for_a_root_wait_for_one_look(tmp_path: Path) -> None:
    worker = MemoryWorker()
    root = Root(str(tmp_path), RootWorkers(worker, worker, worker))
    first, second = root.ready(), root.ready()
    assert len(worker) == 1 and worker.step()
    assert first.called and second.called and root.ready().called
    assert root.uuid == read_marker(str(tmp_path))


def test_a_root_that_fails_says_so_once(tmp_path: Path, event_schema: Any) -> None:
    (tmp_path / "file").write_text("no directory")
    events: list[dict[str, object]] = []
    worker = InlineWorker()
    root = Root(str(tmp_path / "file"), RootWorkers(worker, worker, worker), documents(events))
    for _ in range(3):
        with pytest.raises(DvrError, match="disk_failed"):  # which whoever asks again and again expects
            result(root.ready())
    assert [event["event"] for event in events] == ["dvr_root_failed"] and root.error is not None
    (tmp_path / "file").unlink()
    result(root.ready())
    assert [event["event"] for event in events] == ["dvr_root_failed", "dvr_root_recovered"]
    event_schema.check_own(events)


def test_the_queue_is_bounded_in_bytes_and_count(tmp_path: Path) -> None:
    worker = InlineWorker()
    root = Root(str(tmp_path), RootWorkers(worker, worker, worker))
    root.limit_bytes, root.limit_count = 100, 3
    assert root.reserve(60) and not root.reserve(41) and root.reserve(40)
    root.release(60)
    assert root.reserve(1) and root.reserve(1) and not root.reserve(0)


def test_a_hanging_disk_holds_up_the_start_for_a_while_only(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("hung",))
    store.archive._configured += [store.root("hung"), store.root("disk")]
    opening = store.archive.open()
    done: list[object] = []
    Deferred.fromCoroutine(opening).addBoth(done.append)
    assert not done
    for seconds in (LOOK_S, READY_S):
        store.clock.advance(seconds)
    assert done == [None] and LOOK_S + READY_S <= 3
    assert store.archive.root(store.root("disk")).uuid is not None
    store.steps("hung")
    assert store.archive.root(store.root("hung")).uuid is not None


def test_directories_are_synced_even_if_it_failed_before(tmp_path: Path) -> None:
    store = Store(tmp_path).open()
    store.fate.faults["fsync"] = OSError(errno.EIO, "Input/output error")
    recorder = store.recorder()
    store.record(recorder, Camera(), 2)
    recorder.root.sync()
    assert recorder.error is not None and "dvr_write_failed" in store.kinds()
