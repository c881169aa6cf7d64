"""Recordings are dated anew: every fragment, the index, the name; and a crash in between only delays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flussdvr.archive import redate as redating
from flussdvr.archive.misdated import Aside, read_misdated, write_entries
from flussdvr.archive.redate import list_misdated, redate
from flussdvr.archive.tools import fsck
from flussdvr.errors import DvrError
from flussdvr.timeline import HOUR_MS
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, files, result

DAY = 24 * HOUR_MS
NOW = UTC_MS + 60_000


def recorded(tmp_path: Path, *begins_ms: int) -> str:
    """The root of a stopped server."""
    store = Store(tmp_path, now_ms=NOW + 2 * DAY).open()
    recorder = store.recorder("cam")
    for begin_ms in begins_ms:
        camera = Camera()
        camera.now_ms = begin_ms
        store.record(recorder, camera, 5)
        recorder.gap("clock")
    result(store.archive.close())
    return store.root()


def ranges(tmp_path: Path) -> list[tuple[int, int]]:
    archive = Store(tmp_path, now_ms=NOW).open().archive.stream("cam")
    assert archive is not None and not archive.misdated
    return archive.ranges().pairs()


def test_what_is_set_aside_is_dated_by_what_is_known(tmp_path: Path) -> None:
    root = recorded(tmp_path, UTC_MS, UTC_MS + DAY + 20_000)
    write_entries(root, {("cam", UTC_MS + DAY + 20_000): Aside(-DAY)})
    assert "-86400.000 s" in list_misdated(root)
    report = redate(root)
    assert report.ok and len(report.done) == 1, str(report)
    assert not read_misdated(root)
    assert ranges(tmp_path) == [(UTC_MS, UTC_MS + 5000), (UTC_MS + 20_000, UTC_MS + 25_000)]
    assert fsck(root).ok and len(files(Path(root))) == 2


def test_a_clock_of_1970(tmp_path: Path) -> None:
    root = recorded(tmp_path, 30_000)
    assert redate(root, "cam", UTC_MS - 30_000, 30_000).ok
    assert ranges(tmp_path) == [(UTC_MS, UTC_MS + 5000)]


def test_without_a_known_shift_it_is_said(tmp_path: Path) -> None:
    root = recorded(tmp_path, UTC_MS + DAY)
    write_entries(root, {("cam", UTC_MS + DAY): Aside()})
    report = redate(root)
    assert not report.ok and "--shift" in str(report)
    assert redate(root, by_ms=-DAY).ok


def test_nothing_is_put_over_something_else(tmp_path: Path) -> None:
    root = recorded(tmp_path, UTC_MS, UTC_MS + DAY)
    write_entries(root, {("cam", UTC_MS + DAY): Aside(-DAY + 2000)})
    report = redate(root)
    assert not report.ok and "recorded already" in str(report)
    assert len(files(Path(root))) == 2 and read_misdated(root)


def test_a_root_in_use_is_left_alone(tmp_path: Path) -> None:
    root = recorded(tmp_path, UTC_MS)
    held = redating.lock_marker(root, exclusive=False)
    try:
        with pytest.raises(DvrError, match="in use"):
            redate(root)
    finally:
        os.close(held)


@pytest.mark.parametrize("call", ["copyfile", "rename", "fsync", "delete_files", "write_entries"])
def test_a_crash_in_between_only_delays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    root = recorded(tmp_path, UTC_MS + DAY)
    write_entries(root, {("cam", UTC_MS + DAY): Aside(-DAY)})

    def fail(*args: object) -> None:
        raise OSError("the power is gone")

    where = redating if hasattr(redating, call) else redating.shutil if call == "copyfile" else redating.os
    with monkeypatch.context() as patched, pytest.raises(OSError, match="power"):
        patched.setattr(where, call, fail)
        redate(root)
    assert len(files(Path(root))) >= 1
    assert redate(root).ok
    assert ranges(tmp_path) == [(UTC_MS, UTC_MS + 5000)] and fsck(root).ok
