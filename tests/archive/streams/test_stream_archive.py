from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.archive.streams.stream_archive import JOIN_MS, LocalStreamArchive
from flussdvr.timeline import Range, RangeSet

UNUSED: Any = None


def make(pairs: list[tuple[int, int]]) -> tuple[LocalStreamArchive, list[Blob]]:
    """Blobs of (gap before, length)."""
    archive, blobs, at = LocalStreamArchive("cam", IndexCache(UNUSED), UNUSED), [], 1000
    for gap, length in pairs:
        at += gap
        blobs.append(Blob("cam", "/d", at, at + length, 10, 5, BlobState.CLOSED))
        at += length
    return archive, blobs


layouts = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), max_size=12)


def moments(blobs: list[Blob]) -> set[int]:
    """Every millisecond that should be listed: small misses count as recorded."""
    listed: set[int] = set()
    for index, blob in enumerate(blobs):
        listed.update(range(blob.begin_ms, blob.end_ms))
        if index and 0 < blob.begin_ms - blobs[index - 1].end_ms <= JOIN_MS:
            listed.update(range(blobs[index - 1].end_ms, blob.begin_ms))
    return listed


@given(layouts, st.booleans(), st.integers(990, 1100), st.integers(0, 60), st.data())
def test_against_a_set_of_moments(
    pairs: list[tuple[int, int]], asked: bool, begin: int, length: int, data: st.DataObject
) -> None:
    archive, blobs = make(pairs)
    for blob in blobs:
        archive.add(blob)
        if asked:
            archive.ranges()
    within = Range(begin, begin + length)

    def check(left: list[Blob]) -> None:
        assert {ms for item in archive.ranges() for ms in range(item.begin_ms, item.end_ms)} == moments(left)
        listed = {ms for item in archive.ranges(within) for ms in range(item.begin_ms, item.end_ms)}
        assert listed == moments(left) & set(range(begin, begin + length))
        assert archive.blobs(within) == [blob for blob in left if blob.range.overlaps(within)]
        assert archive.size == 15 * len(left) and len(archive) == len(left)

    check(blobs)
    gone = [blob for blob in blobs if data.draw(st.booleans())]
    archive.remove(gone)
    check([blob for blob in blobs if blob not in gone])
    archive.remove(gone)
    archive.add_all(gone)
    check(blobs)


@given(st.lists(st.integers(1, 5), max_size=10))
def test_growing(steps: list[int]) -> None:
    archive, (blob,) = make([(0, 1)])
    told: list[int] = []
    stop = archive.subscribe(lambda blob: told.append(blob.end_ms))
    archive.add(blob)
    for step in steps:
        archive.grow(blob, blob.end_ms + step, blob.size + 7, blob.index_size + 3)
        assert list(archive.ranges()) == [Range(1000, blob.end_ms)]
    assert archive.size == 15 + 10 * len(steps) and len(told) == 1 + len(steps)
    stop()
    stop()
    archive.closed(blob)
    assert len(told) == 1 + len(steps)


def test_neighbours() -> None:
    archive, blobs = make([(0, 5), (5, 5), (5, 5)])
    archive.add_all(reversed(blobs))
    assert archive.blobs() == blobs and archive.bounds == Range(1000, 1025) and archive.end_ms == 1025
    assert archive.next_blob(blobs[0]) is blobs[1] and archive.next_blob(blobs[2]) is None
    assert archive.roots == {"/d"}
    archive.remove(blobs)
    assert archive.bounds is None and archive.end_ms == 0 and archive.roots == set() and len(archive.ranges()) == 0


STEPS = [-400, 0, 1, JOIN_MS, JOIN_MS + 1, 5000]
"""From the end of a blob to the beginning of the next."""


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from([0, 1, 500, 3000]), st.booleans()), max_size=12))
def test_what_is_recorded_does_not_depend_on_when_blobs_were_listed(drawn: list[tuple[int, int, bool]]) -> None:
    blobs: list[Blob] = []
    at = 10_000
    for step, length, has_hole in drawn:
        at = max(at + step, blobs[-1].begin_ms + 1 if blobs else 0)
        blob = Blob("cam", "/root", at, at + length)
        if has_hole and length >= 500:
            blob.holes = (Range(at + 100, at + 300),)
        blobs.append(blob)
        at += length
    one_by_one = LocalStreamArchive("cam", IndexCache(UNUSED), UNUSED)
    for blob in blobs:
        one_by_one.ranges()
        one_by_one.add(blob)
    expected = RangeSet()
    before_ms: int | None = None
    for blob in blobs:
        joins = before_ms is not None and before_ms < blob.begin_ms <= before_ms + JOIN_MS
        begin_ms = before_ms if joins and before_ms is not None else blob.begin_ms
        expected.add(Range(begin_ms, max(begin_ms, blob.end_ms)))
        for hole in blob.holes:
            expected.subtract(hole)
        before_ms = blob.end_ms
    at_once = LocalStreamArchive("cam", IndexCache(UNUSED), UNUSED, blobs)
    assert list(at_once.ranges()) == list(one_by_one.ranges()) == list(expected)
