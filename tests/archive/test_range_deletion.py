"""What somebody wants deleted is deleted exactly, and in the end everywhere."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from flussdvr.archive.range_deletion import ANSWER_S, ROTATE_S
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.body.body import Extent
from flussdvr.body.reading import read
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.timeline import Range, RangeSet
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, result, write


def at(begin_s: float, end_s: float) -> Range:
    return Range(UTC_MS + int(begin_s * 1000), UTC_MS + int(end_s * 1000))


def recorded(store: Store, count: int = 40, gop: int = 1, segment_ms: int = 5000) -> LocalStreamArchive:
    """A closed blob: fragments of a second, a sync fragment each `gop`, segments of 5 s."""
    recorder, camera = store.recorder(), Camera(gop=gop)
    for fragment in camera.film(count):
        recorder.write(fragment, camera.init, segment_ms, 7)
    result(recorder.close())
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive


def segments(archive: LocalStreamArchive) -> dict[tuple[int, int], bytes]:
    """What playlists list: begin and end of each segment, and its bytes."""
    found = {}
    for blob in archive.blobs():
        columns = result(archive.table(blob)).segments(closed=True)
        rows = (columns.begin_ms, columns.end_ms, columns.offset, columns.size)
        for begin_ms, end_ms, offset, size in zip(*(column.tolist() for column in rows), strict=True):
            found[begin_ms, end_ms] = result(read(Extent(archive.file(blob), offset, size)))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, now_ms=UTC_MS + 100_000).open()


def test_three_seconds_of_a_segment_of_five(store: Store) -> None:
    archive = recorded(store)
    before = segments(archive)
    report = result(store.archive.delete_range("cam", at(11, 14)))
    assert list(report.deleted) == [at(11, 14)] and not report.pending
    assert list(archive.ranges()) == [at(0, 11), at(14, 40)]
    after = segments(archive)
    outside = {name: data for name, data in before.items() if name[0] != at(10, 15).begin_ms}
    assert len(outside) == 7 and outside.items() <= after.items()
    assert set(after) - set(outside) == {(span.begin_ms, span.end_ms) for span in (at(10, 11), at(14, 15))}
    assert result(store.catalog.deletions.all()) == []


def test_what_lies_in_the_range_or_touches_it(store: Store) -> None:
    archive = recorded(store)
    assert list(result(store.archive.delete_range("cam", at(10.5, 13.5))).deleted) == [at(11, 13)]
    assert list(result(store.archive.delete_range("cam", at(20.5, 23.5), cover=True)).deleted) == [at(20, 24)]
    assert list(result(store.archive.delete_range("cam", at(30.2, 30.9))).deleted) == []
    assert list(archive.ranges()) == [at(0, 11), at(13, 20), at(24, 40)]
    assert list(result(store.archive.delete_range("cam", at(30.2, 30.9), cover=True)).deleted) == [at(30, 31)]


def test_what_is_locked_stays_and_can_be_shown(store: Store) -> None:
    archive = recorded(store, gop=4)
    result(store.archive.lock("cam", at(14.5, 15.5)))
    report = result(store.archive.delete_range("cam", at(0, 30), cover=True))
    assert list(archive.ranges()) == [at(12, 16), at(30, 40)] and not report.pending
    assert list(report.deleted) == [at(0, 12), at(16, 30)]


def test_what_follows_a_hole_is_shown_from_its_next_key_frame_on(store: Store) -> None:
    """It stays on the disk, and is recorded: but a segment begins with a picture that needs no other."""
    archive = recorded(store, gop=5)
    result(store.archive.delete_range("cam", at(11, 13)))
    assert list(archive.ranges()) == [at(0, 11), at(13, 40)]
    begins = [begin_ms - UTC_MS for begin_ms, _ in segments(archive)]
    assert begins == [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 150), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 4),
    st.sampled_from([2000, 3000, 5000]),
    st.lists(st.integers(0, 39), max_size=2),
)
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
def test_any_deletions_are_exact(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: list[tuple[int, int, bool]],
    gop: int,
    segment_ms: int,
    locked: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    store = Store(folder, now_ms=UTC_MS + 100_000).open()
    archive = recorded(store, gop=gop, segment_ms=segment_ms)
    for second in locked:
        result(store.archive.lock("cam", at(second + 0.3, second + 0.6)))
    kept = {second for lock in locked for second in range(lock - lock % gop, lock + 1)}
    left, before, touched = set(range(40)), segments(archive), RangeSet()
    for begin, length, cover in wanted:
        span = at(begin / 10, (begin + length) / 10)
        report = result(store.archive.delete_range("cam", span, cover))
        assert not report.pending
        inside = {
            second
            for second in range(40)
            if (10 * second < begin + length and begin < 10 * second + 10)
            and (cover or (begin <= 10 * second and 10 * second + 10 <= begin + length))
        }
        # Of what is locked stays what it takes to show it; if that was deleted before, what there is.
        gone = {second for second in inside & left if second not in kept}
        expected = RangeSet(at(second, second + 1) for second in gone)
        assert list(report.deleted) == list(expected)
        left -= gone
        for second in gone:
            touched.add(at(second, second + 1))
        assert list(archive.ranges()) == list(RangeSet(at(second, second + 1) for second in left))
        after = segments(archive)
        untouched = {name: data for name, data in before.items() if not touched.within(Range(*name))}
        assert untouched.items() <= after.items()
        for begin_ms, end_ms in after:
            assert not touched.within(Range(begin_ms, end_ms))
            assert (begin_ms - UTC_MS) // 1000 % gop == 0, "a segment begins with a key frame"
    for blob in archive.blobs():
        data = Path(blob.path).read_bytes()
        table = result(archive.table(blob))
        assert len(data) == table.blob_size and data.count(b"moof") == len(table), "nothing of the rest is left"
        assert Path(blob.index_path).read_bytes().startswith(table.init)
    store.archive.root(store.root()).stop()
    again = Store(folder, now_ms=UTC_MS + 100_000).open()
    listed = again.archive.stream("cam")
    assert (list(listed.ranges()) if listed is not None else []) == list(archive.ranges())
    assert segments(listed) == segments(archive) if listed is not None and left else not left


def test_the_end_of_what_is_in_front_of_a_hole_is_on_record(store: Store) -> None:
    """Whatever durations say: else the name of an untouched segment would change by a millisecond."""
    archive = recorded(store)
    (blob,) = archive.blobs()
    result(store.archive.delete_range("cam", at(5, 10)))
    index = bytearray(Path(blob.index_path).read_bytes())
    where = index.index(b"skip") + 12
    index[where : where + 8] = (UTC_MS + 4997).to_bytes(8)
    assert int(FragmentTable(index).segments(True).end_ms[0]) == UTC_MS + 4997


# -- disks that are not there, fail or hang ----------------------------------------------------------------------------


def crashed(tmp_path: Path) -> Store:
    """What a crash has left open on a disk that is not mounted after the restart."""
    store = Store(tmp_path, now_ms=UTC_MS + 6000).open()
    store.record(store.recorder(), Camera(), 6)
    store.archive.root(store.root()).stop()  # a process that is gone holds nothing
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    (tmp_path / "disk").mkdir()
    again = Store(tmp_path, now_ms=UTC_MS + 6000)
    Deferred.fromCoroutine(again.archive.open()).addErrback(lambda failure: failure.raiseException())
    again.clock.advance(31)
    return again


def mount(store: Store, tmp_path: Path) -> None:
    (tmp_path / "disk").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    store.archive.startService()
    store.clock.pump([1] * 70)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_disk_that_is_not_mounted_does_it_when_it_is_back(tmp_path: Path, restarted: bool) -> None:
    store = crashed(tmp_path)
    report = result(store.archive.delete_range("cam", at(0, 60)))
    assert list(report.deleted) == [] and list(report.pending) == [store.root()]
    assert report.pending[store.root()].code == "disk_not_mounted"
    if restarted:
        store = Store(tmp_path, now_ms=UTC_MS + 7000).open()
    mount(store, tmp_path)
    archive = store.archive.stream("cam")
    assert archive is None or list(archive.ranges()) == []
    assert result(store.catalog.deletions.all()) == [] == store.archive.range_deletions.pending()


def test_a_part_of_it_too(tmp_path: Path) -> None:
    store = crashed(tmp_path)
    assert result(store.archive.delete_range("cam", at(1.5, 4), cover=True)).pending
    mount(store, tmp_path)
    archive = store.archive.stream("cam")
    assert archive is not None and list(archive.ranges()) == [at(0, 1), at(4, 6)]


def test_what_is_recorded_later_is_not_meant(store: Store) -> None:
    archive = recorded(store, count=10)
    store.fate.faults["unlink"] = store.fate.faults["rename"] = OSError(errno.EROFS, "Read-only file system")
    store.now_ms = UTC_MS + 10_000
    report = result(store.archive.delete_range("cam", at(0, 10_000)))
    assert list(report.pending) == [store.root()] and "Read-only" in report.pending[store.root()].title
    assert list(archive.ranges()) == [at(0, 10)], "its files are there, so it is listed"
    store.fate.faults.clear()
    recorder, camera = store.recorder(), Camera(UTC_MS + 20_000)
    store.record(recorder, camera, 4)
    store.archive.startService()
    store.clock.pump([1] * 60)
    assert list(archive.ranges()) == [at(20, 24)] and result(store.catalog.deletions.all()) == []


def test_one_disk_that_hangs_delays_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("slow",), now_ms=UTC_MS + 100_000).open()
    for root, begin_s in (("slow", 0), ("disk", 20)):
        recorder, camera = store.recorder("cam", root), Camera(UTC_MS + begin_s * 1000)
        for fragment in camera.film(4):
            write(recorder, camera, fragment)
            if root == "slow":
                store.steps("slow")
        closing = Deferred.fromCoroutine(recorder.close())
        if root == "slow":
            store.steps("slow")
        assert closing.called
    archive = store.archive.stream("cam")
    assert archive is not None and list(archive.ranges()) == [at(0, 4), at(20, 24)]
    answers: list[Any] = []
    Deferred.fromCoroutine(store.archive.delete_range("cam", at(0, 60))).addBoth(answers.append)
    assert not answers
    store.clock.advance(ANSWER_S)
    (report,) = answers
    assert list(report.deleted) == [at(20, 24)] and list(report.pending) == [store.root("slow")]
    assert store.root("slow") in report.pending[store.root("slow")].title
    store.steps("slow")
    assert not len(archive) and result(store.catalog.deletions.all()) == []


def test_a_blob_that_cannot_be_ended_is_pending(tmp_path: Path) -> None:
    store = Store(tmp_path, manual=("slow",), now_ms=UTC_MS).open()
    recorder, camera = store.recorder("cam", "slow"), Camera()
    for fragment in camera.film(6):
        write(recorder, camera, fragment)
        store.steps("slow")
    answers: list[Any] = []
    Deferred.fromCoroutine(store.archive.delete_range("cam", at(0, 4))).addBoth(answers.append)
    store.clock.advance(ANSWER_S)
    assert list(answers[0].pending) == [store.root("slow")]
    store.clock.advance(ROTATE_S)
    store.steps("slow")
    store.archive.startService()
    for _ in range(60):
        store.clock.advance(1)
        store.steps("slow")
    archive = store.archive.stream("cam")
    assert archive is not None and list(archive.ranges()) == [at(4, 6)]


def test_without_the_catalog_nothing_is_promised(store: Store) -> None:
    from flussdvr.errors import DvrError, Kind

    archive = recorded(store)
    store.fate.faults["sql"] = DvrError(Kind.UNAVAILABLE, "catalog_failed", "no")
    with pytest.raises(DvrError, match="catalog_failed"):
        result(store.archive.delete_range("cam", at(0, 10)))
    store.fate.faults.clear()
    store.archive.startService()
    store.clock.pump([1] * 60)
    assert list(archive.ranges()) == [at(0, 40)]


def test_who_plays_what_is_in_ram_is_told_at_once_and_when_it_is_done(store: Store) -> None:
    archive = recorded(store)
    result(store.archive.lock("cam", at(20, 21)))
    told: list[tuple[str, tuple[Range, ...], bool, int]] = []

    def on_delete(name: str, spans: tuple[Range, ...], cover: bool) -> None:
        told.append((name, spans, cover, archive.ranges().duration_ms // 1000))
        raise ValueError("theirs")

    store.archive.range_deletions.on_delete = on_delete
    report = result(store.archive.delete_range("cam", at(10, 30), True))
    assert not report.pending, "an error of theirs stays there"
    spans = (at(10, 20), at(21, 30))
    assert told == [("cam", spans, True, 40), ("cam", spans, True, 21)]
