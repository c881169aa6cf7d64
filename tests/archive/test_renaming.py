from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flussdvr.archive.disk.hold import hold
from flussdvr.archive.renaming import rename_stream
from flussdvr.errors import DvrError
from flussdvr.timeline import Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Fate, Killed, Store, result

WHOLE = RangeSet([Range(UTC_MS, UTC_MS + 4000)])
LOCK = Range(UTC_MS, UTC_MS + 1000)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """`cam` on two roots, with a lock and an override, and `cam/hd`, which lies in its directory."""
    folder = tmp_path / "server"
    folder.mkdir()
    store = Store(folder).open()
    for name, root in (("cam", "disk"), ("cam/hd", "disk")):
        recorder = store.recorder(name, root)
        store.record(recorder, Camera(), 4)
        result(recorder.close())
    recorder = store.recorder("cam", "other")
    store.record(recorder, Camera(UTC_MS + 60_000), 4)
    result(store.archive.lock("cam", LOCK))
    result(store.catalog.stream_overrides.replace("cam", '{"title": "x"}'))
    store.stop()
    return folder


def rename(folder: Path, old: str = "cam", new: str = "site/new", fate: Fate | None = None) -> str:
    roots = [str(folder / "disk"), str(folder / "other")]
    return str(rename_stream(roots, str(folder / "state"), old, new, fate or Fate()))


def check(folder: Path, name: str = "site/new") -> None:
    store = Store(folder)
    store.archive._configured += [store.root("disk"), store.root("other")]
    store.open()
    assert store.archive.streams() == sorted(["cam/hd", name])
    archive = store.archive.archive_of(name)
    assert archive.ranges() == RangeSet([WHOLE[0], Range(UTC_MS + 60_000, UTC_MS + 64_000)])
    assert archive.locks == RangeSet([LOCK]) and store.archive.archive_of("cam/hd").ranges() == WHOLE
    for blob in archive.blobs():
        assert Path(blob.path).stat().st_size == blob.size
    store.stop()


def test_a_stream_is_renamed(recorded: Path) -> None:
    assert rename(recorded).startswith("cam is site/new now: 4 directories and files moved, ")
    check(recorded)
    store = Store(recorded)
    result(store.catalog.open())
    assert result(store.catalog.stream_overrides.all()) == {"site/new": '{"title": "x"}'}
    result(store.catalog.close())
    with pytest.raises(DvrError, match="stream_not_found"):
        rename(recorded)


def test_killed_anywhere_it_is_done_by_the_same_command(recorded: Path) -> None:
    counted = Fate()
    shutil.copytree(recorded, recorded.parent / "counted")
    rename(recorded.parent / "counted", fate=counted)
    shutil.rmtree(recorded.parent / "counted")
    assert len(counted.calls) > 8
    for kill_at in range(len(counted.calls)):
        folder = recorded.parent / f"killed-{kill_at}"
        shutil.copytree(recorded, folder)
        with pytest.raises(Killed):
            rename(folder, fate=Fate(kill_at))
        rename(folder)
        check(folder)
        shutil.rmtree(folder)


def test_nothing_is_overwritten(recorded: Path) -> None:
    with pytest.raises(DvrError, match="already_exists"):
        rename(recorded, "cam", "cam/hd")
    check(recorded, "cam")


def test_not_while_a_server_runs_or_records(recorded: Path) -> None:
    for directory in (recorded / "state", recorded / "other" / "cam"):
        held = hold(str(directory), "a server")
        with pytest.raises(DvrError, match="in_use"):
            rename(recorded)
        held.release()
    check(recorded, "cam")


def test_not_while_a_disk_is_missing(recorded: Path) -> None:
    (recorded / "other").rename(recorded / "unplugged")
    (recorded / "other").mkdir()
    with pytest.raises(DvrError, match="disk_not_mounted"):
        rename(recorded)


@pytest.mark.parametrize("name", ["..", "a/../b", "/x", ""])
def test_a_name_that_leads_elsewhere(recorded: Path, name: str) -> None:
    with pytest.raises(DvrError, match="bad_stream_name"):
        rename(recorded, "cam", name)
