from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flussdvr.archive.disk.blob import blob_stem
from flussdvr.archive.disk.marker import MARKER, read_marker
from flussdvr.archive.disk.scan import scan
from flussdvr.archive.disk.survey import newest, survey
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Fate, Killed, Store, files, result

WHOLE = RangeSet([Range(UTC_MS, UTC_MS + 4000)])
LOCK = RangeSet([Range(UTC_MS, UTC_MS + 1000)])


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A stopped archive: `cam` with a lock, and `other`."""
    folder = tmp_path / "server"
    folder.mkdir()
    store = Store(folder).open()
    for name in ("cam", "other"):
        store.record(store.recorder(name), Camera(), 4)
    result(store.archive.lock("cam", LOCK[0]))
    store.stop()
    return folder


def lose_catalog(folder: Path) -> None:
    shutil.rmtree(folder / "state")


def start(folder: Path, **options: Any) -> Store:
    store = Store(folder, **options)
    store.archive._configured.append(store.root())
    return store.open()


def listed(store: Store) -> dict[str, RangeSet]:
    return {archive.name: archive.ranges() for archive in store.archive.streams_of()}


def put(folder: Path, stream: str, begin_ms: int, data: bytes = b"") -> Path:
    path = Path(blob_stem(str(folder / "disk"), stream, begin_ms) + ".mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def foreign(folder: Path) -> int:
    """All that a disk may have on it beside recordings; how many things are to be skipped."""
    disk = folder / "disk"
    hour = put(folder, "zz", UTC_MS, os.urandom(3000)).parent
    (disk / "lost+found").mkdir()
    (disk / "readme.txt").write_text("x")
    (disk / ".Trash-1000" / "cam").mkdir(parents=True)
    (disk / "root").symlink_to("/")
    (disk / "cam" / "self").symlink_to(disk)
    os.mkfifo(disk / "cam" / "fifo")
    os.mkfifo(hour / f"{UTC_MS + 1}.mp4")
    (hour / f"{UTC_MS + 2}.mp4").mkdir()
    (hour / f"{UTC_MS + 3}.mp4").symlink_to("/dev/zero")
    os.mkfifo(hour / f"{UTC_MS + 4}.idx")
    shutil.copy(next((disk / "cam").rglob("*.mp4")), hour / f"{UTC_MS + 4}.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(hour)
        listener.bind("socket.mp4")
    with (hour / f"{UTC_MS + 5}.mp4").open("wb") as file:
        file.truncate(1 << 42)
    for name in ("99999999999999999999.mp4", "-5.mp4", "x.mp4", f"{UTC_MS}.mp4.tmp", "0x10.mp4"):
        (hour / name).write_bytes(b"x")
    where = os.fsencode(disk) + b"/\xff\xfe/2026/11/20/17"
    os.makedirs(where)
    with open(where + b"/%d.mp4" % UTC_MS, "wb") as file:
        file.write(b"abc")
    (disk / "zz" / "locks.json").write_text("[" * 100_000)
    (disk / "other" / "locks.json").mkdir()
    return 15


def test_foreign_things_cost_nothing_but_a_line(recorded: Path, event_schema: Any) -> None:
    count = foreign(recorded)
    lose_catalog(recorded)
    before = [(path, names) for path, _, names in sorted(os.walk(os.fsencode(recorded / "disk")))]
    store = start(recorded)
    found = listed(store)
    assert found["cam"] == WHOLE == found["other"] and store.archive.archive_of("cam").locks == LOCK
    told = [event for event in store.events if event["event"] == "dvr_root_imported"]
    event_schema.check_own(told)
    assert sum(event["skipped"] for event in told) >= count
    reasons = " ".join(reason for event in told for reason in event["reasons"])
    for part in ("symbolic link", "FIFO", "socket", "hidden", "not UTF-8", "not a recording", "locks.json"):
        assert part in reasons
    store.stop()
    after = [(path, names) for path, _, names in sorted(os.walk(os.fsencode(recorded / "disk")))]
    assert before == after, "nothing is deleted"


def test_a_directory_that_can_not_be_listed_is_not_gone(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_catalog(recorded)
    real = os.scandir

    def scandir(path: str) -> Any:
        if "/other/2026" in str(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = scan(str(recorded / "disk"))
    assert found.unread == [str(recorded / "disk/other/2026")] and "Permission denied" in str(found.skipped)
    store = start(recorded)
    assert listed(store) == {"cam": WHOLE}
    store.stop()
    monkeypatch.undo()
    assert listed(start(recorded)) == {"cam": WHOLE, "other": WHOLE}, "looked at again, as it was not whole"


def test_an_import_that_is_killed_is_done_at_the_next_start(recorded: Path) -> None:
    lose_catalog(recorded)
    counted = Fate()
    shutil.copytree(recorded, recorded.parent / "counted")
    start(recorded.parent / "counted", fate=counted)
    for kill_at in range(len(counted.calls) + 1):
        folder = recorded.parent / f"killed-{kill_at}"
        shutil.copytree(recorded, folder)
        try:
            start(folder, fate=Fate(kill_at))
        except Killed:
            pass
        store = start(folder)
        assert listed(store) == {"cam": WHOLE, "other": WHOLE}, f"killed at {kill_at}"
        assert store.archive.archive_of("cam").locks == LOCK, f"killed at {kill_at}"
        shutil.rmtree(folder)


def test_a_row_that_is_set_aside_is_found_on_the_disk(recorded: Path, event_schema: Any) -> None:
    store = Store(recorded)
    result(store.catalog.open())
    store.catalog.run(lambda c: c.execute("UPDATE blob SET begin_ms = -5 WHERE stream = 'cam'"))
    store.catalog.run(lambda c: c.execute("UPDATE blob SET state = 77, holes = '[[5' WHERE stream = 'other'"))
    store.open()
    assert listed(store) == {"cam": WHOLE, "other": WHOLE}
    event_schema.check_own(store.events)
    assert "catalog_rows_set_aside" in store.kinds()


# -- what comes and goes without the server -----------------------------------------------------------------------


def test_a_renamed_stream_is_found_under_its_new_name(recorded: Path) -> None:
    (recorded / "disk" / "cam").rename(recorded / "disk" / "new")
    store = start(recorded)
    assert listed(store) == {"new": WHOLE, "other": WHOLE} and store.archive.archive_of("new").locks == LOCK
    store.stop()
    assert listed(start(recorded)) == {"new": WHOLE, "other": WHOLE}


def test_a_disk_that_was_exchanged_for_its_backup(recorded: Path) -> None:
    shutil.copytree(recorded / "disk", recorded / "backup")
    store, camera = start(recorded), Camera(UTC_MS + 3 * HOUR_MS)
    store.record(store.recorder(), camera, 4)
    store.stop()
    shutil.rmtree(recorded / "disk")
    (recorded / "backup").rename(recorded / "disk")
    shutil.rmtree(recorded / "disk" / "other")
    store = start(recorded)
    assert listed(store) == {"cam": WHOLE}
    (event,) = [event for event in store.events if event["event"] == "dvr_root_imported"]
    assert (event["found"], event["gone"]) == (0, 2)


def test_an_unmounted_disk_has_lost_nothing(recorded: Path) -> None:
    (recorded / "disk").rename(recorded / "unplugged")
    (recorded / "disk").mkdir()
    store = Store(recorded).open()
    assert listed(store) == {"cam": WHOLE, "other": WHOLE}
    uuid = read_marker(str(recorded / "unplugged"))
    blobs = store.archive.archive_of("cam").blobs()
    with pytest.raises(Exception, match="disk_not_mounted"):
        survey(str(recorded / "disk"), uuid or "", blobs)


def test_hours_that_somebody_put_there(recorded: Path) -> None:
    donor = recorded.parent / "donor"
    store = Store(donor).open()
    store.record(store.recorder("cam"), Camera(UTC_MS - 50 * HOUR_MS), 4)
    store.stop()
    shutil.copytree(donor / "disk" / "cam", recorded / "disk" / "cam", dirs_exist_ok=True)
    found = listed(start(recorded))["cam"]
    assert found == RangeSet([Range(UTC_MS - 50 * HOUR_MS, UTC_MS - 50 * HOUR_MS + 4000), WHOLE[0]])


def test_files_that_went_without_their_rows_are_not_listed(tmp_path: Path) -> None:
    """Expiry goes on while the catalog hangs; then the server is killed. Of the first hour left, a part is gone."""
    store = Store(tmp_path).open()
    begins = [UTC_MS, UTC_MS + HOUR_MS, UTC_MS + HOUR_MS + 60_000, UTC_MS + 2 * HOUR_MS]
    recorder = store.recorder("cam")
    for begin_ms in begins:
        store.record(recorder, Camera(begin_ms), 4)
    store.stop()
    for begin_ms in begins[:2]:
        stem = blob_stem(str(tmp_path / "disk"), "cam", begin_ms)
        for suffix in (".mp4", ".idx"):
            Path(stem + suffix).unlink()
    os.rmdir(os.path.dirname(blob_stem(str(tmp_path / "disk"), "cam", begins[0])))
    assert listed(start(tmp_path))["cam"] == RangeSet([Range(ms, ms + 4000) for ms in begins[2:]])


def test_holes_are_known_again(recorded: Path) -> None:
    store = start(recorded)
    result(store.archive.delete_range("other", Range(UTC_MS, UTC_MS + 2000)))
    left = listed(store)["other"]
    store.stop()
    assert left != WHOLE
    lose_catalog(recorded)
    assert listed(start(recorded))["other"] == left


def test_the_newest_day_and_the_locks_come_first(recorded: Path) -> None:
    root = str(recorded / "disk")
    old = put(recorded, "cam", UTC_MS - 72 * HOUR_MS)
    found = newest(root, read_marker(root) or "")
    assert [(blob.stream, blob.begin_ms) for blob in found.blobs] == [("cam", UTC_MS), ("other", UTC_MS)]
    assert found.locks == {"cam": LOCK} and old.exists()


# -- copies -------------------------------------------------------------------------------------------------------


def test_a_copied_root_is_recorded_to_while_the_old_one_is_there(recorded: Path) -> None:
    shutil.copytree(recorded / "disk", recorded / "bigger")
    store = Store(recorded)
    store.archive._configured.append(store.root("bigger"))
    store.open()
    recorder = store.recorder("cam", "bigger")
    store.record(recorder, Camera(UTC_MS + 60_000), 4)
    assert recorder.error is None
    assert {blob.root for blob in store.archive.archive_of("cam").blobs()} == {store.root("bigger")}
    assert store.root("disk") not in store.archive.roots
    store.stop()


def test_two_copies_that_are_configured(recorded: Path) -> None:
    shutil.copytree(recorded / "disk", recorded / "copy")
    store = Store(recorded)
    store.archive._configured += [store.root("copy"), store.root("disk")]
    store.open()
    error = store.archive.root(store.root("copy")).error
    assert error is not None and error.code == "root_is_a_copy" and store.root("disk") in error.title
    assert MARKER in error.title
    recorder = store.recorder()
    store.record(recorder, Camera(UTC_MS + 60_000), 4)
    assert recorder.error is None


def test_a_root_is_copied_while_the_server_runs(recorded: Path) -> None:
    store = start(recorded)
    recorder = store.recorder()
    store.record(recorder, Camera(UTC_MS + 60_000), 4)
    result(recorder.close())
    shutil.copytree(recorded / "disk", recorded / "bigger")
    recorder = store.recorder("cam", "bigger")  # as a reload does it
    store.archive.set_policy("other", None)
    store.record(recorder, Camera(UTC_MS + 120_000), 4)
    assert recorder.error is None
    archive = store.archive.archive_of("cam")
    assert archive.roots == {store.root("bigger")} and len(archive.ranges()) == 3
    store.stop()
    again = Store(recorded).open()
    assert len(listed(again)["cam"]) == 3


def test_a_copy_without_its_marker_takes_the_place_of_a_disk_that_is_not_there(recorded: Path) -> None:
    (recorded / "disk").rename(recorded / "new")
    (recorded / "new" / MARKER).unlink()
    store = Store(recorded)
    store.archive._configured.append(store.root("new"))
    store.open()
    assert listed(store) == {"cam": WHOLE, "other": WHOLE}
    for name in ("cam", "other"):
        assert [blob.root for blob in store.archive.archive_of(name).blobs()] == [store.root("new")]


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from tests.archive.store import Store
from flussdvr.archive import joining
real = joining.scan
def scan(root):
    found = real(root)
    print("scanned", flush=True)
    time.sleep(60)
    return found
joining.scan = scan
store = Store(Path(sys.argv[2]))
store.archive._configured.append(store.root())
store.open()
"""


def test_a_process_that_is_killed_in_an_import(recorded: Path) -> None:
    lose_catalog(recorded)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[2]), str(recorded)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"scanned\n"
    process.kill()
    process.communicate()
    store = start(recorded)
    assert listed(store) == {"cam": WHOLE, "other": WHOLE} and store.archive.archive_of("cam").locks == LOCK
    assert len(files(recorded)) == 2 and json.dumps(store.kinds())
