"""Misdated recordings of a running server: listed with what is known, dated anew, deleted; refused where they can't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flussdvr.archive import redate as redate_module
from flussdvr.archive.misdated import Aside, read_misdated
from flussdvr.archive.redating import ANSWER_S, LOOK_S, Found, id_of
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.archive.tools import fsck
from flussdvr.clock.utc import Step
from flussdvr.errors import DvrError
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, files, result

DAY = 24 * HOUR_MS
NOW = UTC_MS + 60_000


def record(store: Store, begin_ms: int, seconds: int = 5) -> None:
    recorder, camera = store.archive.recorders.get("cam") or store.recorder("cam"), Camera()
    camera.now_ms = begin_ms
    store.record(recorder, camera, seconds)
    recorder.gap("clock")


def archive_of(store: Store) -> LocalStreamArchive:
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive


def found(store: Store) -> list[Found]:
    return result(store.archive.redating.found("cam"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Right from UTC_MS on; a second recording, made 20 s later by a clock that was a day ahead."""
    store = Store(tmp_path, now_ms=NOW).open()
    store.archive.redating._spare_bytes = 0
    record(store, UTC_MS)
    record(store, UTC_MS + DAY + 20_000)
    store.archive.clock_stepped(Step(NOW + DAY, NOW, UTC_MS + DAY), proven=True)
    return store


@pytest.fixture
def unknown(tmp_path: Path) -> Store:
    """The same, found by a server that starts in the true time: nobody knows by how much it is wrong."""
    store = Store(tmp_path, now_ms=NOW + DAY).open()
    record(store, UTC_MS)
    record(store, UTC_MS + DAY + 20_000)
    result(store.archive.close())
    again = Store(tmp_path, now_ms=NOW).open()
    again.archive.redating._spare_bytes = 0
    return again


def test_it_is_listed_with_what_is_known(store: Store) -> None:
    (one,) = found(store)
    assert one.blob.range == Range(UTC_MS + DAY + 20_000, UTC_MS + DAY + 25_000) and one.aside == Aside(-DAY)
    assert one.written_ms == int(os.stat(one.blob.path).st_mtime * 1000)
    assert result(store.archive.redating.found()) == [one]


def test_it_is_dated_anew_while_the_server_records(store: Store) -> None:
    (one,) = found(store)
    report = result(store.archive.redating.redate("cam"))
    assert report.done == {one.id: Range(UTC_MS + 20_000, UTC_MS + 25_000)} and not report.problems
    archive = archive_of(store)
    assert archive.ranges().pairs() == [(UTC_MS, UTC_MS + 5000), (UTC_MS + 20_000, UTC_MS + 25_000)]
    assert not archive.misdated and len(files(store.folder)) == 2 and not read_misdated(store.root())
    assert archive.size == sum(blob.disk_size for blob in archive.blobs())
    assert [event["reason"] for event in store.events if event["event"] == "dvr_blob_deleted"] == ["redated"]
    record(store, UTC_MS + 40_000)
    result(store.archive.close())
    assert fsck(store.root()).ok
    again = Store(store.folder, now_ms=NOW).open()
    assert len(archive_of(again)) == 3 and not archive_of(again).misdated


def test_by_how_much_is_said_where_nobody_knows(unknown: Store) -> None:
    (one,) = found(unknown)
    assert one.aside == Aside()
    report = result(unknown.archive.redating.redate("cam"))
    assert report.problems[one.id].code == "shift_unknown" and not report.done
    (again,) = found(unknown)
    assert again.error is report.problems[one.id]
    report = result(unknown.archive.redating.redate("cam", one.id, at_ms=UTC_MS + 30_000))
    assert report.done == {one.id: Range(UTC_MS + 30_000, UTC_MS + 35_000)}
    assert not found(unknown)


@pytest.mark.parametrize(
    ("shift_ms", "code"),
    [(-DAY - 18_000, "recorded_already"), (DAY, "date_is_wrong"), (-(1 << 50), "date_is_wrong"), (0, "date_is_wrong")],
)
def test_it_lies_neither_on_something_else_nor_where_it_is_misdated_again(
    store: Store, shift_ms: int, code: str
) -> None:
    (one,) = found(store)
    report = result(store.archive.redating.redate("cam", one.id, shift_ms))
    assert report.problems[one.id].code == code and len(files(store.folder)) == 2
    assert found(store)[0].blob is one.blob


