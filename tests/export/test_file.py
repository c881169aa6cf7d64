from __future__ import annotations

import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import file_at
from flussdvr.errors import DvrError, Kind
from flussdvr.export.exporter import Canceled
from flussdvr.export.file import ArchiveRoot, FileDestination, PrivateRoot, check_path, write_file
from flussdvr.formats.made import Made


@pytest.fixture
def source(tmp_path: Path) -> Body:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(100_000))
    return Body(
        (
            b"he",
            Made.of(lambda: b"ad", 2),
            Extent(file_at(str(path)), 10, 50_000),
            Extent(file_at(str(path)), 70_000, 30_000),
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


def nothing(done: int, total: int) -> None: ...


def test_a_file_is_there_when_it_is_whole(tmp_path: Path, source: Body) -> None:
    seen: list[tuple[int, int, list[str]]] = []
    out = tmp_path / "out" / "deep" / "x.mp4"

    def copied(done: int, total: int) -> None:
        seen.append((done, total, os.listdir(out.parent)))

    write_file(source, str(out), [str(tmp_path / "out")], copied)
    assert out.read_bytes() == content(source) and seen[-1][:2] == (80_004, 80_004)
    assert all(names == [] for _, _, names in seen)
    with pytest.raises(DvrError) as raised:
        write_file(Body((b"other",)), str(out), [str(tmp_path)], nothing)
    assert raised.value.kind is Kind.CONFLICT and out.read_bytes() == content(source)


@pytest.mark.parametrize("fault", [OSError(ENOSPC, "No space left on device"), Canceled(), OSError(5, "I/O error")])
def test_nothing_is_left_of_what_failed(tmp_path: Path, source: Body, fault: Exception) -> None:
    def copied(done: int, total: int) -> None:
        if done > 60_000:
            raise fault

    with pytest.raises(DvrError if isinstance(fault, OSError) else Canceled) as raised:
        write_file(source, str(tmp_path / "out/x.mp4"), [str(tmp_path)], copied)
    assert os.listdir(tmp_path / "out") == []
    if fault.args[:1] == (ENOSPC,):
        assert raised.value.status == 507  # type: ignore[union-attr]


def test_too_large_for_the_disk_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(DvrError) as raised:
        write_file(Body((Extent(file_at("/none"), 0, 1 << 60),)), str(tmp_path / "x.mp4"), [str(tmp_path)], nothing)
    assert raised.value.kind is Kind.NO_SPACE


def test_without_nameless_files(tmp_path: Path, source: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.export.file.os.O_TMPFILE", os.O_PATH | os.O_DIRECTORY | os.O_CREAT)
    real = os.open

    def refuse(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == ".":
            raise OSError(95, "Operation not supported")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr("flussdvr.export.file.os.open", refuse)
    write_file(source, str(tmp_path / "x.mp4"), [str(tmp_path)], nothing)
    assert (tmp_path / "x.mp4").read_bytes() == content(source) and len(os.listdir(tmp_path)) == 2


def test_killed_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1000))
    program = f"""if 1:
        import os
        from flussdvr.body.body import Body, Extent
        from flussdvr.body.file import file_at
        from flussdvr.export.file import write_file
        body = Body((b"head", Extent(file_at({str(tmp_path / "source")!r}), 0, 1000)))
        kill = lambda done, total: done > 10 and os.kill(os.getpid(), 9)
        write_file(body, {str(tmp_path / "out/x.mp4")!r}, [{str(tmp_path)!r}], kill)
    """
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert os.listdir(tmp_path / "out") == []


def test_where_files_may_go(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to(root / "real")
    (root / "dangling.mp4").symlink_to(outside / "none")
    roots = [str(root)]
    for good in ("x.mp4", "a/b/x.mp4", "in/x.mp4"):
        check_path(f"{root}/{good}", roots)
    for bad in (
        "../x.mp4",
        "out/x.mp4",
        "a/../x.mp4",
        "",
        "x/",
        ".hidden",
        "1795194000000.mp4",
        "locks.json",
        "x\0.mp4",
    ):
        with pytest.raises(DvrError) as raised:
            check_path(f"{root}/{bad}", roots)
        assert raised.value.kind is Kind.DENIED, bad
    for path in ("x.mp4", str(tmp_path / "rootless/x.mp4"), "/x.mp4"):
        with pytest.raises(DvrError, match="path_not_permitted"):
            check_path(path, roots)
    with pytest.raises(DvrError, match="file_exists"):
        check_path(f"{root}/dangling.mp4", roots)


def test_names_that_the_archive_needs(tmp_path: Path) -> None:
    """Directories of streams and of years that may come, the archive's own files, and the state."""
    storage, state, exports = tmp_path / "storage", tmp_path / "storage/state", tmp_path / "storage/state/exports"
    (storage / "cam/2026").mkdir(parents=True)
    exports.mkdir(parents=True)
    (tmp_path / "link").symlink_to(storage)
    (exports / "to_storage").symlink_to(storage)
    roots = [PrivateRoot(str(state)), str(exports), str(tmp_path / "link"), ArchiveRoot(str(storage))]
    for good in (
        "x.mp4",
        "x.MP4",
        "cam/x.mp4",
        "newcam/x.mp4",
        "exports/2026/x.mp4",
        "state/exports/x",
        "state/exports/a/y.mov",
    ):
        check_path(f"{storage}/{good}", roots)
    for bad in (
        *("newcam", "cam/2027", "cam/x.mov", "cam/2027/x", "a/b"),
        *(
            "cam/locks.json",
            "cam/Locks.JSON",
            "cam/locks.json/x.mp4",
            ".flussdvr",
            ".flussdvr/x.mp4",
            "cam/.lock/x.mp4",
        ),
        *("cam/2027/01/01/00/1795194000000.mp4", "cam/2027/01/01/00/1795194000000.mp4/x.mp4", "cam/1.idx/x.mp4"),
        *("cam/5.thumbs.mp4", "cam/5.IDX.new/x.mp4", "state/x.mp4", "state/catalog.sqlite", "state/other/x.mp4"),
        *("state/exports/to_storage/newcam", "state/exports/to_storage/cam/2027", "state/exports/locks.json"),
    ):
        with pytest.raises(DvrError) as raised:
            check_path(f"{storage}/{bad}", roots)
        assert raised.value.kind is Kind.DENIED, bad
    with pytest.raises(DvrError):
        check_path(f"{tmp_path}/link/newcam", roots)


def test_what_is_left(tmp_path: Path) -> None:
    destination = FileDestination(str(tmp_path / "x.mp4"), [str(tmp_path)])
    assert destination.left() is None and destination.name == f"{tmp_path}/x.mp4"
    destination.write(Body((b"abc",)), nothing)
    assert destination.left() == 3
    with pytest.raises(DvrError) as raised:
        destination.check()
    assert raised.value.source == {"parameter": "path"}


@pytest.mark.parametrize(
    "name", ["x\u202e4pm.mp4", "a\nb.mp4", "a\x1b[2J.mp4", "a\u200bb.mp4", "a\u2028b.mp4", "a\u2066.mp4"]
)
def test_a_name_that_cannot_be_seen_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(DvrError, match="cannot be seen"):
        check_path(f"{tmp_path}/{name}", [str(tmp_path)])
    with pytest.raises(DvrError, match="cannot be seen"):
        check_path(f"{tmp_path}/{name}/x.mp4", [str(tmp_path)])
    check_path(f"{tmp_path}/Aufnahme ä 日本 😀.mp4", [str(tmp_path)])
