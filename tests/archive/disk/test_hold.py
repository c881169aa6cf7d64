from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive import tools
from flussdvr.archive.disk import hold as hold_module
from flussdvr.archive.disk.hold import LOCK_FILE, Holder, StreamHolds, hold, holder_of
from flussdvr.errors import DvrError
from tests.archive.camera import Camera
from tests.archive.store import Store, result

HOLD = """
import sys
from flussdvr.archive.disk.hold import hold
held = hold(sys.argv[1], "recording cam")
print("held", flush=True)
sys.stdin.read()
"""


class Other:
    """Another process that holds a directory."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-c", HOLD, str(directory)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None and self.process.stdout.readline() == b"held\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_the_second_one_is_told_who_holds_it(tmp_path: Path) -> None:
    other = Other(tmp_path)
    try:
        with pytest.raises(DvrError, match="in_use") as refused:
            hold(str(tmp_path), "a server")
        title = refused.value.title
        assert f"process {other.process.pid} on {os.uname().nodename} since 20" in title and "recording cam" in title
    finally:
        other.kill()
    held = hold(str(tmp_path), "a server")  # it goes with the process, also after kill -9
    found = holder_of(str(tmp_path))
    assert held.real and held.is_valid and found is not None and found.pid == os.getpid()
    with pytest.raises(DvrError, match=f"process {os.getpid()} on"):
        hold(str(tmp_path), "another stream of this server")
    held.release()
    held.release()
    assert list(tmp_path.iterdir()) == [] and holder_of(str(tmp_path)) is None


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b"{", b"[" * 4000, b'{"pid": 1e99}', b"\xff\xfe", b"x" * 100_000])
def test_what_the_file_says_is_for_people(tmp_path: Path, text: bytes) -> None:
    (tmp_path / LOCK_FILE).write_bytes(text)
    held = hold(str(tmp_path), "a server")
    (tmp_path / LOCK_FILE).write_bytes(text)
    with pytest.raises(DvrError, match=f"in use by process {os.getpid()}"):  # as the kernel says
        hold(str(tmp_path), "a server")
    held.release()


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.dictionaries(
            st.sampled_from(["pid", "host", "started", "since", "what"]),
            st.integers() | st.text(max_size=5) | st.none(),
        ),
    )
)
def test_any_text_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / LOCK_FILE).write_bytes(data)
    found = holder_of(str(directory))
    assert found is None or (found.pid > 0 and str(found).isprintable() and found.is_running in (True, False))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(OSError, match="not a regular file"):
        hold(str(tmp_path), "a server")


def no_locks(fd: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_where_there_are_no_locks_the_text_decides(tmp_path: Path) -> None:
    other = Other(tmp_path)
    try:
        with pytest.raises(DvrError, match=f"process {other.process.pid} on"):
            hold(str(tmp_path), "a server", no_locks)
    finally:
        other.kill()
    held = hold(str(tmp_path), "a server", no_locks)
    assert not held.real and held.is_valid
    elsewhere = Holder(os.getppid(), "another.host", 0, "2026-11-28T09:00:00Z", "a server")
    (tmp_path / LOCK_FILE).write_text(json.dumps({name: getattr(elsewhere, name) for name in elsewhere.__slots__}))
    assert not hold(str(tmp_path), "a server", no_locks).real


def test_a_disk_that_fails_is_not_held(tmp_path: Path) -> None:
    def fails(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output error"):
        hold(str(tmp_path), "a server", fails)
    with pytest.raises(FileNotFoundError):
        hold(str(tmp_path / "missing"), "a server")


def test_a_holder_that_was_killed_and_waits_for_a_disk_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Other(tmp_path)
    real = hold_module.process
    monkeypatch.setattr(hold_module, "process", lambda pid: ("Z", 5) if pid == other.process.pid else real(pid))
    try:
        held = hold(str(tmp_path), "a server")
        assert held.real and held.is_valid
    finally:
        other.kill()


def test_streams_are_held_as_often_as_they_are_taken(tmp_path: Path) -> None:
    holds, others = StreamHolds(str(tmp_path)), StreamHolds(str(tmp_path))
    holds.take("site/cam")
    holds.take("site/cam")
    holds.give_back("site/cam")
    with pytest.raises(DvrError, match="in_use"):
        others.take("site/cam")
    others.take("site")
    holds.give_back("site/cam")
    holds.give_back("site/cam")
    others.take("site/cam")
    others.release()
    assert not (tmp_path / "site" / "cam" / LOCK_FILE).exists()


def test_a_disk_that_was_exchanged_is_held_again(tmp_path: Path) -> None:
    holds = StreamHolds(str(tmp_path / "disk"))
    (tmp_path / "disk").mkdir()
    holds.take("cam")
    (tmp_path / "disk").rename(tmp_path / "other")
    (tmp_path / "disk").mkdir()
    holds.check("cam")
    assert (tmp_path / "disk" / "cam" / LOCK_FILE).exists()
    holds.give_back("cam")


# -- who records ----------------------------------------------------------------------------------------------------


def two(tmp_path: Path) -> tuple[Store, Store]:
    """Two servers with a state of their own, and one root."""
    stores = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "disk").symlink_to(tmp_path / "shared")
        stores.append(Store(folder).open())
    return stores[0], stores[1]


def test_one_stream_is_recorded_by_one_server(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    first, second = two(tmp_path)
    mine, theirs = first.recorder(), second.recorder()
    camera = Camera()
    first.record(mine, camera, 3)
    second.record(theirs, Camera(), 3)
    assert theirs.error is not None and "is in use by process" in theirs.error.title
    assert mine.error is None and second.archive.stream("cam").ranges().bounds is None  # type: ignore[union-attr]
    assert [event["reason"] for event in second.events if event["event"] == "dvr_write_failed"] == ["in_use"]
    result(mine.close())
    second.clock.advance(10)
    second.record(theirs, camera, 3)
    assert theirs.error is None and "dvr_write_resumed" in second.kinds()


def test_what_another_server_records_is_not_recovered(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    first, _ = two(tmp_path)
    camera = Camera()
    mine = first.recorder()
    first.record(mine, camera, 3)
    (blob,) = first.archive.stream("cam").blobs()  # type: ignore[union-attr]
    before = os.stat(blob.index_path).st_ino
    with open(blob.index_path, "ab") as file:  # as if the other were just writing
        file.write(b"\0\0\1\0moof")
    third = Store(tmp_path / "second")
    third.archive._configured.append(third.root())
    third.open()
    assert os.stat(blob.index_path).st_ino == before and third.archive.streams() == []
    os.truncate(blob.index_path, blob.index_size)
    first.record(mine, camera, 3)
    result(mine.close())
    third.archive.startService()
    third.clock.pump([1] * 61)
    found = third.archive.stream("cam")
    assert found is not None and found.ranges() == first.archive.stream("cam").ranges()  # type: ignore[union-attr]


def test_the_hold_moves_along_with_the_stream(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    recorder = store.recorder()
    store.record(recorder, camera, 3)
    assert (tmp_path / "disk" / "cam" / LOCK_FILE).exists()
    result(recorder.close())
    assert not (tmp_path / "disk" / "cam" / LOCK_FILE).exists()
    store.record(store.recorder("cam", "other"), camera, 3)
    assert (tmp_path / "other" / "cam" / LOCK_FILE).exists()
    store.stop()
    assert list(tmp_path.rglob(LOCK_FILE)) == []


def test_tools_leave_alone_what_is_recorded(tmp_path: Path) -> None:
    store, camera = Store(tmp_path).open(), Camera()
    store.record(store.recorder(), camera, 3)
    store.stop()
    (index,) = (tmp_path / "disk").rglob("*.idx")
    index.unlink()
    other = Other(tmp_path / "disk" / "cam")
    try:
        report = tools.reindex(str(tmp_path / "disk"))
        assert not report.ok and any("is in use by" in line for line in report.problems) and not index.exists()
    finally:
        other.kill()
    assert tools.reindex(str(tmp_path / "disk")).ok and index.exists()
    other = Other(tmp_path / "state")
    try:
        with pytest.raises(DvrError, match="in_use"):
            tools.reindex(str(tmp_path / "disk"), str(tmp_path / "state"))
    finally:
        other.kill()