def test_a_date_that_was_right_after_all_needs_no_copy(store: Store) -> None:
    (one,) = found(store)
    store.now_ms = NOW + 2 * DAY
    assert result(store.archive.redating.redate("cam", one.id, 0)).done
    assert len(archive_of(store)) == 2 and not found(store) and not read_misdated(store.root())


def test_two_that_would_have_one_name(store: Store) -> None:
    record(store, UTC_MS + 20_000)
    store.archive._set_aside(archive_of(store), archive_of(store).blobs()[-1], Aside())
    one = found(store)[-1]
    report = result(store.archive.redating.redate("cam", one.id))
    assert report.problems[one.id].code == "recorded_already" and len(files(store.folder)) == 3


def test_the_files_of_another_recording_are_no_copy(store: Store) -> None:
    """It is on the disk, and the catalog does not know it."""
    (one,) = found(store)
    stem = redate_module.blob_stem(store.root(), "cam", UTC_MS + 20_000)
    os.makedirs(os.path.dirname(stem), exist_ok=True)
    Path(stem + ".mp4").write_bytes(Path(one.blob.path).read_bytes())
    Path(stem + ".idx").write_bytes(Path(one.blob.index_path).read_bytes())
    report = result(store.archive.redating.redate("cam"))
    assert report.problems[one.id].code == "recorded_already" and os.path.exists(one.blob.path)


def test_a_full_disk_is_no_place_for_a_copy(store: Store) -> None:
    (one,) = found(store)
    store.archive.redating._spare_bytes = 1 << 60
    report = result(store.archive.redating.redate("cam"))
    assert report.problems[one.id].code == "disk_full" and len(list(store.folder.rglob("*.new"))) == 0
    assert found(store)[0].error is not None


