"""kill -9 between any two system calls, and in the middle of every write."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.tools import fsck
from flussdvr.body.body import Extent
from flussdvr.body.reading import read
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera, Taken
from tests.archive.store import Fate, Store, result, write

BEGIN_MS = UTC_MS + HOUR_MS - 3000
DELETED = Range(BEGIN_MS, BEGIN_MS + 3000)


@dataclass
class Life:
    """What a process had done and said before it was killed."""

    listed: RangeSet = field(default_factory=RangeSet)
    taken: list[Taken] = field(default_factory=list)
    deleting: bool = False


def live(store: Store, life: Life) -> None:
    """Record over the hour and a gap; delete the first blob; close."""
    camera = Camera(BEGIN_MS, gop=3)
    recorder = store.recorder()
    archive = store.archive.stream("cam")
    assert archive is not None

    def film(count: int) -> None:
        for fragment in camera.film(count):
            if not store.fate.dead:
                write(recorder, camera, fragment)
                life.taken.append(fragment)
                life.listed = archive.ranges()

    film(6)  # two blobs: the hour changes in the middle
    if not store.fate.dead:
        life.deleting = True
        archive.ranges()
        Deferred.fromCoroutine(store.archive.retention.delete(archive.blobs()[:1], "test")).addErrback(lambda _: None)
    if not store.fate.dead:
        recorder.gap("source_lost")
    camera.now_ms += 5000
    film(3)
    Deferred.fromCoroutine(recorder.close()).addErrback(lambda _: None)


def count_steps(folder: Path) -> int:
    store = Store(folder).open()
    result(store.archive.root(store.root()).ready())
    store.fate.calls.clear()
    live(store, Life())
    return len(store.fate.calls)


def check(archive: LocalStreamArchive, life: Life) -> None:
    """Everything that was listed is there, and what is there is what was recorded."""
    expected = RangeSet(life.listed)
    if life.deleting:
        expected.subtract(DELETED)
    ranges = archive.ranges()
    assert all(ranges.covers(item) for item in expected), (list(expected), list(ranges))
    by_begin = {one.begin_ms: one for one in life.taken}
    for blob in archive.blobs():
        table = result(archive.table(blob))
        assert blob.closed and int(table.begin_ms[0]) == blob.begin_ms and int(table.end_ms[-1]) == blob.end_ms
        for row, begin_ms in enumerate(table.begin_ms.tolist()):
            data = result(read(Extent(archive.file(blob), int(table.offset[row]), int(table.size[row]))))
            assert data == by_begin[begin_ms].data


@pytest.mark.filterwarnings("ignore")
def test_killed_anywhere(tmp_path: Path) -> None:
    steps = count_steps(tmp_path / "count")
    assert steps > 60
    for kill_at in range(steps + 1):
        folder = tmp_path / str(kill_at)
        store, life = Store(folder).open(), Life()
        result(store.archive.root(store.root()).ready())
        store.fate.calls.clear()
        store.fate.kill_at = kill_at
        live(store, life)
        assert store.fate.dead is (kill_at < steps)
        release(store)

        again = Store(folder).open()
        archive = again.archive.stream("cam")
        if archive is not None:
            check(archive, life)
        else:
            assert not life.listed
        recorder, camera = again.recorder(), Camera(BEGIN_MS + 60_000)
        again.record(recorder, camera, 2)
        assert recorder.fragments_written == 2, kill_at
        again.stop()
        report = fsck(str(folder / "disk"), state_dir=str(folder / "state"))
        assert report.ok, (kill_at, str(report))


@pytest.mark.filterwarnings("ignore")
def test_killed_while_recovering(tmp_path: Path) -> None:
    for kill_at in range(12):
        folder = tmp_path / str(kill_at)
        store, life = Store(folder).open(), Life()
        store.fate = store.catalog.fate = Fate()
        camera = Camera(gop=3)
        life.taken = store.record(store.recorder(), camera, 3)
        archive = store.archive.stream("cam")
        assert archive is not None
        life.listed = archive.ranges()
        release(store)
        (blob,) = archive.blobs()
        with open(blob.path, "ab") as data, open(blob.index_path, "ab") as index:
            data.write(b"\0\0\1\0moof torn")
            index.write(b"\0\0")
        fate = Fate()
        killed = Store(folder, fate=fate)
        fate.kill_at = kill_at + 4
        Deferred.fromCoroutine(killed.archive.open()).addErrback(lambda _: None)
        release(killed)
        again = Store(folder).open()
        after = again.archive.stream("cam")
        assert after is not None
        check(after, life)
        assert fsck(str(folder / "disk"), state_dir=str(folder / "state")).ok


def release(store: Store) -> None:
    """What the kernel does when a process ends."""
    store.catalog.file.close()
    for root in store.archive.roots.values():
        root.stop()


PROCESS = """
import sys
sys.path.insert(0, {here!r})
from twisted.internet import reactor, task
from tests.archive.camera import Camera
from tests.archive.store import SEGMENT_MS, Dvr
from flussdvr.archive.archive import Archive

async def main():
    archive = Archive({state!r}, reactor)
    await archive.open()
    archive.startService()
    camera = Camera(gop=3, size=5000)
    recorder = archive.recorder("cam", Dvr({disk!r}, sync_interval_s=1))
    while True:
        recorder.write(camera.take(), camera.init, SEGMENT_MS, 1)
        await task.deferLater(reactor, 0.0005)
        print(archive.stream("cam").end_ms, flush=True)

reactor.callWhenRunning(lambda: __import__("twisted.internet.defer").internet.defer.Deferred.fromCoroutine(main()))
reactor.run()
"""


def test_a_real_process_is_killed(tmp_path: Path) -> None:
    here = str(Path(__file__).parents[2])
    program = PROCESS.format(here=here, state=str(tmp_path / "state"), disk=str(tmp_path / "disk"))
    for lines in (40, 300):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(lines):
                said = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split(b"\n")
        said = max([said, *(int(line) for line in rest[:-1])])
        archive = Store(tmp_path).open().archive.stream("cam")
        assert archive is not None and archive.end_ms >= said > UTC_MS
        report = fsck(str(tmp_path / "disk"), state_dir=str(tmp_path / "state"))
        assert report.ok, str(report)
        shutil.rmtree(tmp_path / "disk")
        shutil.rmtree(tmp_path / "state")
