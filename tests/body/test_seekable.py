from __future__ import annotations

import os
from pathlib import Path

import pytest

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import file_at
from flussdvr.body.seekable import SeekableBody
from flussdvr.errors import DvrError
from flussdvr.formats.made import Made


@pytest.fixture
def body(tmp_path: Path) -> Body:
    for name in "ab":
        (tmp_path / name).write_bytes(os.urandom(5000))
    made = Made.of(lambda: bytes(range(200)), 200)
    return Body(
        (
            b"head",
            Extent(file_at(str(tmp_path / "a")), 10, 3000),
            b"-",
            made,
            Extent(file_at(str(tmp_path / "b")), 0, 5000),
        )
    )


def content(body: Body) -> bytes:
    data = b""
    for part in body.parts:
        if isinstance(part, Extent):
            data += Path(str(part.file)).read_bytes()[part.offset :][: part.length]
        else:
            data += part.data() if isinstance(part, Made) else part
    return data


def test_it_is_read_like_a_file(body: Body) -> None:
    whole = content(body)
    with SeekableBody(body) as file:
        assert len(file) == len(whole) == file.seek(0, os.SEEK_END) and file.read() == b""
        file.seek(0)
        assert b"".join(iter(lambda: file.read(777), b"")) == whole and file.tell() == len(whole)
        file.seek(3000)
        assert file.read(100) + file.read() == whole[3000:]
        file.seek(-5, os.SEEK_CUR)
        assert file.read(-1) == whole[-5:]


def test_nothing_remains_open(body: Body) -> None:
    before = os.listdir("/proc/self/fd")
    with SeekableBody(body) as file:
        file.read(50)
        file.read()
    assert os.listdir("/proc/self/fd") == before


def test_what_is_gone_is_not_made_up(tmp_path: Path, body: Body) -> None:
    with SeekableBody(body) as file, pytest.raises(DvrError, match="data_gone") as raised:
        os.truncate(tmp_path / "b", 4999)
        file.read()
    assert file.failure is raised.value
    os.unlink(tmp_path / "a")
    with SeekableBody(body) as file:
        assert file.read(4) == b"head" and file.failure is None
        with pytest.raises(DvrError, match="data_gone"):
            file.read(1)
        assert file.tell() == 4
    (tmp_path / "c").mkdir()
    with (
        SeekableBody(Body((Extent(file_at(str(tmp_path / "c")), 0, 1),))) as file,
        pytest.raises(DvrError, match=r"disk_failed.*/c"),
    ):
        file.read()


def test_a_hole_is_not_read_as_zeros(tmp_path: Path, body: Body) -> None:
    with open(tmp_path / "holes", "wb") as made:
        made.write(b"x")
        made.truncate(1 << 20)
    with SeekableBody(Body((Extent(file_at(str(tmp_path / "holes")), 0, 1 << 20),))) as file, pytest.raises(DvrError):
        file.read()


def test_it_can_be_stopped(body: Body) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    file = SeekableBody(body, stop)
    with pytest.raises(KeyboardInterrupt):
        file.read(1)
    assert isinstance(file.failure, KeyboardInterrupt)
