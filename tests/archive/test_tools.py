from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from flussdvr.archive import tools
from flussdvr.database.rows import LinkRow
from flussdvr.errors import DvrError
from flussdvr.timeline import HOUR_MS, Range
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, files, result


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two blobs of `cam`, one of `site/cam`."""
    store = Store(tmp_path).open()
    recorder, camera = store.recorder(), Camera(UTC_MS + HOUR_MS - 4000)
    store.record(recorder, camera, 8)
    store.record(store.recorder("site/cam"), Camera(), 4)
    store.stop()
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (folder / "disk").rglob("17*.*")}


def check(folder: Path, repair: bool = False) -> tools.Report:
    return tools.fsck(str(folder / "disk"), repair, str(folder / "state"))


def test_all_is_well(recorded: Path) -> None:
    before = state(recorded)
    report = check(recorded)
    assert report.ok and report.blobs == 3 and report.duration_ms == 12_000
    assert report.size == sum(map(len, before.values()))
    assert check(recorded, repair=True).repaired == [] and state(recorded) == before
    assert str(report).startswith("3 blobs, 0.00 h, 0.00 GiB: 0 repaired, 0 problems")


def test_lost_indexes_are_rebuilt_without_any_catalog(recorded: Path) -> None:
    before = state(recorded)
    for path in files(recorded, ".idx"):
        path.unlink()
    assert len(tools.fsck(str(recorded / "disk")).problems) == 3
    report = tools.reindex(str(recorded / "disk"))
    assert report.ok and len(report.repaired) == 3 and "has no index" in str(report)
    assert state(recorded) == before


def test_what_cannot_be_derived_stays(recorded: Path) -> None:
    store = Store(recorded)
    result(store.catalog.open())
    link = LinkRow("0" * 16, "cam", 0, 9, ("mp4",), 99, 2, 0, "kept", "admin", 1)
    result(store.catalog.links.insert(link))
    assert result(store.catalog.links.use(link.id, b"ann")) == 1
    result(store.catalog.close())
    for path in files(recorded, ".idx"):
        path.unlink()
    assert len(tools.reindex(str(recorded / "disk"), str(recorded / "state")).repaired) == 3
    store = Store(recorded)
    result(store.catalog.open())
    link.uses = 1
    assert result(store.catalog.links.all()) == [link]
    assert [result(store.catalog.links.use(link.id, viewer)) for viewer in (b"ann", b"bob", b"eve")] == [1, 2, None]
    result(store.catalog.close())


def test_a_lost_catalog_is_rebuilt(recorded: Path) -> None:
    for path in (recorded / "state").iterdir():
        path.unlink()
    assert len(check(recorded).problems) == 3
    assert len(check(recorded, repair=True).repaired) == 3
    store = Store(recorded).open()
    assert store.archive.streams() == ["cam", "site/cam"]
    archive = store.archive.stream("cam")
    assert archive is not None and [blob.sequence for blob in archive.blobs()] == [7, 7]


def test_every_kind_of_damage(recorded: Path) -> None:
    first, second, third = files(recorded)
    first.with_suffix(".idx").write_bytes(first.with_suffix(".idx").read_bytes()[:-20])  # short
    second.write_bytes(second.read_bytes() + b"tail")  # torn
    third.with_suffix(".idx").write_bytes(first.with_suffix(".idx").read_bytes())  # another's
    orphan = second.parent / f"{UTC_MS + HOUR_MS - 1}.idx"
    orphan.write_bytes(b"orphan")
    second.with_suffix(".idx.new").write_bytes(b"draft")
    (recorded / "disk" / ".flussdvr").unlink()
    alien = recorded / "disk" / "lost+found" / "1.mp4"
    alien.parent.mkdir()
    alien.write_bytes(b"alien")
    assert len(check(recorded).problems) == 6
    report = check(recorded, repair=True)
    assert report.ok and len(report.repaired) == 6, str(report)
    assert check(recorded).ok and alien.read_bytes() == b"alien" and not orphan.exists()


def test_damage_in_the_middle_is_told_and_nothing_cut(recorded: Path) -> None:
    path = files(recorded)[0]
    data = bytearray(path.read_bytes())
    at = data.index(b"moof", data.index(b"moof") + 4)
    data[at - 4 : at + 4] = b"\xff" * 8
    path.write_bytes(data)
    before = state(recorded)
    report = check(recorded, repair=True)
    assert report.problems == [f"{path}: damaged at byte {at - 4}"] and state(recorded) == before


def test_rows_without_files_and_wrong_rows(recorded: Path) -> None:
    first, second, _ = files(recorded)
    for suffix in (".mp4", ".idx"):
        first.with_suffix(suffix).unlink()
    second.write_bytes(second.read_bytes() + b"tail")
    store = Store(recorded)
    result(store.catalog.open())
    row = result(store.catalog.blobs.all())[0]
    row.size = 1
    result(store.catalog.blobs.update([row]))
    result(store.catalog.close())
    assert check(recorded, repair=True).ok
    assert check(recorded).ok
    assert len(result(Store(recorded).open().catalog.blobs.all())) == 2


def test_no_repair_beside_a_server(recorded: Path) -> None:
    store = Store(recorded).open()
    assert check(recorded).ok
    with pytest.raises(DvrError, match="root_in_use"):
        tools.reindex(str(recorded / "disk"))
    store.stop()
    tools.reindex(str(recorded / "disk"))


def test_cut(recorded: Path) -> None:
    out = recorded / "out.mp4"
    begin_ms = UTC_MS + HOUR_MS - 2000
    shown = tools.cut(str(recorded / "disk"), "cam", begin_ms, 3000, str(out))
    assert shown == Range(begin_ms, begin_ms + 3000)
    with av.open(io.BytesIO(out.read_bytes())) as file:
        assert len(file.streams) == 2
        packets = [packet for packet in file.demux(video=0) if packet.size]
    assert len(packets) >= 15
    recording = b"".join(path.read_bytes() for path in files(recorded))
    assert all(bytes(packet) in recording for packet in packets)
    with pytest.raises(FileExistsError):
        tools.cut(str(recorded / "disk"), "cam", begin_ms, 3000, str(out))


def test_cut_without_an_index(recorded: Path) -> None:
    whole, out = recorded / "whole.mp4", recorded / "out.mp4"
    tools.cut(str(recorded / "disk"), "cam", UTC_MS, 2 * HOUR_MS, str(whole))
    for path in files(recorded, ".idx"):
        path.unlink()
    tools.cut(str(recorded / "disk"), "cam", UTC_MS, 2 * HOUR_MS, str(out))
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(("stream", "begin_ms"), [("cam", UTC_MS - HOUR_MS), ("nobody", UTC_MS)])
def test_cut_of_nothing(recorded: Path, stream: str, begin_ms: int) -> None:
    out = recorded / "out.mp4"
    with pytest.raises(DvrError):
        tools.cut(str(recorded / "disk"), stream, begin_ms, 3000, str(out))
    assert not out.exists()
    with pytest.raises(DvrError, match="bad_stream_name"):
        tools.cut(str(recorded / "disk"), "../cam", UTC_MS, 3000, str(out))


def test_the_catalog_that_it_is_told_of_is_repaired(recorded: Path) -> None:
    """Lost, broken or behind: what is on the disk is in it afterwards."""
    whole = Store(recorded).open()
    names = whole.archive.streams()
    whole.stop()
    for path in (recorded / "state").glob("catalog.sqlite*"):
        path.write_bytes(b"garbage" * 1000)
    report = tools.reindex(str(recorded / "disk"), str(recorded / "state"))
    assert report.ok and any("kept as" in line for line in report.repaired)
    assert check(recorded).ok
    store = Store(recorded).open()
    assert store.archive.streams() == names and "dvr_root_imported" not in store.kinds()


def test_a_look_changes_no_catalog(recorded: Path) -> None:
    catalog = recorded / "state" / "catalog.sqlite"
    catalog.write_bytes(b"garbage" * 1000)
    assert not check(recorded).ok
    assert catalog.read_bytes() == b"garbage" * 1000 and list(catalog.parent.glob("*broken*")) == []


def test_foreign_things_are_named_and_no_problem(recorded: Path) -> None:
    (recorded / "disk" / "readme.txt").write_text("x")
    (recorded / "disk" / "loop").symlink_to(recorded / "disk")
    report = check(recorded)
    assert report.ok and report.skipped.count == 2
    assert "skipped: " in str(report) and "readme.txt: not a recording" in str(report)
