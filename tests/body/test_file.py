from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.body.body import Body, Extent, file_of
from flussdvr.body.copying import write_body
from flussdvr.body.file import DataGone, Directory, Opened, Place, file_at
from flussdvr.body.reading import DiskFailed, read, read_extent
from flussdvr.body.seekable import SeekableBody
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.made import Made
from flussdvr.threads import Busy, InlineWorker, MemoryWorker
from tests.body.places import Elsewhere

DATA = os.urandom(200_000)
Make = Callable[[str], Place]


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    (tmp_path / "a").write_bytes(DATA)
    return Directory(str(tmp_path), InlineWorker()) if request.param == "here" else Elsewhere(str(tmp_path))


def result(work: Any) -> Any:
    """Of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def test_a_file_is_its_place_and_name(tmp_path: Path) -> None:
    worker = InlineWorker()
    one, same = Directory("/a", worker), Directory("/a", worker)
    assert one.file("x") == same.file("x") and len({one.file("x"), same.file("x"), one.file("y")}) == 2
    others = [Directory("/b", worker), Directory("/a", InlineWorker()), Elsewhere("/a")]
    assert all(other.file("x") != one.file("x") for other in others)
    assert str(one.file("x/y")) == "/a/x/y" and one.file("x").worker is worker
    assert str(file_at("/a/b/c")) == "/a/b/c" and file_at("/a/b") == file_at("/a/b")


def test_which_file_a_part_needs(place: Place) -> None:
    file = place.file("a")
    assert file_of(Extent(file, 0, 5)) is file
    assert file_of(Made.of(bytes, 0, file)) is file
    assert file_of(b"x") is None and file_of(Made.of(bytes, 0)) is None


@pytest.mark.parametrize(("offset", "length"), [(0, len(DATA)), (5, 0), (5, 1), (1000, 150_000), (len(DATA) - 1, 1)])
def test_all_of_an_extent_is_read(place: Place, offset: int, length: int) -> None:
    extent = Extent(place.file("a"), offset, length)
    assert read_extent(extent) == result(read(extent)) == DATA[offset : offset + length]
    assert place.file("a").size() == len(DATA)


@pytest.mark.parametrize(("name", "offset", "length"), [("b", 0, 1), ("a", len(DATA) - 5, 6), ("a", len(DATA), 1)])
def test_what_is_not_there_is_gone(place: Place, name: str, offset: int, length: int) -> None:
    extent, before = Extent(place.file(name), offset, length), os.listdir("/proc/self/fd")
    for reading in (lambda: read_extent(extent), lambda: result(read(extent))):
        with pytest.raises(DataGone, match=f"data_gone.*/{name} has been deleted") as gone:
            reading()
        assert gone.value.kind is Kind.NOT_FOUND and gone.value.file == str(place.file(name))
    assert os.listdir("/proc/self/fd") == before and getattr(place, "opened", 0) == 0


def test_the_size_of_what_is_not_there(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        place.file("b").size()


def test_a_hole_is_gone(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as made:
        made.write(b"x" * 4096)
        made.truncate(1 << 20)
        made.seek(1 << 20)
        made.write(b"x" * 4096)
    file = file_at(str(tmp_path / "holes"))
    assert result(read(Extent(file, 0, 4096))) == result(read(Extent(file, 1 << 20, 4096))) == b"x" * 4096
    out = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    for extent in (Extent(file, 0, 4097), Extent(file, 8192, 10), Extent(file, (1 << 20) - 1, 10)):
        with pytest.raises(DataGone):
            result(read(extent))
        with pytest.raises(DvrError, match="no_recordings"):
            write_body(Body((extent,)), out)
    os.close(out)


def test_what_fails_has_one_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "c").mkdir()
    for file in (file_at(str(tmp_path / "c")), Elsewhere(str(tmp_path), fails=3).file("a")):
        extent = Extent(file, 0, 150_000)
        with pytest.raises(DiskFailed, match=f"disk_failed.*{file}: ") as failed:
            result(read(extent))
        assert failed.value.kind is Kind.UNAVAILABLE


def test_whoever_waits_is_refused_where_too_many_do() -> None:
    with pytest.raises(Busy):
        result(read(Extent(Directory("/a", MemoryWorker(0)).file("x"), 0, 1)))


def body_of(place: Place) -> tuple[Body, bytes]:
    made = Made.of(lambda: b"made", 4)
    file = place.file("a")
    parts = b"head", Extent(file, 10, 90_000), made, Extent(file, 100_000, 1), Extent(file, 100_002, 90_000)
    return Body(parts), b"head" + DATA[10:90_010] + b"made" + DATA[100_000:100_001] + DATA[100_002:190_002]


def test_a_body_is_copied(place: Place, tmp_path: Path) -> None:
    body, content = body_of(place)
    counts: list[int] = []
    with open(tmp_path / "out", "wb") as file:
        write_body(body, file.fileno(), counts.append)
    assert (tmp_path / "out").read_bytes() == content and sum(counts) == len(content)
    os.truncate(tmp_path / "a", 190_001)
    with open(tmp_path / "out", "wb") as file, pytest.raises(DvrError, match="no_recordings"):
        write_body(body, file.fileno())
    assert getattr(place, "opened", 0) == 0


def test_a_body_is_a_file_of_libraries(place: Place) -> None:
    body, content = body_of(place)
    with SeekableBody(body) as file:
        assert b"".join(iter(lambda: file.read(7777), b"")) == content
        file.seek(95_000)
        assert file.read(10) == content[95_000:95_010]
    assert getattr(place, "opened", 0) == 0


class Scripted(Opened):
    """Gives these chunks, whatever is asked for."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__("x")
        self.chunks = chunks

    def _some(self, offset: int, length: int) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def check(self, start: int, stop: int) -> None: ...

    def close(self) -> None: ...


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 20))
def test_a_place_that_gives_too_little_or_too_much_ends_it(chunks: list[bytes], length: int) -> None:
    """Never other than `length` bytes, and never without an end."""
    given_in_all = b"".join(chunks)
    try:
        data = Scripted(list(chunks)).read(0, length)
    except DataGone:
        return
    assert len(data) == length and given_in_all.startswith(data)
