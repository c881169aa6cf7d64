"""Every step of a deletion fails, or is the last: nothing is lost that was not deleted, and no more is deleted."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from flussdvr.archive.deletion import RETRY_MAX_S
from flussdvr.archive.disk.blob import SUFFIXES, BlobState
from flussdvr.archive.disk.hold import Hold
from flussdvr.archive.disk.hold import hold as take
from flussdvr.archive.disk.holes import Hole
from flussdvr.archive.disk.punch import punch
from flussdvr.archive.disk.trim import Cut, Reach
from flussdvr.archive.retention import ROOM_BYTES, DiskUsage
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Fate, Store, files, result

NO_CATALOG = DvrError(Kind.UNAVAILABLE, "catalog_failed", "database or disk is full")
READ_ONLY = OSError(errno.EROFS, "Read-only file system")


def month(store: Store, stream: str = "cam", hours: int = 8, **settings: Any) -> LocalStreamArchive:
    """So many blobs of two seconds, each in an hour of its own; the last is still open."""
    recorder, camera = store.recorder(stream, **settings), Camera(size=3000)
    for hour in range(hours):
        camera.now_ms = store.now_ms - (hours - hour) * HOUR_MS
        store.record(recorder, camera, 2)
        if hour < hours - 1:
            recorder.gap("source_lost")
    archive = store.archive.stream(stream)
    assert archive is not None
    return archive


def sweep(store: Store) -> None:
    result(store.archive.retention.sweep())


def later(store: Store, seconds: float) -> None:
    """What the archive does by itself, but for sweeps, in so many seconds."""
    for _ in range(int(seconds)):
        store.clock.advance(1)
        store.archive.deletion.tend()


def too_full(store: Store, bytes_too_many: int) -> None:
    total = 100 * 10**9
    store.archive.retention._usage = lambda path: DiskUsage(total, total // 10 - bytes_too_many)


def check_listed(store: Store, archive: LocalStreamArchive) -> None:
    """What is listed is on the disk, and reads."""
    for blob in archive.blobs():
        assert os.path.getsize(blob.path) == blob.size
        table = result(archive.table(blob))
        assert table.blob_size == blob.size and int(table.begin_ms[0]) >= blob.begin_ms


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, now_ms=UTC_MS).open()


def test_a_disk_that_cannot_be_written_loses_nothing(store: Store, tmp_path: Path, event_schema: Any) -> None:
    archive = month(store, disk_usage_limit=90)
    too_full(store, 1000)
    store.fate.faults["unlink"] = READ_ONLY
    for _ in range(30):
        sweep(store)
        later(store, 5)
        assert len(archive) == 8
    assert store.kinds().count("dvr_deletion_failed") == 1
    assert 4 <= store.fate.calls.count("unlink") <= 6, "it is tried less and less often"
    error = store.archive.deletion.trouble(store.root())
    assert error is not None and "Read-only" in error.title
    states = {blob.state for blob in archive.blobs()[:-1]}
    assert states == {blob.state for blob in result(store.catalog.blobs.all())[:-1]} and len(states) == 1
    del store.fate.faults["unlink"]
    later(store, RETRY_MAX_S)
    sweep(store)
    assert len(archive) == 7 == len(files(tmp_path)), "one blob was a kilobyte too much"
    event_schema.check_own(store.events)
    assert store.kinds()[-1] == "dvr_deletion_resumed" and store.archive.deletion.trouble(store.root()) is None


def test_where_the_catalog_fails_nothing_is_unlisted_or_unlinked(store: Store, tmp_path: Path) -> None:
    archive = month(store, disk_usage_limit=90, expiration_s=3600)
    too_full(store, 1000)
    store.fate.faults["sql"] = NO_CATALOG
    for _ in range(20):
        sweep(store)
        later(store, 5)
    assert len(archive) == 8 == len(files(tmp_path)) and "unlink" not in store.fate.calls
    assert store.kinds().count("dvr_deletion_failed") == 1
    del store.fate.faults["sql"]
    later(store, RETRY_MAX_S)
    sweep(store)
    assert len(archive) == 1 == len(files(tmp_path))


def test_what_is_pending_counts_as_freed(tmp_path: Path) -> None:
    """A disk that hangs: sweep after sweep, nothing more is chosen."""
    store = Store(tmp_path, now_ms=UTC_MS).open()
    archive = month(store, disk_usage_limit=90, storage_limit=None)
    too_full(store, 1000)
    root = store.archive.root(store.root())
    waiting: list[Deferred[Any]] = []

    def hang(f: Any, *args: Any) -> Deferred[Any]:
        waiting.append(Deferred())
        return waiting[-1]

    real, root.syncer.do = root.syncer.do, hang  # type: ignore[method-assign]
    for _ in range(5):
        for _ in range(3):
            Deferred.fromCoroutine(store.archive.retention.sweep())
        Deferred.fromCoroutine(store.archive.retention._sweep_disk(root))
        later(store, 30)
    assert len(archive) == 7 and len(waiting) == 1
    assert store.archive.deletion.pending_bytes(store.root()) > 1000
    assert store.archive.deletion.waiting_s(store.root()) >= 150
    root.syncer.do = real  # type: ignore[method-assign]


def test_one_file_that_cannot_be_removed_does_not_keep_the_others(store: Store, tmp_path: Path) -> None:
    archive = month(store, expiration_s=3600)
    stubborn = archive.blobs()[0].path
    real = os.unlink

    class Stubborn(Fate):
        def unlink(self, path: str) -> None:
            if path == stubborn:
                raise PermissionError(errno.EPERM, "Operation not permitted", path)
            real(path)

    store.archive.root(store.root()).files = Stubborn()  # type: ignore[assignment]
    sweep(store)
    assert [blob.path for blob in archive.blobs()[:-1]] == [stubborn] and len(files(tmp_path)) == 2
    assert store.archive.deletion.trouble(store.root()) is None
    check_listed(store, archive)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_what_remains_of_a_recording_is_not_listed_but_removed_later(store: Store, tmp_path: Path, suffix: str) -> None:
    archive = month(store, hours=2, expiration_s=3600)
    blob = archive.blobs()[0]
    stem = blob.path.removesuffix(".mp4")
    Path(stem + ".thumbs.mp4").write_bytes(b"pictures")
    Path(stem + ".thumbs.idx").write_bytes(b"pictures")
    real, failing = os.unlink, [True]

    class Stubborn(Fate):
        def unlink(self, path: str) -> None:
            if failing[0] and path == stem + suffix:
                raise OSError(errno.EIO, "Input/output error", path)
            real(path)

    store.archive.root(store.root()).files = Stubborn()  # type: ignore[assignment]
    sweep(store)
    assert len(archive) == 1 and [path.name for path in Path(stem).parent.iterdir()] == [
        os.path.basename(stem) + suffix
    ]
    assert store.archive.deletion.left(store.root()) == 1
    assert store.archive.deletion.pending_bytes(store.root()) == blob.index_size
    assert len(result(store.catalog.blobs.all())) == 2
    failing[0] = False
    later(store, 60)
    assert store.archive.deletion.left(store.root()) == 0 == store.archive.deletion.pending_bytes(store.root())
    assert not Path(stem).parent.exists() and len(result(store.catalog.blobs.all())) == 1


def test_room_is_made_once_for_all_who_ask(store: Store) -> None:
    archive = month(store, hours=40)
    root = store.archive.root(store.root())
    size = archive.blobs()[0].disk_size
    store.archive.retention._usage = lambda path: DiskUsage(50 * 3 * size, 0)
    freed = [result(store.archive.retention.make_room(root)) for _ in range(10)]
    assert len(archive) == 37 and all(3 * size <= one < 4 * size for one in freed)
    store.clock.advance(10)
    store.fate.faults["unlink"] = READ_ONLY
    assert result(store.archive.retention.make_room(root)) == 0 and len(archive) == 37
    assert 3 * size < ROOM_BYTES


def test_a_lock_that_comes_while_the_row_is_marked_holds(store: Store, tmp_path: Path) -> None:
    archive = month(store, hours=3, expiration_s=3600)
    blob, real = archive.blobs()[0], store.catalog.blobs.mark

    def mark(*args: Any, **options: Any) -> Any:
        archive.locks.add(blob.range)
        return real(*args, **options)

    store.catalog.blobs.mark = mark  # type: ignore[method-assign]
    sweep(store)
    assert archive.blobs()[0] is blob and Path(blob.path).exists()


STEPS = ("sql", "sql done", "unlink", "rmdir", "open", "write", "rename", "fdatasync", "fsync")


class Fickle(Fate):
    """Fails at those of its steps that `fails` says, by number."""

    def __init__(self, fails: dict[int, str]) -> None:
        super().__init__()
        self.fails = fails
        self.armed = False
        self.number = 0

    def step(self, name: str, halfway: Any = lambda: None) -> None:
        super().step(name, halfway)
        if not self.armed or name not in STEPS:
            return
        self.number += 1
        if self.number in self.fails:
            if name.startswith("sql"):
                raise DvrError(Kind.UNAVAILABLE, "catalog_failed", "no")
            code = getattr(errno, self.fails[self.number])
            raise OSError(code, os.strerror(code))


failures = st.dictionaries(st.integers(1, 40), st.sampled_from(["EIO", "EROFS", "EPERM", "ENOSPC"]), max_size=12)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(failures, st.booleans(), st.integers(1, 5), st.lists(st.integers(0, 6), max_size=3))
def test_whatever_fails_no_more_goes_than_is_too_much(
    tmp_path_factory: pytest.TempPathFactory, fails: dict[int, str], all_fail: bool, blobs: int, locked: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("fickle")
    fate = Fickle(dict.fromkeys(range(1, 1000), "EIO") if all_fail else fails)
    store = Store(folder, now_ms=UTC_MS, fate=fate).open()
    archive = month(store, disk_usage_limit=90)
    names = [blob.begin_ms for blob in archive.blobs()]
    for index in locked:
        result(store.archive.lock("cam", Range(names[index], names[index] + 1)))
    size = max(blob.disk_size for blob in archive.blobs())
    excess, before = blobs * min(blob.disk_size for blob in archive.blobs()) - 100, archive.size
    base = 100 * 10**9 // 10 - excess

    def usage(path: str) -> DiskUsage:
        """As a disk would: what is gone from it is free."""
        used = sum(path.stat().st_size for path in folder.rglob("*.*4")) + sum(
            path.stat().st_size for path in folder.rglob("*.idx")
        )
        return DiskUsage(100 * 10**9, base + before - used)

    store.archive.retention._usage = usage
    fate.armed = True
    for _ in range(12):
        sweep(store)
        later(store, 7)
        check_listed(store, archive)
        if not locked:
            assert before - archive.size <= excess + size
    on_disk = {int(path.stem) for path in files(folder)}
    assert {blob.begin_ms for blob in archive.blobs()} <= on_disk
    assert len(on_disk) >= 8 - blobs - (1 if locked else 0) - len(locked)
    for index in locked:
        assert any(blob.begin_ms == names[index] for blob in archive.blobs())
    # A restart, and the disk is mended: what was not freed is listed.
    pending = sum(blob.begin_ms not in {one.begin_ms for one in archive.blobs()} for blob in result_blobs(store))
    store.archive.root(store.root()).stop()
    again = Store(folder, now_ms=UTC_MS).open()
    listed = again.archive.stream("cam")
    assert listed is not None
    check_listed(again, listed)
    assert {blob.begin_ms for blob in listed.blobs()} == {int(path.stem) for path in files(folder)}
    assert len(listed) >= len(on_disk) - pending - marked(store, on_disk)


def result_blobs(store: Store) -> list[Any]:
    connection = sqlite3.connect(store.catalog.path)
    rows = connection.execute("SELECT begin_ms, state FROM blob").fetchall()
    connection.close()

    class Row:
        def __init__(self, begin_ms: int, state: int) -> None:
            self.begin_ms, self.state = begin_ms, state

    return [Row(*row) for row in rows]


def marked(store: Store, on_disk: set[int]) -> int:
    """Rows that the catalog would not let be unmarked."""
    return sum(row.state == 2 and row.begin_ms in on_disk for row in result_blobs(store))


@pytest.mark.parametrize("step", ["open", "write", "fdatasync", "rename", "fsync"])
def test_a_cut_that_fails_is_listed_as_the_index_says(store: Store, step: str) -> None:
    recorder = store.recorder()
    store.record(recorder, Camera(size=20_000), 20)
    result(recorder.close())
    archive = store.archive.stream("cam")
    assert archive is not None
    (blob,) = archive.blobs()
    for attempt in range(8):
        store.fate.calls.clear()
        count, real = [0], store.fate.step

        def fail(name: str, *rest: Any, count: list[int] = count, attempt: int = attempt, real: Any = real) -> None:
            real(name, *rest)
            if name == step:
                count[0] += 1
                if count[0] == attempt + 1:
                    raise OSError(errno.EIO, "Input/output error")

        store.fate.step = fail  # type: ignore[method-assign]
        begin = UTC_MS + 2000 * attempt
        cut = Cut((Range(begin, begin + 1000),), (), Reach.WITHIN)
        outcome = result(store.archive.deletion.cut(archive, blob, cut, "deleted"))
        store.fate.step = real  # type: ignore[method-assign]
        assert (outcome.error is not None) == (count[0] > attempt)
        check_listed(store, archive)
        table = result(archive.table(blob))
        listed = {begin_ms for begin_ms in table.begin_ms.tolist()}
        assert all(begin_ms in archive.ranges() for begin_ms in listed)
        assert [Range(begin, begin + 1000)] == list(outcome.gone) or begin in listed
        later(store, 1300)
        assert store.archive.deletion.left(store.root()) == 0
        check_listed(store, archive)
        row = result(store.catalog.blobs.all())[0]
        assert (row.state, row.holes, row.freed) == (blob.state, blob.holes, blob.freed) and blob.closed
    assert blob.freed > 0


def test_where_the_file_system_has_no_holes_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.archive.disk.punch._punch", lambda fd, offset, length: False)
    path = tmp_path / "x.mp4"
    path.write_bytes(b"x" * 1_000_000)
    hole = Hole(1000, 700_000, UTC_MS, UTC_MS + 1)
    assert punch(str(path), [hole]) == 0, "nothing came back"
    data = path.read_bytes()
    assert data[1000 : 1000 + len(hole.head)] == hole.head and len(data) == 1_000_000
    assert not data[1000 + len(hole.head) : 701_000].strip(b"\0")
    assert not data[:1000].strip(b"x") and not data[701_000:].strip(b"x")


@pytest.fixture
def other(store: Store) -> Any:
    """Another server has the directory of `cam`, which this one has recorded before."""
    month(store)
    result(store.archive.recorders["cam"].close())
    hold = take(f"{store.root()}/cam", "another server")
    yield hold
    hold.release()


def test_what_another_process_has_is_left_to_it(store: Store, other: Hold, event_schema: Any) -> None:
    """A full disk: this server deletes its own recordings, and says why the others stay."""
    theirs = store.archive.stream("cam")
    own = month(store, "own")
    assert theirs is not None
    before, mine = theirs.blobs(), len(own)
    too_full(store, 1 << 40)
    result(store.archive.retention.make_room(store.archive.root(store.root())))
    later(store, 10)
    sweep(store)
    assert theirs.blobs() == before and len(own) == 1 < mine
    check_listed(store, theirs)
    assert all(blob.state is BlobState.CLOSED for blob in result(store.catalog.blobs.all()) if blob.stream == "cam")
    (event,) = [one for one in store.events if one["event"] == "dvr_stream_in_use"]
    event_schema.check_own([event])
    assert event["media"] == "cam" and event["path"] == store.root() and "another server" in event["error"]
    assert store.archive.deletion.trouble(store.root()) is None, "the disk itself works"
    ((stream, error),) = store.archive.deletion.taken(store.root())
    assert stream == "cam" and "another server" in error.title
    other.release()
    later(store, 2 * RETRY_MAX_S)
    assert store.archive.deletion.taken(store.root()) == [], "nobody knows"
    sweep(store)
    assert len(theirs) == 0 and store.archive.deletion.taken(store.root()) == []


@pytest.mark.parametrize("part", [False, True])
def test_a_range_of_what_another_process_has_is_pending(store: Store, other: Hold, part: bool) -> None:
    archive = store.archive.stream("cam")
    assert archive is not None
    first = archive.blobs()[0]
    span = Range(first.begin_ms, first.end_ms - 500 if part else first.end_ms)
    report = result(store.archive.delete_range("cam", span, True))
    assert not report.deleted and report.pending[store.root()].code == "in_use"
    check_listed(store, archive)
    other.release()
    for _ in range(60):
        store.clock.advance(1)
        store.archive.range_deletions.tend()
    assert not archive.ranges(span) and store.archive.range_deletions.pending() == []


def test_a_full_disk_that_takes_no_lock_file_can_be_emptied(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = month(store)
    result(store.archive.recorders["cam"].close())
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(path: str) -> int:
        raise full

    monkeypatch.setattr("flussdvr.archive.disk.hold._open", refuse)
    too_full(store, 1 << 40)
    sweep(store)
    assert len(archive) == 0
