from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.archive.disk.recovery import VERIFY, examine, recover
from flussdvr.archive.disk.walk import PAGE, walk_index
from flussdvr.formats.mp4.fmp4 import BlobInfo, blob_info_box
from tests.archive.camera import UTC_MS, Camera, Taken
from tests.archive.store import Fate


class Unsynced(Fate):
    """Thousands of recoveries without waiting for the disk."""

    def fdatasync(self, fd: int) -> None: ...

    def fsync(self, fd: int) -> None: ...


UNSYNCED = Unsynced()


@dataclass
class Recorded:
    head: bytes
    taken: list[Taken]
    path: Path

    @property
    def data(self) -> bytes:
        return self.head + b"".join(one.data for one in self.taken)

    @property
    def index(self) -> bytes:
        return self.head + b"".join(one.data[: one.head_size] for one in self.taken)

    def put(self, data: bytes, index: bytes | None) -> None:
        self.path.write_bytes(data)
        if index is None:
            self.path.with_suffix(".idx").unlink(missing_ok=True)
        else:
            self.path.with_suffix(".idx").write_bytes(index)

    def recover(self) -> int:
        """How many fragments are there after recovery; they must be the first ones, and the files whole."""
        found = recover(str(self.path), str(self.path.with_suffix(".idx")), UNSYNCED)
        if found is None:
            return 0
        count = (found.end_ms - UTC_MS) // 1000
        left = Recorded(self.head, self.taken[:count], self.path)
        assert self.path.read_bytes() == left.data and len(left.data) == found.size
        assert self.path.with_suffix(".idx").read_bytes() == left.index and len(left.index) == found.index_size
        assert found.begin_ms == UTC_MS
        again = recover(str(self.path), str(self.path.with_suffix(".idx")), UNSYNCED)
        assert again is not None and not again.changed and again.end_ms == found.end_ms
        return count


def recorded(path: Path, count: int = 4, size: int = 60) -> Recorded:
    camera = Camera(size=size)
    return Recorded(camera.init + blob_info_box(BlobInfo("cam", 2000, 7)), list(camera.film(count)), path)


def whole(blob: Recorded, size: int) -> int:
    """How many fragments lie whole in the first `size` bytes."""
    count, end = 0, len(blob.head)
    for one in blob.taken:
        end += len(one.data)
        count += end <= size
    return count


def lengths(blob: Recorded, size: int) -> list[int]:
    """Every byte of the fragments; of the head, which is one write, only some."""
    return [*range(0, len(blob.head), 37), *range(len(blob.head) - 1, size + 1)]


def test_every_length_of_the_blob(tmp_path: Path) -> None:
    blob = recorded(tmp_path / "b.mp4", 3, 30)
    for size in lengths(blob, len(blob.data)):
        blob.put(blob.data[:size], blob.index)
        assert blob.recover() == whole(blob, size), size


def test_every_length_of_the_index(tmp_path: Path) -> None:
    blob = recorded(tmp_path / "b.mp4", 3, 30)
    for size in lengths(blob, len(blob.index)):
        blob.put(blob.data, blob.index[:size])
        assert blob.recover() == 3, size
    blob.put(blob.data, None)
    assert blob.recover() == 3


def test_many_combinations(tmp_path: Path) -> None:
    blob, chance = recorded(tmp_path / "b.mp4"), random.Random(3)
    for _ in range(600):
        size = chance.randrange(len(blob.head), len(blob.data) + 1)
        blob.put(blob.data[:size], blob.index[: chance.randrange(len(blob.index) + 1)])
        assert blob.recover() == whole(blob, size)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_pages_that_did_not_reach_the_disk(tmp_path: Path, lost: int) -> None:
    """Power went: the index is complete, the size of the blob too, but some of its pages are zeros."""
    blob = recorded(tmp_path / "b.mp4", 6, 40_000)
    data = bytearray(blob.data)
    end = len(data)
    for one in blob.taken[6 - lost :]:
        end -= len(one.data)
    hole = (end + 20_000) // PAGE * PAGE
    data[hole : hole + PAGE] = bytes(PAGE)
    blob.put(bytes(data), blob.index)
    assert blob.recover() == 6 - lost


def test_all_that_is_verified_is_lost(tmp_path: Path) -> None:
    blob = recorded(tmp_path / "b.mp4", VERIFY + 10, 6000)
    keep = len(Recorded(blob.head, blob.taken[:5], blob.path).data)
    blob.put(blob.data[:keep] + bytes(len(blob.data) - keep), blob.index)
    assert blob.recover() == 5


@pytest.mark.parametrize("index", [b"", b"garbage", b"\0" * 300])
def test_an_index_of_nothing(tmp_path: Path, index: bytes) -> None:
    blob = recorded(tmp_path / "b.mp4")
    blob.put(blob.data, index)
    assert blob.recover() == 4


def test_an_index_of_another_blob(tmp_path: Path) -> None:
    blob, camera = recorded(tmp_path / "b.mp4"), Camera(tracks=1)
    blob.put(blob.data, camera.init + b"".join(one.data[: one.head_size] for one in camera.film(9)))
    assert blob.recover() == 4


def test_no_blob(tmp_path: Path) -> None:
    assert recover(str(tmp_path / "b.mp4"), str(tmp_path / "b.idx")) is None
    (tmp_path / "b.mp4").write_bytes(b"")
    assert recover(str(tmp_path / "b.mp4"), str(tmp_path / "b.idx")) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_garbage_is_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes, tail: bytes) -> None:
    blob = recorded(tmp_path_factory.mktemp("g") / "b.mp4")
    blob.put(data, tail)
    assert blob.recover() == 0
    blob.put(blob.data + data, blob.index + tail)
    assert blob.recover() == 4
    list(walk_index(data, 0))


def test_examining_changes_nothing(tmp_path: Path) -> None:
    blob = recorded(tmp_path / "b.mp4")
    blob.put(blob.data[:-1], blob.index)
    for trust in (True, False):
        found = examine(str(blob.path), str(blob.path.with_suffix(".idx")), trust)
        assert found is not None and found.changed and len(found.table) == 3
    assert blob.path.read_bytes() == blob.data[:-1]