@pytest.mark.parametrize("call", ["copyfile", "_shifted_index", "sync_directory"])
def test_what_fails_halfway_changes_nothing_and_is_done_by_the_next_call(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (one,) = found(store)

    def fail(*args: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(redate_module.shutil if call == "copyfile" else redate_module, call, fail)
        report = result(store.archive.redating.redate("cam"))
    assert report.problems[one.id].code == "disk_failed" and os.path.exists(one.blob.path)
    assert not list(store.folder.rglob("*.new")) and archive_of(store).ranges().pairs() == [(UTC_MS, UTC_MS + 5000)]
    assert result(store.archive.redating.redate("cam")).done and len(archive_of(store)) == 2


def test_a_catalog_that_refuses_the_row(store: Store) -> None:
    (one,) = found(store)
    store.fate.faults["sql"] = OSError("no more")
    report = result(store.archive.redating.redate("cam"))
    assert one.id in report.problems and found(store)
    store.fate.faults.clear()
    assert result(store.archive.redating.redate("cam")).done
    assert len(archive_of(store)) == 2 and len(files(store.folder)) == 2


def test_a_row_that_cannot_be_finished_is_finished_by_the_next_call(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = found(store)

    async def refuse(blobs: object) -> None:
        raise OSError("no more")

    with monkeypatch.context() as patched:
        patched.setattr(store.catalog.blobs, "update", refuse)
        assert one.id in result(store.archive.redating.redate("cam")).problems
    assert len(archive_of(store)) == 1 and found(store)
    assert result(store.archive.redating.redate("cam")).done
    assert len(archive_of(store)) == 2 and all(blob.id for blob in archive_of(store).blobs())


def test_what_was_locked_stays_locked(store: Store) -> None:
    (one,) = found(store)
    result(store.archive.lock("cam", Range(UTC_MS + DAY + 21_000, UTC_MS + DAY + 23_000)))
    report = result(store.archive.redating.delete("cam", one.id))
    assert report.problems[one.id].code == "locked" and os.path.exists(one.blob.path)
    assert result(store.archive.redating.redate("cam")).done
    assert archive_of(store).locks.pairs() == [(UTC_MS + 21_000, UTC_MS + 23_000)]
    assert len(files(store.folder)) == 2


def test_it_is_deleted_by_its_id(store: Store) -> None:
    (one,) = found(store)
    with pytest.raises(DvrError, match="no such misdated"):
        result(store.archive.redating.delete("cam", "1-0"))
    assert result(store.archive.redating.delete("cam", one.id)).done == {one.id: one.blob.range}
    assert not found(store) and len(files(store.folder)) == 1 and not read_misdated(store.root())
    archive = archive_of(store)
    assert archive.size == sum(blob.disk_size for blob in archive.blobs())
    with pytest.raises(DvrError, match="nothing of cam"):
        result(store.archive.redating.delete("cam"))


def test_a_disk_that_hangs_holds_nobody_up_and_is_gone_on_with(tmp_path: Path) -> None:
    from twisted.internet.defer import Deferred

    store = Store(tmp_path, now_ms=NOW).open()
    store.archive.redating._spare_bytes = 0
    record(store, UTC_MS)
    record(store, UTC_MS + DAY + 20_000)
    store.archive.clock_stepped(Step(NOW + DAY, NOW, UTC_MS + DAY), proven=True)
    root = store.archive.root(store.root())
    held: list[tuple[Deferred[object], object]] = []

    class Hanging:
        def do(self, f: object, *args: object) -> Deferred[object]:
            held.append((Deferred(), lambda: f(*args)))  # type: ignore[operator]
            return held[-1][0]

    reader, root.reader = root.reader, Hanging()  # type: ignore[assignment]
    listed = Deferred.fromCoroutine(store.archive.redating.found("cam"))
    store.clock.advance(LOOK_S)
    ((one,),) = (result(listed),)
    assert one.written_ms is None
    asked = Deferred.fromCoroutine(store.archive.redating.redate("cam"))
    store.clock.advance(ANSWER_S)
    report = result(asked)
    assert report.pending == [one.id] and not report.done
    (working,) = store.archive.redating._of(archive_of(store))
    assert working.working
    assert result(store.archive.redating.redate("cam")).problems[one.id].code == "being_changed"
    root.reader = reader
    for waiting, work in held:
        waiting.callback(work())  # type: ignore[operator]
    assert not archive_of(store).misdated and len(archive_of(store)) == 2


def test_the_disk_may_be_elsewhere(store: Store) -> None:
    (one,) = found(store)
    archive_of(store).moved(store.root(), "/elsewhere")
    assert one.blob.root == "/elsewhere" and archive_of(store).roots == {"/elsewhere"}
    assert id_of(one.blob) != one.id


def test_want_of_space_takes_them_in_the_order_of_recording(store: Store) -> None:
    """The second was made in between, whatever its date says."""
    record(store, UTC_MS + 40_000)
    archive = archive_of(store)
    begins = [blob.begin_ms for _, blob in archive.by_age()]
    assert begins == [UTC_MS, UTC_MS + DAY + 20_000, UTC_MS + 40_000]
    for wrong_ms in (UTC_MS + DAY + 20_000,):
        (blob,) = archive.misdated
        assert blob.begin_ms == wrong_ms
        archive.misdated[blob] = Aside()
        assert [one.begin_ms for _, one in archive.by_age()] == begins


def test_what_was_deleted_of_it_stays_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path, now_ms=NOW + DAY).open()
    store.archive.redating._spare_bytes = 0
    record(store, UTC_MS + DAY, seconds=12)
    result(store.archive.delete_range("cam", Range(UTC_MS + DAY + 4000, UTC_MS + DAY + 8000)))
    left = [Range(begin - DAY, end - DAY) for begin, end in archive_of(store).ranges().pairs()]
    assert len(left) == 2
    store.now_ms = NOW
    store.archive.clock_stepped(Step(NOW + DAY, NOW, UTC_MS + DAY), proven=True)
    assert result(store.archive.redating.redate("cam")).done
    assert list(archive_of(store).ranges()) == left
    result(store.archive.close())
    assert fsck(store.root()).ok
    assert list(archive_of(Store(tmp_path, now_ms=NOW).open()).ranges()) == left
